"""Who may import whom: the plan of the house, read from the code. Imports inside functions count."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAY_USE = {
    "core": {"core"},
    "losses": {"losses"},
    "data": {"data", "core"},
    "models.layers": {"models.layers"},
    "models.networks": {"models.networks", "models.layers", "core"},
    "models": {"models", "models.layers", "models.networks", "core", "losses"},
    "metrics": {"metrics", "models", "models.layers", "models.networks", "core"},
    "stylization": {"stylization", "models", "models.layers", "models.networks", "core", "losses", "data"},
    "evaluation": {"evaluation", "models", "models.layers", "models.networks", "core", "data", "metrics"},
    "training": {
        "training", "models", "models.layers", "models.networks", "core", "data", "metrics", "evaluation",
    },
    "page": {"page", "stylization", "models", "models.layers", "models.networks", "core", "data"},
}  # fmt: skip
WITHOUT_HYDRA = ("losses", "metrics", "models", "data")
WITH_GRADIO = ("page/app.py", "page/easel.py", "page/widgets.py", "page/*_tab.py")

# The names in a run directory: `core/run.py` knows them, nobody else.
FILES = {
    ".hydra", "config.yaml", "hydra.yaml", "overrides.yaml", "train.log", "data.json",
    "metrics.jsonl", "result.json", "score.json", "scores.json", "reals.png", "generator.keras",
    "stylizer.keras", "translator.keras",
}  # fmt: skip
FOLDERS = {"tensorboard", "samples", "checkpoints", "best", "restarts"}  # as words, these mean other things, too
OF_PATHS = {"Path", "joinpath", "glob", "rglob", "with_name", "with_stem", "relative_to", "is_relative_to"}


def test_everyone_imports_only_what_the_plan_allows():
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file, package in _files()
        for module in _imports(file)
        if (other := _package(module)) is not None and other not in MAY_USE[package]
    ]
    assert wrong == []


def test_losses_metrics_models_and_data_know_nothing_of_hydra():
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file, package in _files()
        if package.split(".")[0] in WITHOUT_HYDRA
        for module in _imports(file)
        if module.split(".")[0] == "hydra"
    ]
    assert wrong == []


def test_gradio_is_known_to_what_draws_the_page_alone():
    knowing = {file for file in _sources() for module in _imports(file) if module.split(".")[0] == "gradio"}
    assert knowing == {file for pattern in WITH_GRADIO for file in ROOT.glob(pattern)}


def test_no_import_is_relative():
    """Its module would be none of ours to the tests here."""
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in _sources()
        for module in _imports(file)
        if module.startswith(".")
    ]
    assert wrong == []


def test_the_layout_of_a_run_directory_is_spelt_in_one_place():
    wrong = [
        f"{file.relative_to(ROOT)}:{line} spells {name}"
        for file in _sources()
        if file != ROOT / "core" / "run.py"
        for line, name in _spelt(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("code", "spelt"),
    [
        ('folder / "metrics.jsonl"', True),
        ('open(f"{folder}/best/score.json")', True),
        ('run = folder / "checkpoints"', True),
        ('folder.glob("checkpoints/*.npz")', True),
        ('"restarts" in path.parts', True),
        ('path.name == "best"', True),
        ('path / f"step_{step:08d}.npz"', True),
        ('path / f"{name}.keras"', True),
        ('folder.joinpath("samples", name)', True),
        ('tf.summary.image("samples", sheet)', False),
        ('config["restarts"]', False),
        ('raise GessoError("The checkpoints in metrics.jsonl are kept.")', False),
        ('"""Writes metrics.jsonl."""', False),
        ('path.suffix == ".keras"', False),
    ],
)
def test_what_counts_as_spelling_it(code, spelt):
    assert bool(list(_spelt(ast.parse(code)))) == spelt


def _sources() -> Iterator[Path]:
    """All that is ours and no test, `benchmarks/` and the scripts among it."""
    for folder in (ROOT, *(path for path in ROOT.iterdir() if path.is_dir())):
        if not folder.name.startswith(".") and folder.name not in ("tests", "outputs", "build"):
            yield from sorted(folder.glob("*.py") if folder == ROOT else folder.rglob("*.py"))


def _spelt(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The names of a run directory's layout in a piece of code, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            parts = set(node.value.split("/"))
            names = FILES | FOLDERS if len(parts) > 1 and " " not in node.value else FILES
            yield from ((node.lineno, name) for name in names & parts)
        used = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            used = [node.left, node.right]
        elif isinstance(node, ast.Compare):
            used = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and OF_PATHS & {getattr(node.func, key, None) for key in ("id", "attr")}:
            used = node.args
        for part in used:
            if isinstance(part, ast.Constant) and part.value in FOLDERS:
                yield part.lineno, part.value
            if isinstance(part, ast.JoinedStr):
                text = "".join(value.value if isinstance(value, ast.Constant) else "*" for value in part.values)
                if text.startswith("step_") or text.endswith(".keras"):
                    yield part.lineno, text


def _files() -> Iterator[tuple[Path, str]]:
    for top in {package.split(".")[0] for package in MAY_USE}:
        for file in sorted((ROOT / top).rglob("*.py")):
            yield file, _package(".".join(file.relative_to(ROOT).with_suffix("").parts))


def _package(module: str) -> str | None:
    """The longest name in the plan that a module's begins with; None for modules that are not ours."""
    found = [name for name in MAY_USE if module == name or module.startswith(f"{name}.")]
    return max(found, key=len, default=None)


@cache
def _imports(file: Path) -> list[str]:
    """The names that a file imports; relative ones begin with dots."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            found += [f"{base}.{alias.name}" for alias in node.names]
    return found
