"""Images/s of the DCGAN training step beside PyTorch's: same networks, same work, same batch, one run.

    pip install -e '.[benchmarks]'      # PyTorch; its CPU build is enough
    python benchmarks/dcgan_step.py [--size 64] [--width 64] [--batch 64] [--seconds 20]

Each variant trains in its own process (neither's threads disturb the other's), in turns, and the best round of
each counts, so that a busy moment of the machine harms all alike. Latents are drawn and batches of random pictures
lie in memory in both, so that the step alone is timed.

PyTorch runs the usual loop (its DCGAN example): discriminator on reals and on detached fakes, then the generator
through the updated discriminator, with one generator pass a step, as here; with fused Adam, without gradients that
nobody uses, in PyTorch's default memory format and in channels-last. Gesso's step does the same, and besides keeps
the running average of the generator.
"""

import argparse
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

READ_EVERY = 5  # steps between looks at the losses, for which a GPU has to be waited for
VARIANTS = ("gesso float32", "torch float32", "gesso bfloat16", "torch bfloat16")


def gesso_step(size: int, width: int, batch: int, precision: str):
    """Returns a function that trains one step and gives its losses."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from core import hardware

    hardware.prefer_onednn()
    hardware.load_tensorflow()
    import keras
    import tensorflow as tf

    from losses import adversarial
    from models.gan import GAN
    from models.networks import dcgan

    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    model = GAN(
        lambda **a: dcgan.generator(**a, width=width),
        lambda **a: dcgan.discriminator(**a, width=width),
        image_shape=(size, size, 3),
    )
    model.compile(
        keras.optimizers.Adam(2e-4, beta_1=0.5),
        keras.optimizers.Adam(2e-4, beta_1=0.5),
        adversarial.non_saturating_generator_loss,
        adversarial.non_saturating_discriminator_loss,
    )
    images = tf.random.uniform([batch, size, size, 3], -1, 1)
    data = iter(tf.data.Dataset.from_tensors({"image": images}).repeat())
    model.make_train_function()

    def step():
        model.train_function(data)
        return model.logs.values()

    return step


def torch_step(size: int, width: int, batch: int, precision: str, channels_last: bool):
    """Returns a function that trains one step and gives its losses."""
    import torch
    from torch import nn
    from torch.nn import functional

    widths = [width * min(2**i, 16) for i in range(size.bit_length() - 3)]
    g: list[nn.Module] = [nn.ConvTranspose2d(100, widths[-1], 4, 1, 0, bias=False)]
    for wide, narrow in zip(widths[::-1], widths[-2::-1], strict=False):
        g += [nn.BatchNorm2d(wide), nn.ReLU(True), nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False)]
    g += [nn.BatchNorm2d(width), nn.ReLU(True), nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False), nn.Tanh()]
    d: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)]
    for narrow, wide in itertools.pairwise(widths):
        d += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=False), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2, True)]
    d += [nn.Conv2d(widths[-1], 1, 4, 1, 0, bias=False), nn.Flatten(0)]
    generator, discriminator = nn.Sequential(*g), nn.Sequential(*d)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    layout = torch.channels_last if channels_last else torch.contiguous_format
    generator, discriminator = (n.to(device, memory_format=layout) for n in (generator, discriminator))
    images = (torch.rand(batch, 3, size, size, device=device) * 2 - 1).to(memory_format=layout)
    g_adam = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999), fused=True)
    d_adam = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999), fused=True)

    def step():
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            fakes = generator(torch.randn(batch, 100, 1, 1, device=device))
            d_adam.zero_grad(set_to_none=True)
            real_logits, fake_logits = discriminator(images), discriminator(fakes.detach())
            d_loss = (
                functional.softplus(-real_logits.float()).mean() + functional.softplus(fake_logits.float()).mean()
            )
        d_loss.backward()
        d_adam.step()
        discriminator.requires_grad_(False)  # the generator's update needs no gradients of these weights
        g_adam.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            g_loss = functional.softplus(-discriminator(fakes).float()).mean()
        g_loss.backward()
        g_adam.step()
        discriminator.requires_grad_(True)
        return g_loss, d_loss

    return step


def measure(step, batch: int, seconds: float) -> float:
    """Images/s, after a warm-up of three steps."""
    for _ in range(3):
        losses = step()
    [float(loss) for loss in losses]
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for _ in range(READ_EVERY):
            losses = step()
        [float(loss) for loss in losses]  # waits for it
        steps += READ_EVERY
    return steps * batch / (time.perf_counter() - start)


def worker(options: argparse.Namespace) -> None:
    library, precision = options.variant.split()
    shape = (options.size, options.width, options.batch, precision)
    if library == "gesso":
        rates = {options.variant: measure(gesso_step(*shape), options.batch, options.seconds)}
    else:
        rates = {
            options.variant + name: measure(torch_step(*shape, last), options.batch, options.seconds / 2)
            for name, last in (("", False), (", channels last", True))
        }
    print(json.dumps(rates))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("size", 64), ("width", 64), ("batch", 64), ("rounds", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=20, help="of measuring, each variant and round")
    parser.add_argument("--variant", choices=VARIANTS, help="one alone, in this process")
    options = parser.parse_args()
    if options.variant:
        return worker(options)

    best: dict[str, float] = {}
    for _ in range(options.rounds):
        for variant in VARIANTS:
            arguments = [sys.executable, __file__, *sys.argv[1:], "--variant", variant]
            done = subprocess.run(arguments, capture_output=True, text=True)
            if done.returncode:
                print(f"{variant}: failed: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
                continue
            for name, rate in json.loads(done.stdout.splitlines()[-1]).items():
                best[name] = max(best.get(name, 0.0), rate)
    print(f"DCGAN {options.size} px, width {options.width}, batch {options.batch}: images/s of the training step")
    for name, rate in best.items():
        print(f"  {name:30} {rate:8.1f}")
    for ours, theirs in (
        ("gesso float32", "torch float32"),
        ("gesso float32", "torch float32, channels last"),
        ("gesso bfloat16", "torch bfloat16"),
        ("gesso bfloat16", "torch bfloat16, channels last"),
        ("gesso bfloat16", "torch float32"),  # what each does by default on a processor with bfloat16
    ):
        if ours in best and theirs in best:
            print(f"  {best[ours] / best[theirs]:5.2f} times: {ours} / {theirs}")


if __name__ == "__main__":
    main()
