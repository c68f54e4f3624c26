"""Images/s of the image transformation network, painting and training, beside the same network in PyTorch.

    pip install -e '.[benchmarks]'      # PyTorch; its CPU build is enough
    python benchmarks/transformer.py --weights <VGG16 file> [--rounds 2] [--seconds 8]

Painting is one picture at a time, from NumPy and back, at 512 and at 1,024 px; training is the step of fast style
transfer (Johnson et al. 2016) on batches of 4 at 256 px, VGG16 as loss network and Adam included. Without --weights
it is left out. Gesso is `models.networks.transform_net` with its defaults, in the precision it takes by itself.

PyTorch runs the same layers with its defaults, which is float32, and at its best: bfloat16 by autocast, with malloc
told to keep large blocks rather than hand them back and fetch them anew, and once with channels last. All have the
same number of threads. First of all, both networks get the same weights and paint and learn in float32: the
difference is printed, and a large one is an error. Each measurement is a process of its own, in turns, and the best
round of each counts, so that a busy moment of the machine harms all alike.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

VARIANTS = ("gesso", "torch", "torch bfloat16", "torch bfloat16 channels-last")
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
    "MALLOC_TOP_PAD_": str(2**28),
}
WIDTH, BLOCKS = 32, 5
LEARNING_RATE = 1e-3
CHECKED = 64  # px of the pictures by which the two are compared
LIMIT = 1e-3  # of the difference between two pictures, in [-1, 1]


def pictures(batch: int, size: int) -> np.ndarray:
    """Random ones, float32 `[batch, size, size, 3]` in [-1, 1], the same every time."""
    return np.random.default_rng(size).uniform(-1, 1, (batch, size, size, 3)).astype(np.float32)


def gesso_painter(options: argparse.Namespace, size: int):
    """Returns a function that paints one picture."""
    from stylization.feedforward import Feedforward

    image = pictures(1, size)[0]
    network = gesso_network(options)
    run = Feedforward(network, network.geometry, tile=size)
    return lambda: run(image)


def gesso_trainer(options: argparse.Namespace, size: int, batch: int):
    """Returns a function that trains one step and gives its loss."""
    import keras
    import tensorflow as tf

    from models.fast_style import FastStyle
    from models.perceptual import Perceptual

    model = FastStyle(lambda styles: gesso_network(options), {"style": pictures(1, size + 16)[0]})
    model.compile(keras.optimizers.Adam(LEARNING_RATE), Perceptual(weights=options.weights))
    data = iter(tf.data.Dataset.from_tensors({"image": pictures(batch, size)}).repeat())
    model.make_train_function()

    def step() -> float:
        model.reset_metrics()  # else they are means of all steps so far
        model.train_function(data)
        return float(model.logs["total_loss"])

    return step


def gesso_network(options: argparse.Namespace):
    """With the weights in the folder if there are any, else with new ones, which it leaves there."""
    import keras

    from models.networks import transform_net

    keras.utils.set_random_seed(0)
    network = transform_net.transformer(WIDTH, BLOCKS)
    path = options.folder / "weights.npz"
    if path.exists():
        with np.load(path) as file:
            network.set_weights([file[name] for name in file.files])
        return network
    # Scales of one and offsets of zero would hide it if they were mistaken for each other, or left out.
    random = np.random.default_rng(0)
    weights = [w + random.normal(0, 0.02, w.shape).astype(np.float32) for w in network.get_weights()]
    np.savez(path, *weights)
    network.set_weights(weights)
    return network


def torch_painter(options: argparse.Namespace, size: int, bfloat16: bool, channels_last: bool):
    """Returns a function that paints one picture."""
    import torch

    network, layout = torch_network(options, channels_last), torch_layout(channels_last)
    image = pictures(1, size)[0]

    def paint() -> np.ndarray:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            batch = torch.from_numpy(image).permute(2, 0, 1)[None].contiguous(memory_format=layout)
            return network(batch)[0].float().permute(1, 2, 0).contiguous().numpy()

    return paint


def torch_trainer(options: argparse.Namespace, size: int, batch: int, bfloat16: bool, channels_last: bool):
    """Returns a function that trains one step and gives its loss."""
    import torch
    from gatys import CONTENT, STYLE, STYLE_WEIGHT, torch_encoder, torch_gram, torch_style_loss

    network, layout = torch_network(options, channels_last), torch_layout(channels_last)
    encode = torch_encoder(options.weights, channels_last)
    images, style = (
        torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=layout)
        for x in (pictures(batch, size), pictures(1, size + 16))
    )
    with torch.no_grad():
        grams = {name: torch_gram(x) for name, x in encode((style + 1) * 127.5, STYLE).items()}
    # Keras's epsilon; fused is the fastest that PyTorch has, but not its default.
    adam = torch.optim.Adam(network.parameters(), LEARNING_RATE, eps=1e-7, fused=True if bfloat16 else None)

    def step() -> float:
        adam.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            with torch.no_grad():
                target = encode((images + 1) * 127.5, (CONTENT,))[CONTENT].float()
            found = encode((network(images).float() + 1) * 127.5, (CONTENT, *STYLE))
        content = (found[CONTENT].float() - target).square().mean()
        loss = content + STYLE_WEIGHT * torch_style_loss(found, grams)
        loss.backward()
        adam.step()
        return loss.item()

    return step


def torch_layout(channels_last: bool):
    import torch

    return torch.channels_last if channels_last else torch.contiguous_format


def torch_network(options: argparse.Namespace, channels_last: bool):
    """`models.networks.transform_net` in PyTorch, with the weights in the folder."""
    import torch
    from torch import nn

    def conv(narrow: int, wide: int, size: int, stride: int = 1, bias: bool = False) -> list[nn.Module]:
        return [nn.ReflectionPad2d(size // 2), nn.Conv2d(narrow, wide, size, stride, bias=bias)]

    def norm(width: int, relu: bool = True) -> list[nn.Module]:
        return [nn.InstanceNorm2d(width, affine=True), *([nn.ReLU(inplace=True)] if relu else [])]

    class Residual(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + super().forward(x)

    layers = [*conv(3, WIDTH, 9), *norm(WIDTH)]
    for wide in (2 * WIDTH, 4 * WIDTH):
        layers += [*conv(wide // 2, wide, 3, 2), *norm(wide)]
    wide = 4 * WIDTH
    for _ in range(BLOCKS):
        layers.append(Residual(*conv(wide, wide, 3), *norm(wide), *conv(wide, wide, 3), *norm(wide, relu=False)))
    for narrow in (2 * WIDTH, WIDTH):
        layers += [nn.Upsample(scale_factor=2, mode="nearest"), *conv(2 * narrow, narrow, 3), *norm(narrow)]
    network = nn.Sequential(*layers, *conv(WIDTH, 3, 9, bias=True), nn.Tanh())
    with np.load(options.folder / "weights.npz") as file:
        for parameter, name in zip(network.parameters(), file.files, strict=True):
            array = file[name]  # kernels [height, width, in, out]; scales and offsets [1, channels]
            array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.ravel()
            if array.shape != tuple(parameter.shape):
                sys.exit(f"The networks differ: {array.shape} in Gesso, {tuple(parameter.shape)} in PyTorch.")
            parameter.data.copy_(torch.from_numpy(array))
    return network.to(memory_format=torch_layout(channels_last))


def work(options: argparse.Namespace) -> None:
    """One variant's task in this process: its rate to standard output, or what it paints and loses to a file."""
    library, *how = options.variant.split()
    checking = options.task == "check"
    precision = "float32"
    if library == "gesso":
        from core import hardware

        if options.task == "train":
            hardware.prefer_onednn()
        hardware.load_tensorflow()
        import keras
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        precision = "float32" if checking else hardware.best_precision()
        keras.config.set_dtype_policy(precision)
        painter, trainer, arguments = gesso_painter, gesso_trainer, ()
    else:
        import torch

        torch.set_num_threads(options.threads)
        painter, trainer, arguments = torch_painter, torch_trainer, ("bfloat16" in how, "channels-last" in how)
    if checking:
        found = {"picture": painter(options, CHECKED, *arguments)()}
        if options.weights:
            step = trainer(options, CHECKED, 2, *arguments)
            found["losses"] = [step(), step()]
        np.savez(options.folder / f"{library}.npz", **found)
        return
    if options.task == "train":
        call, batch = trainer(options, options.train_size, options.batch, *arguments), options.batch
    else:
        call, batch = painter(options, int(options.task), *arguments), 1
    print(json.dumps({"rate": measure(call, batch, options.seconds), "precision": precision}))


def measure(call, batch: int, seconds: float) -> float:
    """Images/s, after a warm-up of three calls."""
    for _ in range(3):
        call()
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        call()
        calls += 1
    return calls * batch / (time.perf_counter() - start)


def process(variant: str, task: str, folder: str) -> str | None:
    """What the last line of a fresh process says; None, and a message, if it fails."""
    # What malloc was told outside holds for Gesso, whose user would be told the same; not for PyTorch's defaults.
    environment = dict(os.environ)
    if variant != "gesso":
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
        environment |= MALLOC if "bfloat16" in variant else {}
    command = [sys.executable, __file__, *sys.argv[1:], "--variant", variant, "--task", task, "--folder", folder]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"{variant}, {task}: failed: {last}", file=sys.stderr)
        return None
    return (done.stdout.splitlines() or [""])[-1]


def check(folder: str) -> None:
    """Prints how far the two networks are from each other; exits if that is too far."""
    if process("gesso", "check", folder) is None:
        sys.exit(1)
    if process("torch", "check", folder) is None:
        sys.exit(1)
    ours, theirs = (np.load(Path(folder) / f"{library}.npz") for library in ("gesso", "torch"))
    difference = float(np.abs(ours["picture"] - theirs["picture"]).max())
    spread = float(ours["picture"].std())
    print(f"The same weights in float32: pictures differ by at most {difference:.1e} (they spread by {spread:.2f})")
    wrong = difference > LIMIT
    if "losses" in ours:
        pairs = list(zip(ours["losses"].tolist(), theirs["losses"].tolist(), strict=True))
        print("  losses of the first two steps: " + ", ".join(f"{a:,.1f} and {b:,.1f}" for a, b in pairs))
        # Adam's first step goes by the signs of the gradients: rounding turns the smallest ones round.
        wrong |= not np.allclose(ours["losses"], theirs["losses"], rtol=[LIMIT, 10 * LIMIT])
    if wrong:
        sys.exit("They do not compute the same.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="of Keras's VGG16 without top, for the training step")
    parser.add_argument("--size", type=int, nargs="*", default=[512, 1024], help="px to paint (default: 512 1024)")
    parser.add_argument("--train-size", type=int, default=256, help="px to train at (default: 256)")
    parser.add_argument("--batch", type=int, default=4, help="of the training step (default: 4)")
    parser.add_argument("--rounds", type=int, default=2, help="default: 2")
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement (default: 8)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="default: one a core")
    parser.add_argument("--variant", choices=VARIANTS, help="one alone, in this process")
    parser.add_argument("--task", help="of the variant: check, train, or px to paint")
    parser.add_argument("--folder", type=Path, help="of the variant: where weights.npz is")
    options = parser.parse_args()
    if options.weights and not options.weights.is_file():
        sys.exit(f"There is no {options.weights}.")
    if options.variant:
        return work(options)

    tasks = {str(size): f"paint {size} px" for size in options.size}
    if options.weights:
        tasks["train"] = f"train {options.train_size} px"
    best: dict[str, dict[str, float]] = {variant: {} for variant in VARIANTS}
    precision = ""
    with tempfile.TemporaryDirectory() as folder:
        check(folder)
        for _ in range(options.rounds):
            for task in tasks:
                for variant in VARIANTS:
                    line = process(variant, task, folder)
                    if line is not None:
                        found = json.loads(line)
                        best[variant][task] = max(best[variant].get(task, 0.0), found["rate"])
                        precision = found["precision"] if variant == "gesso" else precision
    show(options, tasks, best, precision)


def show(options: argparse.Namespace, tasks: dict[str, str], best: dict, precision: str) -> None:
    def line(name: str, cells: list[str]) -> None:
        print(f"  {name:34}" + "".join(f"{cell:>16}" for cell in cells))

    print(f"Images/s, {options.threads} threads, training in batches of {options.batch}; Gesso in {precision}")
    line("", list(tasks.values()))
    for variant, rates in best.items():
        line(variant, [f"{rates[task]:.2f}" if task in rates else "-" for task in tasks])
    ratios = {"gesso / torch": ["torch"], "gesso / the best of torch": [v for v in VARIANTS if v != "gesso"]}
    for name, rivals in ratios.items():
        cells = []
        for task in tasks:
            ours, theirs = best["gesso"].get(task), max(best[v].get(task, 0.0) for v in rivals)
            cells.append(f"{ours / theirs:.2f}" if ours and theirs else "-")
        line(name, cells)


if __name__ == "__main__":
    main()
