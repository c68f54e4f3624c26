"""The pages that people read: links lead somewhere, and command lines have keys that exist."""

import re
import shlex
from functools import cache
from pathlib import Path

import hydra
import pytest
from omegaconf import DictConfig, OmegaConf

from core import config
from core.checks import check_values
from core.start import train_arguments

ROOT = Path(__file__).resolve().parent.parent
CONF = ROOT / "conf"
GUIDES = sorted((ROOT / "docs").glob("*.md"))
CARDS = sorted((ROOT / "zoo").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *GUIDES, *CARDS]
OWN = "mine"  # what pages call a file of the reader's own
COMPOSE = config.compose
SHORTENED = ("...", "…")  # stands for what the command before it says


def by_page(pages: list[Path]):
    return pytest.mark.parametrize("page", pages, ids=[page.name for page in pages])


@by_page(PAGES)
def test_links_resolve(page: Path):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            broken.append(target)
    assert broken == []


@by_page(PAGES)
def test_files_that_are_named_exist(page: Path):
    named = {word for span in _spans(page) for word in re.findall(r"[\w/]+/\w+\.(?:py|yaml)\b", span)}
    scripts = {command[0] for command in _commands(page)}
    known = {"conf/local/default.yaml"}  # the reader's, never committed
    names = sorted((named | scripts) - known)
    assert [name for name in names if OWN not in name and not (ROOT / name).exists()] == []


@by_page(GUIDES)
def test_a_guide_begins_with_a_command_that_works_as_it_stands(page: Path):
    first = next(line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("    "))
    assert first.split()[0] in ("python", "make")
    assert "<" not in first
    for key, value in (argument.split("=", 1) for argument in shlex.split(first) if "=" in argument):
        assert key not in ("content", "style", "dataset.root") or (ROOT / value).exists()


@by_page(PAGES)
def test_keys_of_command_lines_exist(page: Path, hydra_conf: None):
    wrong = []
    for script, *arguments in _commands(page):
        if not (CONF / script).with_suffix(".yaml").is_file() or OWN in "".join(arguments):
            continue
        if _trains_once(script, arguments):
            continue  # the next test's
        pairs = [argument.lstrip("+~").split("=", 1) for argument in arguments if "=" in argument]
        pairs = [(key, value) for key, value in pairs if not key.startswith(("hydra.", "hydra/"))]
        groups = {key: value for key, value in pairs if (CONF / key).is_dir()}
        if script in ("evaluate.py", "explore.py"):
            groups.setdefault("dataset", "image_folder")  # as the run that is named has one
        for choice in _choices(groups, "-m" in arguments):
            known = _keys(script.removesuffix(".py"), choice)
            wrong += [f"{script}: {key}" for key, _ in pairs if key not in groups and key not in known]
    assert wrong == []


@by_page(PAGES)
def test_trainings_are_accepted(page: Path, hydra_conf: None, monkeypatch):
    monkeypatch.setattr(config, "compose", lambda script, groups: _composed(script, tuple(groups)))
    wrong = []
    for script, *arguments in _commands(page):
        if not _trains_once(script, arguments):
            continue
        given = [word for word in arguments if "=" in word and not word.startswith(("hydra.", "hydra/"))]
        try:
            if "model.start=placeholder" not in given:
                given = train_arguments(given)
            whole = hydra.compose("train", given, return_hydra_config=True)
            groups = dict(whole.hydra.runtime.choices)
            own = OmegaConf.masked_copy(whole, [key for key in whole if key != "hydra"])
            config.check_types(own, "train", groups)
            check_values(own)
        except Exception as error:
            wrong.append(f"{' '.join(arguments)}: {error}")
    assert wrong == []


@by_page(PAGES)
def test_keys_that_the_text_names_exist(page: Path):
    text = "".join(file.read_text(encoding="utf-8") for file in CONF.rglob("*.yaml"))
    known = set(re.findall(r"(?m)^\s*([a-z]\w*):", text)) | {"hydra", "launcher", "n_jobs"}
    wrong = []
    for span in _spans(page):
        if span == "key=value" or "(" in span:
            continue
        given = re.findall(r"(?<![\w.-])([a-z_]+(?:[./]\w+)*)=", span)
        given += re.findall(r"^(?:model|loss|dataset|trainer|gatys)(?:\.\w+)+", span)
        for key in given:
            if not (CONF / key).is_dir() and not key.startswith("hydra") and key.rpartition(".")[2] not in known:
                wrong.append(key)
    assert wrong == []


def _trains_once(script: str, arguments: list[str]) -> bool:
    """Whether a command line can be composed as it stands: no sweep, no resumed run, no file of the reader's."""
    line = " ".join(arguments)
    return script == "train.py" and "-m" not in arguments and OWN not in line and "resume=" not in line


@pytest.fixture(scope="module")
def hydra_conf():
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def _anchors(file: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", file.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _blocks(page: Path) -> list[str]:
    """The indented blocks of a page."""
    return re.findall(r"(?m)(?:^    .*\n)+", page.read_text(encoding="utf-8"))


def _spans(page: Path) -> list[str]:
    """What stands in backticks within a text."""
    text = re.sub(r"(?ms)^```.*?^```", "", page.read_text(encoding="utf-8"))
    return re.findall(r"`([^`]+)`", text)


def _commands(page: Path) -> list[list[str]]:
    """Script and arguments of each command line of a page; placeholders are a word, shortened ones made whole."""
    found = []
    for block in [*_blocks(page), *(span for span in _spans(page) if span.startswith("python "))]:
        before: list[str] = []
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(re.sub(r"<[^<>]+>", "placeholder", line), comments=True)
            if words[:2] == ["make", "train"]:
                words = ["python", "train.py", *(word for text in words[2:] for word in text[5:].split())]
            if len(words) < 2 or words[0] != "python" or not words[1].endswith(".py"):
                continue
            goes_on = any(word in SHORTENED or word.startswith("resume=") for word in words)
            before = [words[1], *(before[1:] if goes_on else []), *words[2:]]
            found.append(before)
    return found


def _choices(groups: dict[str, str], sweep: bool) -> list[tuple[str, ...]]:
    """What is composed for a command's groups; of a sweep, each of the values that one takes in turn."""
    swept = next((key for key, value in groups.items() if sweep and "," in value and "[" not in value), None)
    values = groups[swept].split(",") if swept else [None]
    return [tuple(f"{key}={value if key == swept else given}" for key, given in groups.items()) for value in values]


@cache
def _composed(script: str, groups: tuple[str, ...]) -> DictConfig:
    """A script's configuration as its groups alone have it, with which values are compared: not to be changed."""
    return COMPOSE(script, list(groups))


@cache
def _keys(script: str, groups: tuple[str, ...]) -> set[str]:
    """All keys of a script's configuration, those of whole mappings included."""
    found = [key for key, _ in config.leaves(hydra.compose(script, list(groups)))]
    return {".".join(key.split(".")[:depth]) for key in found for depth in range(1, key.count(".") + 2)}
