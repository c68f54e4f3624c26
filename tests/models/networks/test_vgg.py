"""The encoder against keras.applications."""

import importlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from core.errors import GessoError
from models.networks import vgg


@pytest.fixture(scope="module", params=["vgg16", "vgg19"])
def random_weights(request, tmp_path_factory):
    """(network, file of random weights, the network of keras.applications that wrote it)."""
    build = {"vgg16": keras.applications.VGG16, "vgg19": keras.applications.VGG19}[request.param]
    network = build(include_top=False, weights=None)
    path = tmp_path_factory.mktemp("vgg") / f"{request.param}.weights.h5"
    network.save_weights(path)
    return request.param, path, network


def test_every_layer_is_that_of_keras_applications(random_weights):
    name, path, reference = random_weights
    names = vgg.layer_names(name)
    assert len(names) == {"vgg16": 13, "vgg19": 16}[name]
    images = np.random.default_rng(0).uniform(-1, 1, (1, 37, 32, 3)).astype(np.float32)
    module = getattr(keras.applications, name)
    outputs = keras.Model(reference.input, [reference.get_layer(layer).output for layer in names])
    expected = outputs(module.preprocess_input((images + 1) * 127.5))
    found = vgg.encoder(names, path, name)(images)
    for layer, activations in zip(names, expected, strict=True):
        np.testing.assert_allclose(
            found[layer], activations, rtol=1e-3, atol=1e-4 * float(abs(activations).numpy().max())
        )
    assert all(found[n].shape[1] == 37 // vgg.stride(n) for n in names)


def test_imagenet_weights_see_what_they_should(test_data):
    weights = test_data / "weights" / "vgg16_notop.weights.h5"
    reference = keras.applications.VGG16(include_top=False, weights=str(weights))
    images = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
    outputs = keras.Model(reference.input, reference.get_layer("block5_conv3").output)
    expected = outputs(keras.applications.vgg16.preprocess_input((images + 1) * 127.5)).numpy()
    found = vgg.encoder(["block5_conv3"], weights)(images)["block5_conv3"]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_goes_no_deeper_than_asked_and_is_not_trained(random_weights):
    name, path, _ = random_weights
    encoder = vgg.encoder(["block2_conv1"], path, name)
    assert [layer.name for layer in encoder.layers[-1:]] == ["block2_conv1"]
    assert not encoder.trainable_variables


def test_average_pooling_is_another_network(random_weights):
    name, path, _ = random_weights
    images = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32)
    found = [
        vgg.encoder(["block2_conv1"], path, name, p)(images)["block2_conv1"].numpy() for p in ("max", "average")
    ]
    assert not np.allclose(*found)


def test_l2_pooling_by_hand():
    x = tf.constant([[3.0, 4.0], [0.0, 0.0]])[None, :, :, None]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        pooled = vgg.L2Pooling(2)(x)
        nothing = vgg.L2Pooling(2)(0 * x)
    np.testing.assert_allclose(pooled, [[[[0.78 * 5]]]], rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(pooled, x)[0, :, :, 0], [[0.78 * 0.6, 0.78 * 0.8], [0, 0]], rtol=1e-5)
    assert not np.any(tape.gradient(nothing, x))
    large = vgg.L2Pooling(2, dtype="float16")(tf.fill([1, 2, 2, 1], tf.constant(400.0, tf.float16)))
    np.testing.assert_allclose(large, [[[[0.78 * 800]]]], rtol=1e-3)  # whose squares float16 has no numbers for


def test_padded_by_its_edge_an_even_picture_stays_even(random_weights):
    name, path, _ = random_weights
    images = np.full((1, 16, 16, 3), 0.3, np.float32)
    zeros, edge = (
        vgg.encoder(["block2_conv2"], path, name, padding=p)(images)["block2_conv2"].numpy() for p in vgg.PADDING
    )
    np.testing.assert_allclose(edge, np.broadcast_to(edge[:, :1, :1], edge.shape), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(edge[:, 4, 4], zeros[:, 4, 4], rtol=1e-4, atol=1e-4)  # too far in to see the edge
    assert not np.allclose(edge[:, 0, 0], zeros[:, 0, 0], rtol=1e-2)


def test_errors_in_words(tmp_path):
    with pytest.raises(GessoError, match=r"no layer block9_conv1. There are: block1_conv1"):
        vgg.encoder(["block9_conv1"], tmp_path / "x.h5")
    with pytest.raises(GessoError, match="no such file"):
        vgg.encoder(["block1_conv1"], tmp_path / "x.h5")
    (tmp_path / "bad.weights.h5").write_bytes(b"nothing")
    with pytest.raises(GessoError, match="are not those of vgg16"):
        vgg.encoder(["block1_conv1"], tmp_path / "bad.weights.h5")


def test_without_a_network_says_what_to_download(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def fail(*args, **kwargs):
        raise Exception("URL fetch failure on https://storage.googleapis.com/x: None -- timed out")

    monkeypatch.setattr(importlib.import_module("keras.src.applications.vgg16").file_utils, "get_file", fail)
    with pytest.raises(GessoError, match=r"vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 .* weights="):
        vgg.encoder(["block1_conv1"])
