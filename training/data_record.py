"""A record of a run's data, kept beside its checkpoints, so that a resume notices what has become of them."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from core.errors import GessoError
from core.files import write_json
from core.run import Run
from data import Dataset
from data.dataset import digest

log = logging.getLogger(__name__)


def check(
    run: Run,
    dataset: Dataset,
    conditional: bool,
    words: Sequence[str] = (),
    styles: Mapping[str, str] | None = None,
) -> None:
    """Compares a data set with the one that a run was trained on so far, if it was.

    Warns of what is another one. Raises `GessoError` for changed classes of a model that learns from them
    (`conditional`), and for captions of other `words`, or other `styles`, than a model has numbered (`words_of`,
    `styles_of`): its labels, or words, would mean something else from then on.
    """
    if not run.has_checkpoints:
        return
    if not run.data.is_file():
        if words or conditional:
            raise GessoError(
                f"{run.data} is missing: without it nobody knows which {'words' if words else 'classes'} the model "
                "learned. Put it back, or start a new run."
            )
        log.warning("%s is missing: it is not known whether the data are those of before.", run.data)
        return
    before, now = run.load_data(), record(dataset, words)
    if words and before.get("words", now["words"]) != now["words"]:
        raise GessoError(
            f"{run.folder} learned to read other words than {dataset.spec.name} now has, or in another order: they "
            "would come to mean something else. Give it the captions as they were, or start a new run."
        )
    learned = before.get("styles", styles)
    if styles and list(learned) != list(styles):
        raise GessoError(
            f"{run.folder} learned the styles {_listed(list(learned))}, and model.style= now has "
            f"{_listed(list(styles))}: one would be taken for another. Give it those, or start a new run."
        )
    for name in styles or ():
        if styles[name] != learned[name]:
            log.warning("The style %s is not the picture that %s was trained on so far.", name, run.folder)
    if conditional and before["classes"] != now["classes"]:
        raise GessoError(
            f"{run.folder} learned the classes {_listed(before['classes'])}, and {dataset.spec.name} now has "
            f"{_listed(now['classes'])}: labels would come to mean something else. Give it the pictures as they "
            "were, or start a new run."
        )
    if before["fingerprint"] != now["fingerprint"]:
        log.warning(
            "The files of the data are not those that %s was trained on so far, or were copied since (%s pictures "
            "then, %d now); going on with what is here.",
            run.folder, before["num"], now["num"],
        )  # fmt: skip


def words_of(model: keras.Model) -> Sequence[str]:
    """Returns the words that a model has numbered by its data's captions; none where it has none of its own."""
    vocabulary = getattr(model, "vocabulary", None)
    return () if vocabulary is None else vocabulary.words


def styles_of(model: keras.Model) -> dict[str, str]:
    """Returns the paintings that a model has numbered, by name a hash of each; none where it has none."""
    pictures = zip(getattr(model, "style_names", ()), getattr(model, "styles", ()), strict=True)
    return {name: hashlib.sha256(picture.numpy().tobytes()).hexdigest()[:16] for name, picture in pictures}


def write(run: Run, dataset: Dataset, words: Sequence[str] = (), styles: Mapping[str, str] | None = None) -> None:
    """Writes what the data of a run is from now on, and which `words` and `styles` the model has numbered."""
    write_json(run.data, record(dataset, words, styles), ensure_ascii=False)


def record(dataset: Dataset, words: Sequence[str] = (), styles: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Returns what is kept of a data set: name, classes, number of pictures, fingerprint; of `words` a digest, and
    `styles` as they are."""
    spec = dataset.spec
    facts = {
        "name": spec.name, "classes": list(spec.class_names), "num": len(dataset),
        "fingerprint": dataset.fingerprint,
    }  # fmt: skip
    facts |= {"words": digest(list(words))} if words else {}
    return facts | ({"styles": dict(styles)} if styles else {})


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:6]) or "none"
    return f"{shown}, ... ({len(names)})" if len(names) > 6 else shown
