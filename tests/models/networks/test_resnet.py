import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from models.average import _plain
from models.layers.spectral import SpectralConv2D, SpectralDense, SpectralEmbedding
from models.networks import resnet
from models.networks.condition import CONDITIONS


def trainable(network: keras.Model) -> int:
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def noise(*shape, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def shake(network: keras.Model) -> None:
    """Biases, offsets and averages away from their zeros and ones, so that none can be missing unseen."""
    rng = np.random.default_rng(7)
    for variable in network.variables:
        if variable.name not in ("kernel", "embeddings", "singular_vector"):
            variable.assign(variable + rng.uniform(0.1, 0.5, variable.shape))


@pytest.fixture
def bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def test_parameter_counts_of_the_papers_cifar_networks():
    # By hand: dense 128 * 4096 + 4096; three blocks of two norms (512 each), two 3x3 convolutions (590,080 each)
    # and a 1x1 one (65,792); a norm and a convolution to 3 channels (6,915).
    assert trainable(resnet.generator((32, 32, 3))) == 528_384 + 3 * 1_246_976 + 512 + 6_915 == 4_276_739
    # First block 3,584 + 147,584 + 512; second 2 * 147,584 + 16,512; two without shortcuts' weights; 128 + 1.
    expected = 151_680 + 311_680 + 2 * 295_168 + 129
    assert trainable(resnet.discriminator((32, 32, 3))) == expected == 1_053_825
    assert trainable(resnet.discriminator((32, 32, 3), spectral=False)) == expected


# Channels for a width of 1, of each block, and the size that it leaves: the authors' resnet_64, resnet,
# resnet_dog_and_cat_256, snresnet_64, snresnet, snresnet_256; table 4 of the paper for 32 px.
UP = {
    32: [(8, 4), (16, 4), (32, 4)],
    64: [(8, 8), (16, 4), (32, 2), (64, 1)],
    128: [(8, 16), (16, 8), (32, 4), (64, 2), (128, 1)],
    256: [(8, 16), (16, 8), (32, 8), (64, 4), (128, 2), (256, 1)],
}
SEED = {32: 4, 64: 16, 128: 16, 256: 16}
DOWN = {
    32: [(16, 2), (8, 2), (8, 2), (8, 2)],
    64: [(32, 1), (16, 2), (8, 4), (4, 8), (2, 16)],
    128: [(64, 1), (32, 2), (16, 4), (8, 8), (4, 16), (4, 16)],
    256: [(128, 1), (64, 2), (32, 4), (16, 8), (8, 8), (4, 16), (4, 16)],
}


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_block_tables(size):
    generator = resnet.generator((size, size, 3), latent_dim=5, width=3)
    blocks = [layer.output.shape for layer in generator.layers if isinstance(layer, layers.Add)]
    assert blocks == [(None, pixels, pixels, 3 * channels) for pixels, channels in UP[size]]
    assert generator.get_layer("seed").kernel.shape == (5, 4 * 4 * 3 * SEED[size])

    discriminator = resnet.discriminator((size, size, 3), width=3)
    blocks = [layer.output.shape for layer in discriminator.layers if isinstance(layer, layers.Add)]
    assert blocks == [(None, pixels, pixels, 3 * channels) for pixels, channels in DOWN[size]]


def test_kernels_of_a_widening_network():
    # A generator's blocks change width with their first convolution, a discriminator's with the second, but for the
    # first block.
    def kernels(network):
        return {layer.name: tuple(layer.kernel.shape) for layer in network.layers if hasattr(layer, "kernel")}

    table = kernels(resnet.generator((64, 64, 3), latent_dim=5, width=1))
    assert table["up_8_1_conv"] == (3, 3, 16, 8) and table["up_8_2_conv"] == (3, 3, 8, 8)
    assert table["up_8_shortcut"] == (1, 1, 16, 8) and table["last_conv"] == (3, 3, 1, 3)
    assert len(table) == 1 + 4 * 3 + 1
    table = kernels(resnet.discriminator((128, 128, 3), width=1))
    assert table["block_1_1_conv"] == (3, 3, 3, 1) and table["block_1_2_conv"] == (3, 3, 1, 1)
    assert table["block_1_shortcut"] == (1, 1, 3, 1)
    assert table["block_5_1_conv"] == (3, 3, 8, 8) and table["block_5_2_conv"] == (3, 3, 8, 16)
    assert table["block_5_shortcut"] == (1, 1, 8, 16)
    assert "block_6_shortcut" not in table and table["judge"] == (16, 1)
    assert len(table) == 5 * 3 + 2 + 1


def convolve(network, name, x):
    layer = network.get_layer(name)
    return tf.nn.conv2d(x, layer.kernel.numpy(), 1, "SAME") + layer.bias.numpy()


def normalize(network, name, x):
    layer = network.get_layer(name)
    deviation = np.sqrt(layer.moving_variance.numpy() + 2e-5)
    return (x - layer.moving_mean.numpy()) / deviation * layer.gamma.numpy() + layer.beta.numpy()


def double(x):
    return np.asarray(x).repeat(2, axis=1).repeat(2, axis=2)


def halve(x):
    x = np.asarray(x)
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def test_generator_is_the_papers():
    """Beside the paper's order of operations: the shortcut is doubled first, then convolved."""
    network = resnet.generator((32, 32, 3), latent_dim=6, width=1)
    shake(network)
    latents = noise(2, 6)
    seed = network.get_layer("seed")
    x = (latents @ seed.kernel.numpy() + seed.bias.numpy()).reshape(2, 4, 4, 4)
    for name in ("up_8", "up_16", "up_32"):
        shortcut = convolve(network, f"{name}_shortcut", double(x))
        x = double(tf.nn.relu(normalize(network, f"{name}_1_norm", x)))
        x = convolve(network, f"{name}_1_conv", x)
        x = tf.nn.relu(normalize(network, f"{name}_2_norm", x))
        x = convolve(network, f"{name}_2_conv", x) + shortcut
    x = tf.tanh(convolve(network, "last_conv", tf.nn.relu(normalize(network, "last_norm", x))))
    np.testing.assert_allclose(network(latents), x, atol=1e-4)


@pytest.mark.parametrize("size", [32, 64])
def test_discriminator_is_the_authors(size):
    """Beside their order: in all blocks but the first the shortcut is convolved first, then halved."""
    network = resnet.discriminator((size, size, 3), width=1, spectral=False, average=size == 64)
    shake(network)
    images = np.tanh(noise(2, size, size, 3))
    x = convolve(network, "block_1_2_conv", tf.nn.relu(convolve(network, "block_1_1_conv", images)))
    x = halve(x) + convolve(network, "block_1_shortcut", halve(images))
    for i, (pixels, _) in enumerate(DOWN[size][1:], start=2):
        small = pixels < x.shape[1]
        shortcut = convolve(network, f"block_{i}_shortcut", x) if small else x
        x = convolve(network, f"block_{i}_1_conv", tf.nn.relu(x))
        x = convolve(network, f"block_{i}_2_conv", tf.nn.relu(x))
        x = halve(x) + halve(shortcut) if small else x + shortcut
    places = tf.nn.relu(x).numpy()
    features = places.mean(axis=(1, 2)) if size == 64 else places.sum(axis=(1, 2))
    judge = network.get_layer("judge")
    expected = features @ judge.kernel.numpy()[:, 0] + judge.bias.numpy()
    np.testing.assert_allclose(network(images), expected, rtol=1e-4, atol=1e-4)


def test_initial_weights_are_the_authors():
    def bound(gain, fan_in, fan_out):
        return gain * np.sqrt(6 / (fan_in + fan_out))

    network = resnet.generator((32, 32, 3), width=8, latent_dim=20)
    for name, expected in {
        "up_8_1_conv": bound(np.sqrt(2), 9 * 32, 9 * 32),
        "up_16_2_conv": bound(np.sqrt(2), 9 * 32, 9 * 32),
        "up_8_shortcut": bound(1, 32, 32),
        "seed": bound(1, 20, 16 * 32),
        "last_conv": bound(1, 9 * 32, 9 * 3),
    }.items():
        values = network.get_layer(name).kernel.numpy()
        assert 0.95 * expected < abs(values).max() <= expected, name
        assert values.std() == pytest.approx(expected / np.sqrt(3), rel=0.1), name
    network = resnet.discriminator((64, 64, 3), width=8)
    values = network.get_layer("block_3_2_conv").kernel.numpy()
    assert values.std() == pytest.approx(bound(np.sqrt(2), 9 * 16, 9 * 32) / np.sqrt(3), rel=0.05)


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_every_size(size):
    shape = (size, size, 1)
    images = resnet.generator(shape, latent_dim=7, width=2)(noise(3, 7), training=True)
    assert images.shape == (3, *shape) and images.dtype == "float32"
    assert 0 < float(abs(images.numpy()).max()) <= 1
    logits = resnet.discriminator(shape, width=2)(images, training=True)
    assert logits.shape == (3,) and logits.dtype == "float32" and np.isfinite(logits).all()


@pytest.mark.parametrize("shape", [(48, 48, 3), (16, 16, 3), (512, 512, 3), (64, 32, 3)])
def test_refuses_sizes_that_it_cannot_make(shape):
    for build in (resnet.generator, resnet.discriminator):
        with pytest.raises(ValueError, match="square pictures of 32, 64, 128 or 256 px"):
            build(shape)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_condition(condition):
    options = {"width": 1, "num_classes": 3, "condition": condition}
    generator = resnet.generator((32, 32, 3), latent_dim=4, prior="uniform", **options)
    discriminator = resnet.discriminator((32, 32, 3), **options)
    labels = np.array([2, 0, 1], "int32")
    images = np.tanh(noise(3, 32, 32, 3))
    for network, first, sees in ((generator, noise(3, 4), True), (discriminator, images, condition != "auxiliary")):
        shake(network)
        sees = sees and condition != "none"
        tables = [v for v in network.trainable_variables if v.name == "embeddings"]
        for table in tables:
            table.assign(noise(*table.shape))
        with tf.GradientTape() as tape:
            outputs = network([first, labels] if sees else first, training=True)
            loss = sum(tf.reduce_sum(value**2) for value in keras.tree.flatten(outputs))
        gradients = tape.gradient(loss, [v.value for v in network.trainable_variables])
        assert all(np.isfinite(tf.convert_to_tensor(g)).all() for g in gradients)
        assert len(network.inputs) == 1 + sees
        if sees:
            other = network([first, labels[::-1].copy()])
            assert not np.allclose(network([first, labels]), other)
            assert bool(tables) == (condition == "projection")
    if condition == "auxiliary":
        assert outputs["class_logits"].shape == (3, 3) and outputs["logits"].shape == (3,)


def test_conditional_normalisation_is_in_the_blocks_alone():
    network = resnet.generator((32, 32, 3), width=1, num_classes=3, condition="projection")
    tables = [layer.name for layer in network.layers if isinstance(layer, layers.Embedding)]
    assert tables == [f"up_{i}_{j}_norm_{part}" for i in (8, 16, 32) for j in (1, 2) for part in ("gamma", "beta")]
    assert network.get_layer("last_norm").scale and not network.get_layer("up_8_1_norm").scale


@pytest.mark.parametrize("condition", ["projection", "auxiliary"])
def test_spectral_normalises_all_weights_or_none(condition):
    ours = (SpectralConv2D, SpectralDense, SpectralEmbedding)
    weighted = (layers.Conv2D, layers.Dense, layers.Embedding)
    options = {"width": 1, "num_classes": 3, "condition": condition}
    for spectral in (True, False):
        network = resnet.discriminator((32, 32, 3), **options, spectral=spectral)
        found = [layer for layer in network.layers if isinstance(layer, weighted)]
        assert len(found) == 3 + 3 + 2 + 2 + 2  # convolutions of the blocks, judge, embedding or classifier
        assert all(isinstance(layer, ours) == spectral for layer in found)
        assert not any(isinstance(layer, layers.BatchNormalization) for layer in network.layers)


def test_scale_of_spectral_weights_says_nothing():
    network = resnet.discriminator((32, 32, 3), width=2)
    images = np.tanh(noise(2, 32, 32, 3))
    before = network(images).numpy()
    for variable in network.trainable_variables:
        if variable.name == "kernel":
            variable.assign(variable * 5)
    np.testing.assert_allclose(network(images), before, rtol=1e-3)


def test_critic_judges_every_picture_on_its_own_and_takes_a_gradient_penalty():
    keras.utils.set_random_seed(0)  # of one channel, it may be dead, and has no slope
    critic = resnet.discriminator((32, 32, 3), width=1, spectral=False)
    images = tf.tanh(noise(3, 32, 32, 3))
    together = critic(images, training=True).numpy()
    alone = [critic(images[i : i + 1], training=True).numpy()[0] for i in range(3)]
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(images)
            logits = critic(images, training=True)
        norms = tf.norm(tf.reshape(inner.gradient(logits, images), [3, -1]), axis=1)
        penalty = tf.reduce_mean((norms - 1) ** 2)
    kernels = [layer.kernel for layer in critic.layers if hasattr(layer, "kernel")]
    for gradient in outer.gradient(penalty, [kernel.value for kernel in kernels]):
        assert np.isfinite(gradient).all() and abs(gradient.numpy()).max() > 0


@pytest.mark.parametrize("condition", ["none", "projection"])
def test_bfloat16(bfloat16, condition):
    options = {"width": 1, "num_classes": 3, "condition": condition}
    labels = np.array([0, 1, 2], "int32")

    def join(x):
        return [x, tf.constant(labels)] if condition == "projection" else x

    generator, discriminator = (build((32, 32, 3), **options) for build in (resnet.generator, resnet.discriminator))
    with tf.GradientTape() as tape:
        images = generator(join(tf.constant(noise(3, 128))), training=True)
        logits = discriminator(join(images), training=True)
        loss = tf.reduce_mean(logits)
    assert images.dtype == logits.dtype == "float32"
    for gradient in tape.gradient(loss, [v.value for v in generator.trainable_variables]):
        assert np.isfinite(tf.convert_to_tensor(gradient)).all()


@pytest.mark.parametrize("condition", ["none", "projection"])
def test_exports_need_keras_alone(condition):
    made = resnet.generator((32, 32, 3), width=1, num_classes=3, condition=condition, latent_dim=4)
    shake(made)
    copy = keras.models.clone_model(made, clone_function=_plain)
    copy.set_weights(made.get_weights())
    assert all(type(layer).__module__.startswith("keras.") for layer in copy.layers)
    inputs = [noise(3, 4), np.array([0, 1, 2], "int32")] if condition == "projection" else noise(3, 4)
    np.testing.assert_allclose(copy(inputs), made(inputs), atol=1e-6)
