"""Who may import whom: the plan of the house, read from the code. Imports inside functions count."""

import ast
from collections.abc import Iterator
from pathlib import Path

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
}  # fmt: skip
WITHOUT_HYDRA = ("losses", "metrics", "models", "data")


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


def _files() -> Iterator[tuple[Path, str]]:
    for top in {package.split(".")[0] for package in MAY_USE}:
        for file in sorted((ROOT / top).rglob("*.py")):
            yield file, _package(".".join(file.relative_to(ROOT).with_suffix("").parts))


def _package(module: str) -> str | None:
    """The longest name in the plan that a module's begins with; None for modules that are not ours."""
    found = [name for name in MAY_USE if module == name or module.startswith(f"{name}.")]
    return max(found, key=len, default=None)


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
