"""Trains systems for a few steps, on one device and on two halves of a CPU.

    python tests/training/replicas.py <weights of VGG16> <picture of a style> gan cyclegan ...

A program, as logical devices are set before TensorFlow starts. It fails where the two come out differently.
"""

import sys
from types import SimpleNamespace

import numpy as np
from hydra import initialize_config_dir
from omegaconf import DictConfig

from core import distribution, hardware
from core.cli import ROOT
from core.config import compose
from data import DatasetSpec

BOTH = [
    "++model.generator_optimizer.epsilon=1e-3",
    "++model.discriminator_optimizer.epsilon=1e-3",
]  # no noise blown up
ONE = ["+model.optimizer.epsilon=1e-3"]
PAIRS, WHOLE = ("source", "target"), "model.synchronized=true"
# Command line, keys of a batch, size of the pictures and of sources, classes.
SYSTEMS = {
    "gan": (
        ["model=dcgan", "model.width=2", "model.normalization=layer", "model.condition=projection",
         "model.accumulate=2", "model.discriminator_steps=2", "model.generator_optimizer.global_clipnorm=0.01",
         *BOTH],
        ("image",), 16, 16, 3,
    ),
    "r3gan": (
        ["model=r3gan", "model.width=2", "model.blocks=1", *BOTH],
        ("image",), 32, 32, 0,
    ),
    "pix2pix": (["model=pix2pix", "model.width=4", "model.receptive_field=16", *BOTH], PAIRS, 32, 32, 0),
    "cyclegan": (
        ["model=cyclegan", "model.width=2", "model.blocks=1", "model.pool_size=3", "model.receptive_field=16",
         *BOTH],
        ("a", "b"), 16, 16, 0,
    ),
    "srgan": (["model=srgan", "model.width=4", "model.blocks=1", "model.pretrain_steps=2", *BOTH], PAIRS, 32, 8, 0),
    "fast_style": (["model=fast_style", "model.width=2", "model.blocks=1", *ONE], ("image",), 32, 32, 0),
    "adain": (["model=adain", "model.width=2", *ONE], ("content", "style"), 16, 16, 0),
    "content_style_gan": (
        ["model=content_style_gan", "model.width=2", "model.receptive_field=16", *BOTH],
        ("content", "style"), 16, 16, 0,
    ),
}  # fmt: skip
BATCH, STEPS = 4, 20
FEW = 4  # of those where rounding grows: weights changed by 1e-7 of themselves end as far apart after twenty
GROWS = ("cyclegan", "fast_style", "adain", "content_style_gan")


def main(weights: str, style: str, names: list[str]) -> None:
    hardware.prefer_onednn()
    hardware.load_tensorflow()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        distribution.choose_devices(compose("train", ["trainer=mirrored", "trainer.logical_cpus=2"]))
        for name in names:
            line, keys, size, source, classes = SYSTEMS[name]
            line = [*line, f"weights={weights}"]
            if name == "fast_style":
                line += [f"model.style=[{style},{style}]"]
            elif name != "adain":
                line += [WHOLE]
            shapes = {key: (source if key == "source" else size, size)[0] for key in keys}
            steps = FEW if name in GROWS else STEPS
            one, two = (trained(compose("train", [*line, f"trainer={t}"]), shapes, classes, steps) for t in KINDS)
            for (variable, alone), shared in zip(one, two, strict=True):
                np.testing.assert_allclose(shared[1], alone, atol=1e-5, rtol=0, err_msg=f"{name}: {variable}")
            print(f"{name}: the same", flush=True)


KINDS = ("default", "mirrored")


def trained(config: DictConfig, sizes: dict[str, int], classes: int, steps: int) -> list[tuple[str, np.ndarray]]:
    """Returns weights and averages after some steps; of two replicas, all state has to agree to the bit."""
    import keras
    import tensorflow as tf

    from training import checkpoint, loop

    first, last = next(iter(sizes.values())), list(sizes.values())[-1]
    names = tuple(map(str, range(classes)))
    spec = DatasetSpec("none", tuple(sizes), (last, last, 3), (first, first, 3), names)
    model = loop.make(config, SimpleNamespace(spec=spec), seed=0)
    rng = np.random.default_rng(0)
    batch = {key: rng.uniform(-1, 1, (BATCH, size, size, 3)).astype(np.float32) for key, size in sizes.items()}
    if classes:
        batch["label"] = np.arange(BATCH, dtype=np.int32) % classes
    stream = tf.data.Dataset.from_tensors(batch).repeat()
    model.fit(stream, steps_per_epoch=steps, epochs=1, verbose=0, shuffle=False)
    state = checkpoint.variables(model)
    for variable in state:
        copies = model.distribute_strategy.experimental_local_results(variable.value)
        assert all(np.array_equal(copies[0], copy) for copy in copies), f"replicas differ: {variable.path}"
    if config.trainer.strategy == "mirrored" and hasattr(model, "_latents"):
        draws = model.distribute_strategy.run(lambda: model._latents(2))
        assert not np.allclose(*model.distribute_strategy.experimental_local_results(draws)), "the same latents"
    return [(variable.path, keras.ops.convert_to_numpy(variable)) for variable in model.variables]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
