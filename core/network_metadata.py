"""Metadata of a trained network: what it does, how it goes over pictures, and where it comes from."""

import json
import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from core.class_names import wholes
from core.vocabulary import Vocabulary

KINDS = ("generator", "stylizer", "translator", "text_encoder")
BESIDE = "discriminator"  # a kind that makes no pictures: what a generator's training goes on with
PLAIN = re.compile(r"[\w.,+-]*")  # values of an architecture that are text: names
TEXTS = ("classes", "styles", "words", "sentences", "command")  # what is lists of texts
LISTS = (*TEXTS, "shares")
# Of a network's geometry, in px: pictures are padded to strides, and by edges, whatever a stranger's file says.
BOUNDS = {"stride": (1, 4096), "reach": (0, 4096), "edge": (0, 1024), "tile": (1, 2**15), "scale": (1, 16)}
FEW = 30  # classes that a line names
TASKS = {  # of translators, in words
    "inpaint": "fills holes; mask=<picture, white where they are>", "colorize": "colours what is grey",
    "edges": "paints drawings", "super_resolution": "makes pictures larger",
}  # fmt: skip


@dataclass(frozen=True)
class Geometry:
    """Sizes that say how a network may be given a picture that is larger than its memory.

    Attributes:
        stride: what sides of pictures must be multiples of, in px.
        reach: how many px each way a pixel of the result depends on, beside statistics of the whole picture.
        edge: px of its mirror image that a picture is to be given all round.
        tile: px, side of the largest square result that is best painted whole; None: the usual.
        scale: how many times larger than its picture the result is.
    """

    stride: int = 1
    reach: int = 0
    edge: int = 0
    tile: int | None = None
    scale: int = 1

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least, most = BOUNDS[name]
            if not (name == "tile" and value is None) and not (_is_int(value) and least <= value <= most):
                raise ValueError(f"{name} is {value!r}, not a whole number from {least} to {most}")


@dataclass(frozen=True)
class Metadata:
    """Facts of a trained network: what it does, and where it comes from.

    Attributes:
        kind: generator, from a latent (and a label, or a sentence); stylizer or translator, from a picture;
            text_encoder, from a sentence and a picture; discriminator.
        method: of a stylizer or translator, the one of `stylization.methods` that paints with it.
        task: of a translator, what its sources were made by (`data.tasks`); None: pictures as they are.
        image_size: px, side of the pictures that it learned from.
        classes: that a generator takes labels of, in their order.
        shares: how often it has seen each of its classes, to a sum of 1; empty: equally often, or nobody knows.
        styles: that a stylizer has learned, by the names of their files.
        geometry: of a network from pictures to pictures.
        words: that a network understands, in the order of their numbers, in sentences of `sentence_length` at most.
        sentences: such as it has learned from.
        model, config_sha256, step, software: what trained it, how, for how long, and with which version.
        architecture: the keys below `model.` that it, and its discriminator, are built by, with their values.
        images: that it has seen in training.
        command: the overrides of the command line that trained it.
    """

    kind: str
    method: str | None = None
    task: str | None = None
    image_size: int | None = None
    classes: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    styles: tuple[str, ...] = ()
    geometry: Geometry | None = None
    words: tuple[str, ...] = ()
    sentence_length: int | None = None
    sentences: tuple[str, ...] = ()
    model: str | None = None
    config_sha256: str | None = None
    step: int | None = None
    software: str | None = None
    architecture: dict[str, Any] = field(default_factory=dict)
    images: int | None = None
    command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in (*KINDS, BESIDE):
            raise ValueError(f"kind is {self.kind!r}, not one of {', '.join(KINDS)}")
        for name in ("method", "task", "model", "config_sha256", "software"):
            if not (getattr(self, name) is None or _is_text(getattr(self, name))):
                raise ValueError(f"{name} is not text")
        for name in ("image_size", "sentence_length", "step", "images"):
            value = getattr(self, name)
            if value is not None and not (_is_int(value) and value >= 0):
                raise ValueError(f"{name} is {value!r}, not a whole number")
        for name in TEXTS:
            if not all(map(_is_text, getattr(self, name))):
                raise ValueError(f"{name} are not all text")
        if self.shares and not (len(self.shares) == len(self.classes) and _sum_to_one(self.shares)):
            raise ValueError("shares are not as many numbers as there are classes, to a sum of 1")
        for key, value in self.architecture.items():  # they become overrides
            plain = isinstance(value, str) and PLAIN.fullmatch(value)
            if not (re.fullmatch(r"[a-z]\w*", key) and (plain or isinstance(value, bool | int | float | None))):
                raise ValueError(f"{key}={value!r} is nothing that networks are built by")
        if self.words or self.kind == "text_encoder":
            Vocabulary(self.words, self.sentence_length or 0)
        if self.kind in ("stylizer", "translator") and (self.method is None or self.geometry is None):
            raise ValueError(f"a {self.kind} needs a method and a geometry")

    def in_words(self) -> str:
        """Says in a line what the network does."""
        if self.kind == "generator":
            size = f"pictures of {self.image_size} px" if self.image_size else "pictures"
            if self.words:
                return f"{size}; text=<words>" + (f", such as {self.sentences[0]}" if self.sentences else "")
            if not self.classes:
                return size
            kinds = wholes(self.classes)
            more = f" and {len(kinds) - FEW} others" if len(kinds) > FEW else ""
            parts = f", of {len(self.classes)} clusters" if len(kinds) < len(self.classes) else ""
            return f"{size}; label={', '.join(kinds[:FEW])}{more}{parts}"
        if self.kind == "text_encoder":
            return f"reads {len(self.words)} words"
        if self.kind == "translator":
            return TASKS.get(self.task, "translates pictures")
        if not self.styles:
            return "paints in any style=<painting>"
        return f"paints; style={', '.join(self.styles)}" if len(self.styles) > 1 else f"paints as {self.styles[0]}"

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The words that it understands; None for a network without."""
        return Vocabulary(self.words, self.sentence_length) if self.words else None

    def to_json(self) -> str:
        """Returns the text that `from_json` reads."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "Metadata":
        """Reads metadata, passing over keys that this version does not know. Raises `ValueError`."""
        values = json.loads(text)
        if not isinstance(values, dict) or "kind" not in values:
            raise ValueError("it does not say what kind of network this is")
        known = _known(cls, values)
        if known.get("geometry") is not None:
            known["geometry"] = Geometry(**_known(Geometry, known["geometry"]))
        if not isinstance(known.get("architecture", {}), dict):
            raise ValueError("architecture is no group of values")
        for name in LISTS:
            if not isinstance(known.get(name, []), list):
                raise ValueError(f"{name} are no list")
            known[name] = tuple(known.get(name, ()))
        return cls(**known)


def _known(kind: type, values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise ValueError(f"{values!r} is no group of values")
    return {field.name: values[field.name] for field in fields(kind) if field.name in values}


def _sum_to_one(values: tuple) -> bool:
    plain = all(isinstance(value, float | int) and 0 <= value <= 1 for value in values)
    return plain and abs(sum(values) - 1) < 1e-6


def _is_text(value: Any) -> bool:
    # JSON can write halves of characters, `"\ud800"`, which no file and no terminal takes.
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
