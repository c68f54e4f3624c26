import keras
import numpy as np
import pytest

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


def test_batches_join_up():
    """Every picture once and in order, the last batch smaller."""
    sizes = []

    def model(batch: np.ndarray) -> np.ndarray:
        sizes.append(len(batch))
        return batch.mean(axis=(1, 2))

    images = np.arange(10.0).reshape(10, 1, 1, 1) * np.ones((1, 4, 4, 2))
    np.testing.assert_allclose(features.features(model, images, 4), np.arange(10.0)[:, None] * [1, 1])
    assert sizes == [4, 4, 2]


def test_scaled_to_the_references_deviation():
    rng = np.random.default_rng(3)
    reference = np.abs(rng.normal(size=(500, 8))) * np.geomspace(1, 1000, 8)
    scale = features.scaled_to(reference)
    assert scale(reference).std() == pytest.approx(1)
    np.testing.assert_allclose(scale(reference[:3]) * reference.std(), reference[:3])  # one number for all
    np.testing.assert_array_equal(features.scaled_to(np.zeros((4, 5)))(np.ones((1, 5))), 1)
