"""A network between two."""

import keras
import numpy as np
import pytest

from core.errors import GessoError
from core.network_metadata import Geometry, Metadata
from models import trained
from models.networks import srresnet
from models.networks.transform_net import transformer
from zoo.blend import check, write


def written(path, seed: int, task: str = "super_resolution", width: int = 4):
    keras.utils.set_random_seed(seed)
    network = srresnet.generator((32, 32, 3), (8, 8, 3), width=width, blocks=1)
    metadata = Metadata(
        "translator", method="translate", task=task, geometry=Geometry(scale=4), model="srgan", step=9,
        command=("steps=9",),
    )  # fmt: skip
    trained.save(network, path, metadata)
    return network


def test_is_between_the_two_and_does_what_they_do(tmp_path):
    paths = [tmp_path / f"{i}.keras" for i in range(2)]
    one, other = (written(path, seed) for seed, path in enumerate(paths))
    write(*paths, 0.25, tmp_path / "between.keras")
    found, metadata = trained.load(tmp_path / "between.keras", "translator")
    for a, b, c in zip(one.get_weights(), other.get_weights(), found.get_weights(), strict=True):
        np.testing.assert_allclose(c, 0.75 * a + 0.25 * b, atol=1e-6)
    assert (metadata.task, metadata.geometry.scale, metadata.step) == ("super_resolution", 4, None)
    assert metadata.command == ()  # no one command made it


def test_what_has_nothing_between_is_refused(tmp_path):
    one, other, wide = (tmp_path / f"{name}.keras" for name in ("one", "other", "wide"))
    written(one, 0)
    written(other, 1, task="colorize")
    with pytest.raises(GessoError, match="of different task"):
        check(one, other)
    written(wide, 0, width=8)
    check(one, wide)
    with pytest.raises(GessoError, match="of different sizes"):
        write(one, wide, 0.5, tmp_path / "between.keras")
    for normalize, path in (("all", one), ("first", other)):
        paints = transformer(width=4, blocks=1, normalize=normalize)
        trained.save(paints, path, Metadata("stylizer", "fast", styles=("a",), geometry=paints.geometry))
    with pytest.raises(GessoError, match="of different layers"):
        write(one, other, 0.5, tmp_path / "between.keras")
    assert not (tmp_path / "between.keras").exists()
