"""Networks that come with Gesso, in `zoo/`: each a `.keras` file, by whose name it is called, and a card.

A GAN's discriminator, from which one of a user's own pictures goes on, lies in `discriminators/` beside the
generator, by the same name.
"""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "zoo"
DISCRIMINATORS = "discriminators"


def networks() -> dict[str, Path]:
    """Finds the networks by their names, sorted."""
    files = sorted(file for file in FOLDER.glob("*.keras") if not file.name.startswith("."))
    return {file.stem: file for file in files}


def network(name: str) -> Path:
    """Returns the file of a network, whether it is there yet or not."""
    return (FOLDER / name).with_suffix(".keras")


def card(network: Path) -> Path:
    """Returns the file of what is to be known of a network: how it came to be, how good it is, its terms."""
    return network.with_suffix(".md")


def discriminator(generator: Path) -> Path:
    """Returns the file of the discriminator that trained a generator, whether it is there or not."""
    return generator.parent / DISCRIMINATORS / generator.name
