"""Command lines out of the real keys, and run directories of strangers: up to where TensorFlow starts.

A script's `main` is called in this process, with all that it does of its own: overrides read, checked, refused in
words. Where it would import TensorFlow, it is stopped.
"""

import functools
import importlib
import io
import json
import os
import random
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import damage
import samples
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from core import hardware
from core.checks import choices
from core.config import CONF, leaves
from core.errors import GessoError
from core.run import Run
from data import mnist, paintings

ROOT = CONF.parent
GROUPS = ("model", "loss", "penalty", "dataset", "experiment", "metrics", "features", "trainer")
# What the beginnings of good command lines are, in a folder as `_furnish` makes it.
BEGINNINGS = {
    "train": [
        ["dataset=image_folder", "dataset.root=pictures"],
        ["dataset=image_folder", "dataset.root=pictures", "batch_size=2", "model=mlp"],
        ["model=pix2pix", "dataset=edges", "dataset.root=pictures", "batch_size=1"],
        ["model=fast_style", "dataset=image_folder", "dataset.root=pictures", "model.style=a.png"],
        ["model=cyclegan", "dataset.a=pictures", "dataset.b=pictures", "batch_size=1"],
        ["dataset.num_images=8", "batch_size=4"], ["dataset=mnist", "dataset.root=."],
    ],
    "stylize": [
        ["content=a.png", "style=b.png"], ["content=pictures", "style=[a.png,b.png]", "method=nnst"],
        ["content=film.mp4", "network=stylizer.keras"], ["content=a.png", "network=translator.keras", "mask=b.png"],
        ["content=a.png", "style=b.png", "network=adain.keras"],
    ],
    "generate": [["network=generator.keras"], ["network=run"]],
    "evaluate": [
        ["network=generator.keras", "dataset=image_folder", "dataset.root=pictures"],
        ["images=pictures", "dataset=image_folder", "dataset.root=pictures"], ["images=pictures", "truth=pictures"],
        ["images=pictures", "content=pictures", "style=a.png"], ["network=run"],
    ],
    "explore": [["network=generator.keras", "dataset=image_folder", "dataset.root=pictures"], ["network=run"]],
    "compare": [["runs=."], ["runs=run"]],
}  # fmt: skip
OPTIONS = (
    [], ["model=progressive", "dataset=wikiart", "loss=wgan_gp", "penalty=[r1,drift]", "metrics=[fid,kid]"],
    ["model=pix2pix", "dataset=super_resolution", "loss=hinge"], ["model=fast_style", "dataset=image_folder"],
)  # fmt: skip
TEXTS = (
    "null", "true", "0", "1", "-1", "0.5", "1e-3", "1e400", "nan", "inf", "-inf", "2147483648", "9" * 400, "1_0",
    "''", '""', "[]", "{}", "[1,2]", "[a,b]", "[[1]]", "{a:1}", "{a:{b:1}}", "[null]", "a.png", "pictures",
    "film.mp4", "generator.keras", "stylizer.keras", "run", "nowhere", "a b", "a,b", "'a,b'", "${seed}",
    "${nowhere}", "${oc.env:HOME}", "$", "{", "]", "'", '"', "\\", "a=b", "=", "x" * 5000, "~", "@", "a@b", "a/b",
    "a:b", "%d", "64", "32", "16", "2", "5", "128", "[fid,kid]", "[fid]", "2024-01-01", "0x10", "1e3", "range(1,3)",
    "choice(a,b)", "glob(*)", "cast", "str(1)", "int(x)", "\x00", "\udcff", "a\nb", " ", "a#b", "日本",
    "🎨",
)  # fmt: skip
QUICK = ("image_size", "factor")  # large ones take long, as they were told to


class Enough(BaseException):
    """All checks that come before TensorFlow are passed."""


def command_lines(folder: Path, rng: random.Random) -> None:
    """A command line of a script, with one to three odd overrides."""
    script = rng.choice(("train", "train", "train", *BEGINNINGS))
    _furnish(folder)
    line = list(rng.choice(BEGINNINGS[script])) if rng.random() < 0.8 else []
    line += [_override(script, rng) for _ in range(rng.choice((1, 1, 2, 3)))]
    rng.shuffle(line)
    call(script, line, folder, really=rng.random() < 0.005)


def _override(script: str, rng: random.Random) -> str:
    """A key that there is, mostly, with a value that it may have, or that nothing may have."""
    keys, allowed = _keys(script)
    groups = [group for group in GROUPS if group in _groups(script)]
    if groups and rng.random() < 0.25:
        group = rng.choice(groups)
        options = [file.stem for file in (CONF / group).glob("*.yaml")]
        some = rng.choice(options) if rng.random() < 0.7 else rng.choice(TEXTS)
        return f"{group}={some}" if rng.random() < 0.8 else f"{group}=[{some},{rng.choice(options)}]"
    key = rng.choice(keys)
    value = str(rng.choice(allowed[key])) if key in allowed and rng.random() < 0.4 else rng.choice(TEXTS)
    if key.rpartition(".")[2] in QUICK and len(value) > 3:
        value = "48"
    match rng.randrange(40):
        case 0:
            return f"+{key}={value}"
        case 1:
            return f"~{key}"
        case 2:
            return key[:-1] + f"={value}"
        case 3:
            return f"++{key}.x={value}"
        case 4:
            return rng.choice((key, value or "=", f"{key}:={value}", f"{key}==", "--help", "--cfg=job"))
    return f"{key}={value}"


@functools.cache
def _keys(script: str) -> tuple[list[str], dict[str, list]]:
    """The keys of a script, whatever it is composed of, and what those with choices may be."""
    keys, allowed = set(), {}
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for options in OPTIONS if script == "train" else [[]]:
            config = compose(script, options)
            keys |= {key for key, _ in leaves(config) if not {"choices", "ranges", "inputs"} & set(key.split("."))}
            allowed |= choices(config)
    return sorted(keys - {"cache_dir"}), allowed


@functools.cache
def _groups(script: str) -> str:
    return (CONF / f"{script}.yaml").read_text()


@functools.cache
def _furniture() -> dict[str, bytes]:
    suffixes = {suffix: content for suffix, content in reversed(samples.pictures())}
    files = {"a.png": suffixes[".png"], "b.png": suffixes[".png"], "mnist.npz": samples.mnist()}
    files |= {f"pictures/{name}/{i}.jpg": suffixes[".jpg"] for name in ("cats", "dogs") for i in range(2)}
    files |= {f"{name}.keras": samples.card(name) for name in samples.CARDS}
    return (
        files
        | dict([next((f"film{suffix}", content) for suffix, content in samples.films())])
        | {f"run/{name}": content for name, content in _run().items()}
    )


def _furnish(folder: Path) -> None:
    for name, content in _furniture().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@functools.cache
def _run() -> dict[str, bytes]:
    """The files of a finished run, by name, but for checkpoints."""
    told = ["model=mlp", "dataset=image_folder", "dataset.root=pictures", "batch_size=2", "steps=10"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        from core.config import compose as composed

        config = composed("train", told)
    chosen = {"model": "mlp", "dataset": "image_folder", "penalty": [], "experiment": None, "loss": "minimax"}
    hydra = {"hydra": {"runtime": {"choices": chosen}, "job": {"name": "train"}, "overrides": {"task": told}}}
    values = {"sliced_wasserstein": 0.25, "generator_loss": 0.7}
    rows = [{"step": step, "images": 2 * step, "images_per_second": 9.5, **values} for step in range(1, 11)]
    objective = {"objective": "sliced_wasserstein", "settings": {"num": 4, "data": "0123456789abcdef"}}
    result = objective | {"modes": {"sliced_wasserstein": "min"}, "step": 10, "values": values, "overrides": told}
    data = {"name": "pictures", "classes": ["cats", "dogs"], "num": 4, "fingerprint": "0123456789abcdef"}
    run = Run(Path())
    files = {
        run.config: OmegaConf.to_yaml(config), run.overrides: OmegaConf.to_yaml(told),
        run.hydra: OmegaConf.to_yaml(hydra), run.data: json.dumps(data), run.result: json.dumps(result),
        run.metrics: "".join(json.dumps(row) + "\n" for row in rows),
        run.best_score: json.dumps(objective | {"step": 10, "value": 0.25}),
        run.restart_scores: json.dumps({"objective": "kid", "chosen": 1, "scores": {"1": 0.5, "2": None}}),
        run.log: "[2026-01-01 00:00:00,000][core.cli][ERROR] Error: batch_size=2: nothing\n",
    }  # fmt: skip
    return {str(path): text.encode() for path, text in files.items()} | {
        str(run.network("generator")): samples.card("generator")
    }


def run_directories(folder: Path, rng: random.Random) -> None:
    """A run directory of a stranger, to be gone on with, evaluated, compared, drawn from."""
    _furnish(folder)
    run = Run(folder / "run")
    files = [file for file in _run() if not file.endswith(".keras")]
    files += 3 * [file for file in files if file.endswith(".yaml")]  # they can do most
    for name in {rng.choice(files) for _ in range(rng.choice((1, 1, 2)))}:
        path = run.folder / name
        how = {".yaml": damage.of_yaml, ".json": damage.of_json, ".jsonl": damage.of_rows}
        path.write_bytes(how.get(path.suffix, damage.of_bytes)(_run()[name], rng))
    _read_each(run)
    line = rng.choice(
        (
            ("train", "resume=run"), ("train", "resume=run", "steps=20"), ("train", "resume=run", "loss=hinge"),
            ("evaluate", "network=run"), ("evaluate", "network=run/generator.keras"), ("explore", "network=run"),
            ("generate", "network=run", "label=cats"), ("compare", "runs=."), ("compare", "runs=.", "by=step"),
        )
    )  # fmt: skip
    call(line[0], list(line[1:]), folder)


def _read_each(run: Run) -> None:
    """Reads all that is read of a run later than a script's checks: by training, and at its end."""
    from core import results, rows
    from training.data_record import _listed

    def data() -> None:
        _listed(run.load_data()["classes"])

    for read in (run.load_config, run.load_overrides, run.load_data, run.told, data):
        with suppress(GessoError):
            read()
    step, values = results.last_values(run)
    assert isinstance(step, int) and all(isinstance(key, str) for key in values)
    rows.cut(run.metrics, 5, 2, lambda row: "images_per_second" in row)
    assert all(row["step"] <= 5 for row in rows.read(run.metrics) if "images_per_second" in row)
    result = results.read_result(run)
    assert result is None or result["values"][result["objective"]] is not None


def call(script: str, line: list[str], folder: Path, really: bool = False) -> None:
    """Calls a script as if by a command line, in a folder. Raises `GessoError` where it refuses."""
    _stop_before_what_is_slow()
    module, before = importlib.import_module(script), _listing(folder)
    os.environ.pop("HYDRA_FULL_ERROR", None)
    sys.argv = [str(ROOT / f"{script}.py"), *line]
    os.chdir(folder)
    said, code = io.StringIO(), 0
    try:
        with redirect_stderr(said), redirect_stdout(io.StringIO()):
            getattr(module, script)()
    except Enough:
        return
    except SystemExit as end:
        code = end.code or 0
    finally:
        os.chdir(ROOT)
    if code == 0:
        return
    message = said.getvalue()
    if code == 2 and message.startswith("usage: "):  # Python's own way with `--options`
        raise GessoError(message)
    assert code == 1 and message.count("Error: ") == 1 and "Traceback" not in message, (code, message[-3000:])
    left = {name for name in _listing(folder) - before if not name.startswith("cache")}
    assert not left, f"refused, and it leaves {sorted(left)}"
    if really:
        os.environ.pop("HYDRA_FULL_ERROR", None)
        done = subprocess.run([sys.executable, *sys.argv], cwd=folder, capture_output=True, timeout=180)
        assert done.returncode == 1 and b"Traceback" not in done.stderr, done.stderr[-3000:]
    raise GessoError(message)


@functools.cache
def _stop_before_what_is_slow() -> None:
    """Ends scripts where TensorFlow would be imported; nothing is downloaded, and only a few are painted."""

    def enough(*_) -> None:
        raise Enough

    @functools.wraps(paintings.load)
    def few(*given, num_images: int = 8000, **more):
        return load(*given, num_images=32 if type(num_images) is int and num_images > 32 else num_images, **more)

    def no_network(*_, **__) -> None:
        raise OSError("no network")

    load, paintings.load, mnist.urlopen = paintings.load, few, no_network
    hardware.set_up = hardware.load_tensorflow = enough


def _listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
