"""How well `generate.py negative=` keeps a colour away: the share of pictures in it, and how many keep their style.

    python benchmarks/negative_words.py --network words --reader <a text encoder that it has not learned from>

Each of the built-in styles is asked for by its name alone; of the colours that at least a tenth of these pictures
are in, each is then what is not wanted. Which colour and style a picture is in, the reader says.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from core import hardware
from core.network_file import find_network
from evaluation.attributes import GROUPS
from models import latent, trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="words", help="a generator that understands words")
    parser.add_argument("--reader", required=True, help="a text encoder that judges: a run, or its file")
    parser.add_argument("--num", type=int, default=128, help="pictures of each kind")
    options = parser.parse_args()
    hardware.load_tensorflow()
    from models.words import Words, steered

    generator, metadata = trained.load(find_network(options.network, kinds=["generator"]), "generator")
    reader, painter = trained.parts(generator)
    judge = Words.load(options.reader)
    latents = latent.sample(1, options.num, trained.latent_dim(painter), None)
    known = set(metadata.words)
    colors = [color for color in GROUPS["color"][0] if color in known]
    (styles,) = GROUPS["style"]
    of_styles = judge.vectors(styles).T

    def read(text: str) -> np.ndarray:
        return np.asarray(reader(metadata.vocabulary.tokens([text]), training=False))

    def look(vector: np.ndarray, style: str) -> tuple[np.ndarray, float]:
        """The share of pictures in each colour, and of those in the style."""
        images = trained.draw(painter, latents, np.repeat(vector, options.num, axis=0))
        seen = judge.look(np.clip(images, -1, 1))
        in_color = (seen @ judge.vectors([f"{color} {style}" for color in colors]).T).argmax(axis=1)
        in_style = (seen @ of_styles).argmax(axis=1) == styles.index(style)
        return np.bincount(in_color, minlength=len(colors)) / options.num, float(np.mean(in_style))

    rows = []
    for style in styles:
        if not known.issuperset(style.split()):
            continue
        asked = read(style)
        before, kept_before = look(asked, style)
        for number in np.flatnonzero(before >= 0.1):
            after, kept = look(steered(asked, read(colors[number])), style)
            rows.append((before[number], after[number], kept_before, kept))
            print(f"{style:20} negative={colors[number]:10}", *(f"{value:6.2f}" for value in rows[-1]), flush=True)
    print(f"{'mean':20} of {len(rows):16}", *(f"{value:6.3f}" for value in np.mean(rows, axis=0)))
    print("in that colour before and after, in the style before and after")


if __name__ == "__main__":
    main()
