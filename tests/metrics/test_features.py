import keras
import numpy as np
import pytest

from core.errors import GessoError
from metrics import features


@pytest.fixture(scope="module")
def model(test_data):
    weights = test_data / "weights" / "vgg16_notop.weights.h5"
    if not weights.is_file():
        pytest.skip(f"no {weights}")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")  # it must not matter
    try:
        yield features.vgg16(weights)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(policy)


def test_are_means_of_block5_conv3(model, test_data):
    images = np.random.default_rng(1).integers(0, 256, (3, 48, 64, 3)).astype(np.float32)
    weights = test_data / "weights" / "vgg16_notop.weights.h5"
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    vgg = keras.applications.VGG16(include_top=False, weights=str(weights))
    keras.config.set_dtype_policy(policy)
    x = keras.applications.vgg16.preprocess_input(images.copy())
    for layer in vgg.layers[1:-1]:  # all but the last pooling, one by one
        x = layer(x)
    assert layer.name == "block5_conv3" and x.shape == (3, 3, 4, 512)
    found = np.asarray(model(images / 127.5 - 1))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.asarray(x).mean(axis=(1, 2)), rtol=1e-4, atol=1e-3)


def test_any_size_and_grey(model):
    grey = np.random.default_rng(2).uniform(-1, 1, (2, 17, 30, 1)).astype(np.float32)
    found = np.asarray(model(grey))
    assert found.shape == (2, 512) and np.isfinite(found).all() and found.std() > 0
    np.testing.assert_allclose(found, model(np.repeat(grey, 3, axis=-1)), rtol=1e-5, atol=1e-4)
    for shape in ((2, 15, 30, 3), (20, 20, 3)):
        with pytest.raises(ValueError, match="16 px"):
            model(np.zeros(shape, np.float32))


def test_scale_is_the_references_deviation():
    rng = np.random.default_rng(3)
    reference = np.abs(rng.normal(size=(500, 8))) * np.geomspace(1, 1000, 8)
    assert (features.scale_of(reference) * reference).std() == pytest.approx(1)
    assert features.scale_of(np.zeros((4, 5))) == 1


def test_inception_sees_pictures_at_299_px(tmp_path, monkeypatch):
    """Against `keras.applications`, on random weights."""
    keras.utils.set_random_seed(0)
    network = keras.applications.InceptionV3(include_top=False, pooling="avg", weights=None)
    network.save_weights(tmp_path / "inception.weights.h5")
    space = features.inception(tmp_path / "inception.weights.h5")
    images = np.random.default_rng(4).uniform(-1, 1, (2, 299, 299, 3)).astype(np.float32)
    found = space(images)
    assert found.shape == (2, space.dimensions) and space.unit
    np.testing.assert_allclose(found, network(images, training=False), rtol=1e-3, atol=1e-4)
    assert space(images[:, ::4, ::4, :1]).shape == (2, 2048)

    def damaged(**options):
        raise OSError("no HDF5")

    monkeypatch.setattr(keras.applications, "InceptionV3", damaged)
    for path, words in ((tmp_path / "none.h5", "no such file"), (__file__, "not those of inception_v3 .*no HDF5")):
        with pytest.raises(GessoError, match=words):
            features.inception(path)
