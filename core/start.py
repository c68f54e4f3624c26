"""Command lines of trainings that go on from another's networks: what these are made of comes from there."""

from core.errors import GessoError
from core.network_file import find_network, read_metadata
from core.overrides import given_value, is_sweep, put_before, quoted
from core.resume import resume_arguments
from core.stored import OPTION

LARGEST = 2**13  # number that a network is made of: widths, lengths of latents


def train_arguments(arguments: list[str]) -> list[str]:
    """Returns the command line of a training: of `resume=<run>` as `resume_arguments`, of `model.start=` with more.

    Before what is given come the model of a generator or translator to start from, its size, the kind of data of a
    translator, and the keys that its networks are built by, as far as they are not given; of a stylizer, where
    it is of the given model, these keys alone. What has grown does not grow again. Other command lines come back as
    they are. Raises `GessoError` where there is no such start, or it is of a model other than the given.
    """
    value = given_value(arguments, "model.start")
    # The jobs of a sweep have command lines of their own.
    if value is None or is_sweep(arguments) or given_value(arguments, "resume") is not None:
        return resume_arguments(arguments)
    path = find_network(value, "model.start", ("generator", "stylizer", "translator"))
    start = read_metadata(path)
    if start.words:
        raise GessoError(
            f"model.start={value} has learned words, and no other training goes on from it; its own run does: "
            "resume=<run>. Start from a generator without words, such as model.start=paintings."
        )
    model = given_value(arguments, "model")
    paints = start.kind == "stylizer"
    if start.model is None or (paints and model != start.model):  # any_style goes on from fast_style, say
        return arguments
    for group, option in (("model", start.model), ("dataset", start.task)):  # a stranger may have made it
        if option is not None and not OPTION.fullmatch(option):
            raise GessoError(f"{path} is refused: {group}={option} is no name of an option.")
    for key, number in start.architecture.items():
        if isinstance(number, int) and abs(number) > LARGEST:
            raise GessoError(f"{path} is refused: model.{key}={number} is larger than any network's.")
    if model not in (None, start.model):
        raise GessoError(f"model={model}, but model.start={value} is of model={start.model}. Leave model= out.")
    own = {"model": start.model}
    if not paints:  # pictures of any size and kind
        own |= {"image_size": start.image_size, "dataset": start.task}  # sets are named by tasks
    own |= {f"model.{key}": quoted(value) for key, value in start.architecture.items()}
    if "phase_steps" in start.architecture:
        own["model.phase_steps"] = 1  # it has grown already
    given = {argument.lstrip("+~").partition("=")[0] for argument in arguments}
    return put_before(
        [f"{key}={value}" for key, value in own.items() if value is not None and key not in given], arguments
    )
