import keras
import numpy as np
import pytest

from models.networks import dcgan


def trainable(network: keras.Model) -> int:
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def kernels(network: keras.Model) -> list[tuple[int, ...]]:
    return [tuple(v.shape) for v in network.trainable_variables if v.name == "kernel"]


def test_parameter_counts_of_the_reference_implementation():
    # pytorch/examples/dcgan with nz=100, ngf=ndf=64, nc=3
    assert trainable(dcgan.generator((64, 64, 3))) == 3_576_704
    assert trainable(dcgan.discriminator((64, 64, 3))) == 2_765_568


def test_layer_table_of_the_reference_implementation():
    # Transposed kernels are [height, width, out, in]; the 1x1 and 4x4 ends are matrices here.
    assert kernels(dcgan.generator((64, 64, 3))) == [
        (100, 4 * 4 * 512), (4, 4, 256, 512), (4, 4, 128, 256), (4, 4, 64, 128), (4, 4, 3, 64),
    ]  # fmt: skip
    assert kernels(dcgan.discriminator((64, 64, 3))) == [
        (4, 4, 3, 64), (4, 4, 64, 128), (4, 4, 128, 256), (4, 4, 256, 512), (4 * 4 * 512, 1),
    ]  # fmt: skip


def test_a_layer_more_at_full_size():
    found = kernels(dcgan.generator((64, 64, 3), full_width=16))
    assert found[:-2] == kernels(dcgan.generator((64, 64, 3)))[:-1]
    assert found[-2:] == [(4, 4, 16, 64), (3, 3, 16, 3)]  # 32 to 64 px, then colours
    judge = dcgan.discriminator((64, 64, 3), full_width=16)
    assert kernels(judge)[:2] == [(3, 3, 3, 16), (4, 4, 16, 64)]
    assert judge.get_layer("full_64").output.shape[1:] == (64, 64, 16)
    assert kernels(judge)[2:] == kernels(dcgan.discriminator((64, 64, 3)))[1:]


def test_initial_weights_are_the_papers():
    network = dcgan.discriminator((64, 64, 3))
    values = np.concatenate([v.numpy().ravel() for v in network.trainable_variables if v.name == "kernel"])
    assert values.std() == pytest.approx(0.02, rel=0.01)
    gammas = np.concatenate([v.numpy() for v in network.trainable_variables if v.name == "gamma"])
    assert gammas.mean() == pytest.approx(1, abs=0.01) and gammas.std() == pytest.approx(0.02, rel=0.15)


@pytest.mark.parametrize("size", [16, 32, 64, 128, 256])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_size(size, channels):
    shape = (size, size, channels)
    images = dcgan.generator(shape, latent_dim=7, width=2)(np.random.normal(size=(3, 7)).astype("float32"))
    assert images.shape == (3, *shape) and images.dtype == "float32"
    assert float(abs(images.numpy()).max()) <= 1
    logits = dcgan.discriminator(shape, width=2)(images)
    assert logits.shape == (3,) and logits.dtype == "float32"


@pytest.mark.parametrize("shape", [(48, 48, 3), (8, 8, 3), (64, 32, 3)])
def test_refuses_sizes_that_it_cannot_make(shape):
    with pytest.raises(ValueError, match="square pictures"):
        dcgan.generator(shape)
    with pytest.raises(ValueError, match="square pictures"):
        dcgan.discriminator(shape)


def test_strided_layers_pad_as_pytorch_does():
    # Padding of 1 on every side: an impulse in the corner reaches the kernel's inner rows only.
    network = dcgan.discriminator((16, 16, 1), width=1)
    layer = network.get_layer("down_8")
    kernel = np.arange(16, dtype="float32").reshape(4, 4, 1, 1)
    layer.set_weights([kernel])
    image = np.zeros((1, 16, 16, 1), "float32")
    image[0, 0, 0] = 1
    assert layer(image).numpy()[0, 0, 0, 0] == kernel[1, 1, 0, 0]


def test_resizing_paints_no_grid():
    # Of a constant picture it makes a constant one, but for the edge; a transposed convolution leaves a pattern.
    network = dcgan.generator((16, 16, 1), width=4, upsampling="resize")
    layer = network.get_layer("up_16")
    painted = layer(np.ones((1, 8, 8, layer.kernel.shape[-1]), "float32")).numpy()[:, 1:-1, 1:-1]
    assert np.ptp(painted) < 1e-5 < abs(painted).max()
    with pytest.raises(ValueError, match="upsampling"):
        dcgan.generator((16, 16, 1), upsampling="bilinear")


@pytest.mark.parametrize("condition", ["none", "projection", "text"])
def test_a_modulated_generator_scales_by_the_latent_and_the_label(condition):
    """It begins as one that is not; then what scales a layer differs from picture to picture."""
    classes, labels = 0 if condition == "none" else 3, np.array([0, 1, 1])
    network = dcgan.generator((16, 16, 1), 4, 2, num_classes=classes, condition=condition, modulated=True)
    gamma = network.get_layer("up_8_norm_gamma")
    scales = keras.Model(network.inputs, gamma.output)
    latents = np.array([[0, 1, 2, 3], [0, 1, 2, 3], [3, 2, 1, 0]], "float32")
    known = [] if condition == "none" else [np.eye(3, dtype="float32")[labels] if condition == "text" else labels]
    np.testing.assert_allclose(*np.broadcast_arrays(scales([latents, *known]), gamma.bias.numpy()))
    gamma.kernel.assign(np.random.default_rng(0).normal(size=gamma.kernel.shape))
    found = scales([latents, *known]).numpy()
    assert np.allclose(found[0], found[1]) == (condition == "none")
    assert not np.allclose(found[1], found[2])


@pytest.mark.parametrize(("label_dim", "least", "most"), [(100, 0.8, 1.25), (0, 0.05, 0.2)])
def test_how_well_a_label_is_heard_beside_a_latent(label_dim, least, most):
    keras.utils.set_random_seed(0)
    options = {"num_classes": 40, "condition": "projection", "modulated": True, "label_dim": label_dim}
    network = dcgan.generator((16, 16, 1), 100, 2, **options)
    heard = keras.Model(network.inputs, network.get_layer("modulation").output)
    latents = np.random.default_rng(0).normal(size=(40, 100)).astype("float32")
    by_label = heard([np.repeat(latents[:1], 40, 0), np.arange(40)]).numpy().std(0).mean()
    by_latent = heard([latents, np.zeros(40, np.int32)]).numpy().std(0).mean()
    assert least < by_label / by_latent < most
