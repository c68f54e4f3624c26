import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers.normalization import BatchNormalization
from models.networks import fastgan

CONDITIONS = ("none", "concat", "projection", "auxiliary")


@pytest.fixture
def bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def trainable(network: keras.Model) -> int:
    return sum(math.prod(variable.shape) for variable in network.trainable_variables)


def kernels(network: keras.Model) -> dict[str, tuple[int, ...]]:
    return {layer.name: tuple(layer.kernel.shape) for layer in network.layers if hasattr(layer, "kernel")}


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def lively(network: keras.Model) -> keras.Model:
    """With weights so large that all of a network shows in its outputs, without statistics of any training."""
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            shape = layer.kernel.shape
            layer.kernel.assign(normal(*shape, seed=len(layer.name)) * 3 / math.sqrt(math.prod(shape[:-1])))
    return network


def test_layer_table_of_the_authors_generator():
    # FastGAN-pytorch, Generator(ngf=64, nz=256, im_size=256); gated linear units halve the outputs' channels.
    assert kernels(fastgan.generator((256, 256, 3))) == {
        "seed": (256, 4 * 4 * 2048),
        "up_8": (3, 3, 1024, 1024), "up_8_2": (3, 3, 512, 1024),
        "up_16": (3, 3, 512, 512),
        "up_32": (3, 3, 256, 256), "up_32_2": (3, 3, 128, 256),
        "up_64": (3, 3, 128, 256),
        "excite_64_squeeze": (4, 4, 1024, 128), "excite_64_weights": (1, 1, 128, 128),
        "up_128": (3, 3, 128, 128), "up_128_2": (3, 3, 64, 128),
        "excite_128_squeeze": (4, 4, 512, 64), "excite_128_weights": (1, 1, 64, 64),
        "up_256": (3, 3, 64, 64),
        "excite_256_squeeze": (4, 4, 256, 32), "excite_256_weights": (1, 1, 32, 32),
        "to_image": (3, 3, 32, 3),
    }  # fmt: skip


def test_layer_table_of_the_authors_discriminator():
    # Discriminator(ndf=64, im_size=256) without its track for 128 px; SimpleDecoder has 32 for its width.
    decoder = {"16": (256,), "32": (128, 128), "64": (64, 128), "128": (64, 64), "to_image": (32, 3)}
    decoders = {
        f"decode_{part}_{name}": (3, 3, *((channels, *ends) if name == "16" else ends))
        for part, channels in (("whole", 512), ("quarter", 256))
        for name, ends in decoder.items()
    }
    assert kernels(fastgan.discriminator((256, 256, 3))) == decoders | {
        "stem": (3, 3, 3, 16),
        "down_128": (4, 4, 16, 32), "down_128_2": (3, 3, 32, 32), "down_128_direct": (1, 1, 16, 32),
        "down_64": (4, 4, 32, 64), "down_64_2": (3, 3, 64, 64), "down_64_direct": (1, 1, 32, 64),
        "down_32": (4, 4, 64, 128), "down_32_2": (3, 3, 128, 128), "down_32_direct": (1, 1, 64, 128),
        "excite_32_squeeze": (4, 4, 16, 128), "excite_32_weights": (1, 1, 128, 128),
        "down_16": (4, 4, 128, 256), "down_16_2": (3, 3, 256, 256), "down_16_direct": (1, 1, 128, 256),
        "excite_16_squeeze": (4, 4, 32, 256), "excite_16_weights": (1, 1, 256, 256),
        "down_8": (4, 4, 256, 512), "down_8_2": (3, 3, 512, 512), "down_8_direct": (1, 1, 256, 512),
        "excite_8_squeeze": (4, 4, 64, 512), "excite_8_weights": (1, 1, 512, 512),
        "patches": (1, 1, 512, 1024), "judge": (4, 4, 1024, 1),
    }  # fmt: skip


def test_parameter_counts_by_hand():
    # Channels 32, 16, 8, 4 at 4, 8, 16, 32 px; normalisation has two parameters a channel.
    seed = 3 * 16 * 64 + 2 * 64
    up_8 = 9 * 32 * 32 + 2 * 32 + 9 * 16 * 32 + 2 * 32
    up_16 = 9 * 16 * 16 + 2 * 16
    up_32 = 9 * 8 * 8 + 2 * 8 + 9 * 4 * 8 + 2 * 8
    excitation, to_image = 16 * 32 * 4 + 4 * 4, 9 * 4 * 3
    expected = seed + up_8 + up_16 + up_32 + excitation + to_image
    assert trainable(fastgan.generator((32, 32, 3), latent_dim=3, width=2)) == expected == 22_556
    # Channels 4, 8, 16 at 32, 16, 8 px.
    stem = 9 * 3 * 4
    down_16 = (16 + 1) * 4 * 8 + 9 * 8 * 8 + 3 * 2 * 8
    down_8 = (16 + 1) * 8 * 16 + 9 * 16 * 16 + 3 * 2 * 16
    excitation, judge = 16 * 4 * 16 + 16 * 16, 16 * 32 + 2 * 32 + 16 * 32
    decoders = 9 * (16 + 8) * 8 + 2 * (2 * 8 + 9 * 4 * 3)
    expected = stem + down_16 + down_8 + excitation + judge + decoders
    assert trainable(fastgan.discriminator((32, 32, 3), width=2)) == expected == 10_196


@pytest.mark.parametrize(("size", "sources"), [(32, {32: 4}), (64, {64: 4}), (128, {64: 4, 128: 8})])
def test_which_features_of_the_generator_weigh_which(size, sources):
    multiples = {4: 16, 8: 8, 16: 4, 32: 2, 64: 2, 128: 1}
    found = kernels(fastgan.generator((size, size, 3), width=4))
    squeezes = {name: shape[2:] for name, shape in found.items() if name.endswith("squeeze")}
    expected = {f"excite_{s}_squeeze": (4 * multiples[small], 4 * multiples[s]) for s, small in sources.items()}
    assert squeezes == expected


@pytest.mark.parametrize(("size", "sources"), [(32, {8: 32}), (64, {8: 64}), (128, {8: 64, 16: 128})])
def test_which_features_of_the_discriminator_weigh_which(size, sources):
    multiples = {8: 8, 16: 4, 32: 2, 64: 1, 128: 0.5}
    found = kernels(fastgan.discriminator((size, size, 3), width=4))
    squeezes = {name: shape[2:] for name, shape in found.items() if name.endswith("squeeze")}
    expected = {f"excite_{s}_squeeze": (4 * multiples[large], 4 * multiples[s]) for s, large in sources.items()}
    assert squeezes == expected


@pytest.mark.parametrize(("size", "channels"), [(32, 1), (64, 3), (128, 3), (256, 3)])
def test_every_size(size, channels):
    shape = (size, size, channels)
    images = fastgan.generator(shape, latent_dim=7, width=2)(normal(3, 7), training=True)
    assert images.shape == (3, *shape) and images.dtype == "float32"
    assert 0 < float(abs(images.numpy()).max()) <= 1
    outputs = fastgan.discriminator(shape, width=2)(images, training=True)
    assert {name: value.shape for name, value in outputs.items()} == {
        "logits": (3, 5, 5), "reconstruction_error": (3,),
    }  # fmt: skip
    assert all(value.dtype == "float32" and np.isfinite(value).all() for value in outputs.values())


@pytest.mark.parametrize("shape", [(16, 16, 3), (512, 512, 3), (64, 32, 3)])
def test_refuses_sizes_that_it_cannot_make(shape):
    with pytest.raises(ValueError, match="square pictures"):
        fastgan.generator(shape)
    with pytest.raises(ValueError, match="square pictures"):
        fastgan.discriminator(shape)


@pytest.mark.parametrize("condition", CONDITIONS[1:])
@pytest.mark.parametrize("spectral", [True, False])
def test_every_condition(condition, spectral):
    options = {"width": 2, "num_classes": 4, "condition": condition}
    network = lively(fastgan.generator((32, 32, 3), latent_dim=5, **options))
    latents, labels = np.repeat(normal(1, 5), 3, axis=0), np.array([0, 1, 1], "int32")
    images = network([latents, labels]).numpy()
    np.testing.assert_allclose(images[1], images[2], atol=1e-4)
    assert abs(images[0] - images[1]).max() > 0.01

    judge = lively(fastgan.discriminator((32, 32, 3), spectral=spectral, **options))
    if condition == "auxiliary":
        outputs = judge(images)
        assert outputs["class_logits"].shape == (3, 4) and outputs["class_logits"].dtype == "float32"
    else:
        outputs = judge([np.repeat(images[:1], 3, axis=0), labels])
        logits = outputs["logits"].numpy()
        np.testing.assert_allclose(logits[1], logits[2], atol=1e-4)
        assert abs(logits[0] - logits[1]).max() > 0.001
    assert outputs["logits"].shape == (3, 5, 5) and outputs["reconstruction_error"].shape == (3,)


def test_projection_is_added_to_all_patches():
    options = {"width": 2, "num_classes": 4, "condition": "projection", "spectral": False}
    network = lively(fastgan.discriminator((32, 32, 3), **options))
    table = network.get_layer("label_embedding").embeddings
    table.assign(normal(4, 16))
    images, labels = normal(3, 32, 32, 3), np.array([0, 2, 3], "int32")
    features = keras.Model(network.inputs, network.get_layer("excite_8").output)([images, labels]).numpy()
    with_label = network([images, labels])["logits"].numpy()
    embedded = table.numpy()[labels]
    table.assign(np.zeros((4, 16)))
    without = network([images, labels])["logits"].numpy()
    agreement = (features.mean(axis=(1, 2)) * embedded).sum(axis=1)
    assert abs(agreement).min() > 0.01
    expected = without + agreement[:, None, None]
    np.testing.assert_allclose(with_label, expected, rtol=1e-4, atol=1e-4)


def test_skip_layer_excitation_by_hand():
    small, large = keras.Input((8, 8, 3)), keras.Input((6, 6, 5))
    network = keras.Model([small, large], fastgan._excite(large, small, "excite"))
    squeeze, weigh = normal(4, 4, 3, 5, seed=1), normal(1, 1, 5, 5, seed=2)
    network.get_layer("excite_squeeze").set_weights([squeeze])
    network.get_layer("excite_weights").set_weights([weigh])
    source, x = normal(2, 8, 8, 3, seed=3), normal(2, 6, 6, 5, seed=4)
    means = source.reshape(2, 4, 2, 4, 2, 3).mean(axis=(2, 4))
    hidden = np.einsum("bhwc,hwcd->bd", means, squeeze)
    hidden = hidden / (1 + np.exp(-hidden))
    weights = 1 / (1 + np.exp(-hidden @ weigh[0, 0]))
    np.testing.assert_allclose(network([source, x]), x * weights[:, None, None, :], rtol=1e-4, atol=1e-5)


def test_pictures_are_functions_of_their_latents_alone():
    network = lively(fastgan.generator((32, 32, 3), latent_dim=5, width=2))
    latents = normal(4, 5)
    images = network(latents).numpy()
    np.testing.assert_array_equal(network(latents), images)
    alone = network(latents[2:3])[0].numpy()  # by other sums: such weights make much of how they are rounded
    assert abs(alone - images[2]).mean() < 1e-3 < 0.01 < abs(images[0] - images[1]).mean()


def test_normalised_latents_have_no_length():
    keras.utils.set_random_seed(0)
    network = lively(fastgan.generator((32, 32, 3), latent_dim=8, width=2, normalized_latent=True))
    latents = normal(3, 8)
    images = network(latents)
    np.testing.assert_allclose(network(7 * latents), images, atol=0.01)  # such weights make much of rounding
    unit = latents / np.sqrt(np.mean(latents**2, axis=1, keepdims=True))
    plain = fastgan.generator((32, 32, 3), latent_dim=8, width=2)
    plain.set_weights(network.get_weights())
    np.testing.assert_allclose(plain(unit), images, atol=0.01)
    assert np.abs(plain(latents) - images).max() > 0.1


def test_quarters_go_round():
    images = normal(6, 4, 8, 2)
    expected = [
        images[0, :2, :4], images[1, :2, 4:], images[2, 2:, :4], images[3, 2:, 4:], images[4, :2, :4],
        images[5, :2, 4:],
    ]  # fmt: skip
    np.testing.assert_array_equal(fastgan.Quarter()(images), np.stack(expected))


def test_reconstruction_error_by_hand():
    network = fastgan.discriminator((64, 64, 1), width=2)
    for name in ("decode_whole_to_image", "decode_quarter_to_image"):  # both decoders paint grey
        layer = network.get_layer(name)
        layer.set_weights([np.zeros(layer.kernel.shape)])
    # A chessboard is grey at half its size, so that only the quarter errs: by its contrast, another in each.
    board = np.where(np.indices((64, 64)).sum(axis=0) % 2, 1.0, -1.0).astype("float32")
    contrast = np.array([[0.2, 0.4], [0.6, 0.8]], "float32").repeat(32, axis=0).repeat(32, axis=1)
    images = np.repeat((board * contrast)[None, :, :, None], 6, axis=0)
    error = network(images)["reconstruction_error"].numpy()
    np.testing.assert_allclose(error, np.array([0.2, 0.4, 0.6, 0.8, 0.2, 0.4]) / 2, rtol=1e-5)
    # Pixels that move outside of the quarter change nothing.
    moved = images.copy()
    moved[0, 32:], moved[0, :, 32:], moved[3, :32], moved[3, :, :32] = 0, 0, 0, 0
    np.testing.assert_allclose(network(moved)["reconstruction_error"], error, rtol=1e-5)
    # One brighter picture: all of it errs by 0.3, and so does its quarter.
    images[1] = 0.3
    assert float(network(images)["reconstruction_error"][1]) == pytest.approx(0.3, rel=1e-5)
    heavier = fastgan.discriminator((64, 64, 1), width=2, reconstruction_weight=16)
    heavier.set_weights(network.get_weights())
    assert float(heavier(images)["reconstruction_error"][1]) == pytest.approx(4.8, rel=1e-5)


def test_decoders_learn_to_rebuild():
    keras.utils.set_random_seed(0)
    network = fastgan.discriminator((32, 32, 3), width=4)
    coarse = np.random.default_rng(0).uniform(-1, 1, (4, 4, 4, 3)).astype("float32")
    images = tf.constant(coarse.repeat(8, axis=1).repeat(8, axis=2))
    variables = [v for v in network.trainable_variables if v.path.startswith("decode_")]
    optimizer = keras.optimizers.Adam(2e-2)
    optimizer.build(variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            error = tf.reduce_mean(network(images, training=True)["reconstruction_error"])
        optimizer.apply(tape.gradient(error, [v.value for v in variables]), variables)
        return error

    errors = [float(step()) for _ in range(40)]
    assert errors[0] > 0.4 and errors[-1] < 0.6 * errors[0], errors


def test_features_learn_from_rebuilding():
    network = fastgan.discriminator((32, 32, 3), width=2)
    images = tf.constant(normal(4, 32, 32, 3))
    with tf.GradientTape() as tape:
        error = tf.reduce_mean(network(images, training=True)["reconstruction_error"])
    names = ("stem", "down_16", "down_8", "excite_8_squeeze")
    for gradient in tape.gradient(error, [network.get_layer(name).kernel.value for name in names]):
        assert abs(gradient.numpy()).max() > 0


def test_decoders_are_left_out_of_graphs_that_do_not_use_them():
    network = fastgan.discriminator((32, 32, 3), width=2)

    def decoding(output: str) -> set[str]:
        """The decoders' kinds of operations that a call in training must run for this output, with all state."""
        function = tf.function(lambda x: network(x, training=True)[output])
        graph = function.get_concrete_function(tf.TensorSpec([4, 32, 32, 3])).graph
        todo, seen = [t.op for t in graph.outputs] + list(graph.control_outputs), set()
        while todo:
            operation = todo.pop()
            if operation not in seen:
                seen.add(operation)
                todo += [t.op for t in operation.inputs] + list(operation.control_inputs)
        return {operation.type for operation in seen if "decode_" in operation.name}

    assert {"Conv2D", "FusedBatchNormV3"} < decoding("reconstruction_error")
    assert decoding("logits") <= {"Placeholder", "ReadVariableOp", "NoOp"}


def test_decoders_normalise_as_batch_normalisation_does_in_training():
    ours, theirs = fastgan.BatchStatistics(), BatchNormalization(epsilon=1e-5)
    x = normal(4, 8, 8, 3) * 3 + 2
    ours.build(x.shape)
    theirs.build(x.shape)
    theirs.gamma.assign(ours.gamma)
    np.testing.assert_array_equal(ours(x), theirs(x, training=True))


def penalty(network: keras.Model, images: tf.Tensor) -> tf.Tensor:
    """R1: the mean squared norm of the gradient of a picture's logits."""
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = tf.reduce_sum(tf.reduce_mean(network(images, training=True)["logits"], axis=(1, 2)))
    return tf.reduce_mean(tf.reduce_sum(tape.gradient(logits, images) ** 2, axis=(1, 2, 3)))


def penalty_gradients(network: keras.Model, images: tf.Tensor) -> dict[str, np.ndarray]:
    with tf.GradientTape() as tape:
        value = penalty(network, images)
    variables = network.trainable_variables
    gradients = tape.gradient(value, variables)
    return {v.path: np.asarray(g) for v, g in zip(variables, gradients, strict=True) if g is not None}


@pytest.mark.parametrize("spectral", [True, False])
def test_gradient_penalty_has_finite_gradients(spectral):
    network = fastgan.discriminator((32, 32, 3), width=2, spectral=spectral)
    gradients = penalty_gradients(network, tf.constant(normal(4, 32, 32, 3)))
    assert all(np.isfinite(g).all() for g in gradients.values())
    for name in ("stem", "down_16", "down_8_direct", "excite_8_squeeze", "judge"):
        assert abs(gradients[f"{name}/kernel"]).max() > 0


def test_gradient_penalty_against_a_numeric_gradient():
    keras.utils.set_random_seed(0)
    network = fastgan.discriminator((32, 32, 3), width=2, spectral=False)
    images = tf.constant(normal(4, 32, 32, 3))
    kernel = network.get_layer("judge").kernel  # enters the penalty smoothly; the leaky ReLUs' kinks do not count
    weights = network.get_layer("excite_8_squeeze").kernel
    gradients = penalty_gradients(network, images)
    for variable in (kernel, weights):
        before, gradient = variable.numpy(), gradients[variable.path]
        direction = gradient / np.linalg.norm(gradient)
        values = []
        for length in (1e-2, -1e-2):
            variable.assign(before + length * direction)
            values.append(float(penalty(network, images)))
        variable.assign(before)
        assert (values[0] - values[1]) / 2e-2 == pytest.approx(float((gradient * direction).sum()), rel=0.02)


def test_bfloat16(bfloat16):
    network = fastgan.generator((64, 64, 3), latent_dim=5, width=2)
    judge = fastgan.discriminator((64, 64, 3), width=2)
    assert network.get_layer("up_64").compute_dtype == "bfloat16"
    with tf.GradientTape() as tape:
        images = network(normal(4, 5), training=True)
        outputs = judge(images, training=True)
        loss = tf.reduce_mean(outputs["logits"]) + tf.reduce_mean(outputs["reconstruction_error"])
    assert images.dtype == "float32"
    assert all(value.dtype == "float32" for value in outputs.values())
    variables = network.trainable_variables + judge.trainable_variables
    gradients = tape.gradient(loss, variables)
    for variable, gradient in zip(variables, gradients, strict=True):
        assert gradient is not None and np.isfinite(gradient).all(), variable.path
    seconds = penalty_gradients(judge, tf.constant(normal(4, 64, 64, 3)))
    assert all(np.isfinite(g).all() for g in seconds.values()) and abs(seconds["stem/kernel"]).max() > 0
