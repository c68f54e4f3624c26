"""A training that goes on from another: weights taken over, and lower layers that stay as they are."""

import keras
import numpy as np
from keras import ops

from core.errors import GessoError
from models.layers.normalization import InstanceNormalization

VECTORS = "label_embedding/embeddings"
LABELS = {"gamma": "_gamma/embeddings", "beta": "_beta/embeddings"}  # models/layers/normalization.py: batch_norm


def transfer(source: keras.Model, target: keras.Model, there: int = 0, here: int = 0) -> None:
    """Gives `target` the weights of `source`, layer by layer; `there` and `here` are their numbers of classes.

    These may differ, 0 being without labels. Where only one of the two scales and shifts by class, all classes have
    the same, or their average takes their place; inputs for labels that one of the two has not are left out; what
    speaks of labels alone begins anew. Raises `GessoError`, before anything is changed, where another thing than
    labels does not fit.
    """
    known = {variable.path: ops.convert_to_numpy(variable) for variable in _floats(source)}
    targets = _floats(target)
    inputs = _label_inputs(source, there), _label_inputs(target, here)
    found = [_fitted(variable, known, (there, here), inputs) for variable in targets]
    for variable, array in zip(targets, found, strict=True):
        variable.assign(array)


def _floats(network: keras.Model) -> list[keras.Variable]:
    """Lists what is learned or averaged; the seeds of dropout are integers, and stay what they are."""
    return [variable for variable in network.variables if variable.dtype.startswith("float")]


def _label_inputs(network: keras.Model, classes: int) -> int:
    """Returns how many numbers stand for a label that is joined to other inputs: one-hot, or a generator's vector.

    A discriminator's is joined to nothing: its features are projected on it.
    """
    draws = any(tensor.name == "latent" for tensor in network.inputs)
    vectors = [variable.shape[1] for variable in network.variables if draws and variable.path.endswith(VECTORS)]
    return vectors[0] if vectors else classes


def _fitted(
    variable: keras.Variable, known: dict[str, np.ndarray], classes: tuple[int, int], inputs: tuple[int, int]
) -> np.ndarray:
    """Returns what a variable takes over. Raises `GessoError` where that is not known.

    `classes` there and here, and the `inputs` that stand for one.
    """
    there, here = classes
    array = known.get(variable.path)
    if array is not None and array.shape == tuple(variable.shape):
        return array
    other = there != here or inputs[0] != inputs[1]
    found = _of_other_labels(variable, known, classes, inputs) if other else None
    if found is None:
        what = "there is none there" if array is None else f"{array.shape} there, {tuple(variable.shape)} here"
        labels = {(True, False): "A folder with classes", (False, True): "model.condition=none"}
        otherwise = labels.get((bool(there), bool(here)))
        raise GessoError(
            f"model.start is of networks that differ from these: {variable.path}, {what}. What they are made of "
            "(image_size, model.width, ...) is taken from there: leave it out."
            + (f" Or it is for want of labels: {otherwise} would do." if otherwise else "")
        )
    return found


def _of_other_labels(
    variable: keras.Variable, known: dict[str, np.ndarray], classes: tuple[int, int], inputs: tuple[int, int]
) -> np.ndarray | None:
    """Returns what a variable takes over from a network with other labels, or none; None where nothing fits."""
    shape, own, array = tuple(variable.shape), ops.convert_to_numpy(variable), known.get(variable.path)
    layer, _, name = variable.path.rpartition("/")
    there, here = classes
    by_class = known.get(layer + LABELS[name]) if name in LABELS else None
    if by_class is not None and by_class.shape[1:] == shape:  # labels there, none here
        return by_class.mean(0)
    for plain, ending in LABELS.items():
        common = known.get(f"{variable.path.removesuffix(ending)}/{plain}")
        if variable.path.endswith(ending) and common is not None and shape == (here, *common.shape):
            return np.broadcast_to(common, shape)  # none there, labels here
    if array is None:
        return own  # a layer for labels alone
    if variable.path.endswith(VECTORS) and shape[1] == inputs[0] == inputs[1]:
        return own  # of a generator: on average they are nothing
    if name == "embeddings" and array.shape[1:] == shape[1:]:
        return np.broadcast_to(array.mean(0), shape)
    others = array.shape[-2] - inputs[0] if array.ndim >= 2 else 0  # those for labels come last
    if others > 0 and (*array.shape[:-2], others + inputs[1], array.shape[-1]) == shape:
        return np.concatenate([array[..., :others, :], own[..., others:, :]], axis=-2)
    has_a_number_for_each = array.shape[-1:] == (there,) and (*array.shape[:-1], here) == shape
    return own if has_a_number_for_each else None


def transfer_styles(source: keras.Model, target: keras.Model, repeated: bool = False) -> None:
    """Gives a `transform_net.transformer` the weights of another.

    Where the two have not as many styles, all of the new one's begin with the average of the other's scales and
    offsets, or if `repeated` with those of one after another, again and again. Raises `GessoError`, before anything
    is changed, if the networks do not fit.
    """
    values, shapes = source.get_weights(), [tuple(weight.shape) for weight in target.weights]
    if len(values) == len(shapes):
        pairs = zip(values, shapes, strict=True)
        values = [_of_other_styles(value, shape, repeated) for value, shape in pairs]
    if [value.shape for value in values] != shapes:
        raise GessoError(
            "model.start is a network of another width or depth than this one. Give model.width= and model.blocks= "
            "as it was trained with."
        )
    there, here = (
        sum(isinstance(layer, InstanceNormalization) for layer in network.layers) for network in (source, target)
    )
    if there != here:
        has = "all" if there > here else "first"
        raise GessoError(f"model.start is a network in which other layers are normalised: model.normalize={has}.")
    for variable, value in zip(target.weights, values, strict=True):
        variable.assign(value)


def _of_other_styles(value: np.ndarray, shape: tuple[int, ...], repeated: bool) -> np.ndarray:
    """Returns scales or offsets, a row a style, as those of another number of styles; any other value as it is."""
    others = value.ndim == len(shape) == 2 and value.shape[0] != shape[0] and value.shape[1] == shape[1]
    if not others:
        return value
    return np.resize(value, shape) if repeated else np.broadcast_to(value.mean(0), shape)


def freeze(discriminator: keras.Model, blocks: int) -> None:
    """Keeps the weights of a discriminator's lower blocks as they are (FreezeD, Mo et al. 2020, arXiv:2002.10964).

    A block is all that looks at one size of the picture, from the whole one down; of a residual one, both paths,
    up to where they meet. Normalisation goes on by the batch at hand. Raises `GessoError` where there are no such
    blocks, or no weights would be left to learn.
    """
    before = len(discriminator.trainable_variables)
    for layer, depth in (_depths(discriminator) if blocks else {}).items():
        if isinstance(layer, keras.Layer) and depth < blocks:
            for variable in layer.trainable_variables:  # not the layer: its statistics would be those of before
                variable.trainable = False
    if blocks and len(discriminator.trainable_variables) in (0, before):
        raise GessoError(f"model.freeze={blocks}: this discriminator has no such blocks, or no others.")


def _depths(network: keras.Model) -> dict[keras.Operation, int]:
    """Returns of each operation on pictures in which block it is: how often they were made smaller on the way."""
    reached = {id(tensor): 0 for tensor in network.inputs}
    depths, made_by = {}, {}
    for operation in network.operations:  # in the order of their work
        inputs, outputs = (keras.tree.flatten(part) for part in (operation.input, operation.output))
        if not inputs:
            continue
        depth = max(reached[id(tensor)] for tensor in inputs)
        side = max((tensor.shape[1] for tensor in inputs if len(tensor.shape) == 4), default=None)
        for tensor in outputs:
            made_by[id(tensor)] = operation
            reached[id(tensor)] = depth + (side is not None and len(tensor.shape) == 4 and tensor.shape[1] < side)
        if side is None:
            continue
        depths[operation] = depth
        paths = [_since_smaller(tensor, depths, reached, made_by) for tensor in inputs]
        apart = len(paths) > 1 and None not in paths and len({smaller for smaller, _ in paths}) == len(paths)
        if apart and {depths[smaller] for smaller, _ in paths} == {depth - 1}:  # two paths of one block
            depths |= {passed: depth - 1 for _, path in paths for passed in path}
    return depths


def _since_smaller(tensor, depths: dict, reached: dict, made_by: dict) -> tuple | None:
    """Returns what made pictures smaller and the operations from there to `tensor`; None where paths met since."""
    passed = []
    while True:
        operation = made_by.get(id(tensor))
        if operation is None or operation not in depths:
            return None
        if depths[operation] < reached[id(tensor)]:
            return operation, passed
        inputs = keras.tree.flatten(operation.input)
        if len(inputs) > 1:
            return None
        passed.append(operation)
        tensor = inputs[0]
