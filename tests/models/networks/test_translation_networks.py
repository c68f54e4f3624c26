"""The networks of translation against the papers' and the authors' numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from core.errors import GessoError
from models import trained
from models.layers.holes import FilledHoles, GrainyHoles
from models.networks import patchgan, srresnet, unet

random = np.random.default_rng(0)


def trainable(network: keras.Model) -> int:
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def test_unet_has_the_reference_s_parameters():
    # junyanz/pytorch-CycleGAN-and-pix2pix prints 54.414 M for unet_256
    network = unet.generator((256, 256, 3), (256, 256, 3), upsampling="transposed")
    assert trainable(network) == 54_414_019
    sizes = [
        layer.output.shape[-1]
        for layer in network.layers
        if layer.name.startswith("down") and "_" not in layer.name[5:]
    ]
    assert sizes == [64, 128, 256, 512, 512, 512, 512, 512]


@pytest.mark.parametrize(("upsampling", "plain"), [("resize", True), ("smooth", True), ("transposed", False)])
def test_a_plain_source_gives_a_plain_picture(upsampling, plain):
    """Far from the borders; else what is painted is a grid."""
    keras.utils.set_random_seed(0)
    network = unet.generator((32, 32, 3), (32, 32, 3), width=4, upsampling=upsampling)
    image = network(np.full((1, 512, 512, 3), 0.5, np.float32)).numpy()[0, 192:320, 192:320]
    assert (np.ptp(image, axis=(0, 1)).max() < 1e-5) == plain


def test_unet_takes_larger_pictures_and_any_source():
    network = unet.generator((32, 32, 3), (32, 32, 4), width=4)
    assert network(np.zeros((2, 32, 32, 4), np.float32)).shape == (2, 32, 32, 3)
    assert network(np.zeros((1, 64, 96, 4), np.float32)).shape == (1, 64, 96, 3)
    with pytest.raises(ValueError, match="squares"):
        unet.generator((48, 48, 3), (48, 48, 3))


def test_unet_s_bottleneck_of_a_larger_picture_is_the_small_one_s_repeated():
    """Of its kernels there, only taps that were trained take part: places do not mix."""
    network = unet.generator((32, 32, 3), (32, 32, 3), width=4)
    down, up = network.get_layer("down_1"), network.get_layer("up_2")
    cell = random.normal(size=(1, 2, 2, 32)).astype(np.float32)
    np.testing.assert_allclose(down(np.tile(cell, (1, 2, 2, 1))), np.tile(down(cell), (1, 2, 2, 1)), atol=1e-6)
    place = random.normal(size=(1, 1, 1, 32)).astype(np.float32)
    np.testing.assert_allclose(up(np.tile(place, (1, 2, 2, 1))), np.tile(up(place), (1, 2, 2, 1)), atol=1e-6)


def test_holes_are_filled_smoothly():
    ramp = np.broadcast_to(np.linspace(-1, 1, 32, dtype=np.float32)[None, :, None], (32, 32, 3))
    holes = np.zeros((32, 32, 1), np.float32)
    holes[5:14, 8:20] = holes[25, :] = 1
    pictures = np.stack([np.full_like(ramp, 0.3), ramp, random.uniform(-1, 1, (32, 32, 3)), ramp]).astype(
        np.float32
    )
    masks = np.stack([holes, holes, holes, np.ones_like(holes)])
    junk = np.where(masks > 0, np.float32(random.uniform(-1, 1)), pictures)
    found = FilledHoles(5)(np.concatenate([junk, masks], axis=-1)).numpy()
    seen = holes[..., 0] < 0.5
    np.testing.assert_array_equal(found[:3, seen], pictures[:3, seen])
    np.testing.assert_allclose(found[0], 0.3, rtol=1e-6)
    assert abs(found[1] - ramp).max() < 0.25 < abs(ramp[:, 8:20]).max()  # what is around, not the mean of all
    np.testing.assert_array_equal(found[3], 0)


def test_unet_paints_only_the_holes(tmp_path):
    network = unet.generator((32, 32, 3), (32, 32, 4), width=4)
    network.save(tmp_path / "holes.keras")
    picture = random.uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
    hole = np.zeros((1, 32, 32, 1), np.float32)
    hole[:, 8:20, 4:12] = 1
    source = np.concatenate([picture * (1 - hole), hole], axis=-1)
    image = keras.models.load_model(tmp_path / "holes.keras")(source).numpy()
    np.testing.assert_array_equal(image, network(source))
    known = np.broadcast_to(hole == 0, picture.shape)
    np.testing.assert_array_equal(image[known], picture[known])
    np.testing.assert_array_equal(image, FilledHoles(5)(source))  # at first
    network.get_layer("out").bias.assign([0.1, 0.2, 0.3])
    assert (network(source).numpy() != image)[~known].all()


def test_grain_is_in_holes_alone_and_drawn_anew_in_training():
    picture = random.uniform(-1, 1, (3, 32, 32, 3)).astype(np.float32)
    holes = np.zeros((3, 32, 32, 1), np.float32)
    holes[:, 4:28, 4:28] = 1
    layer = GrainyHoles(0.5, seed=1)
    given = layer([picture, holes]).numpy() - picture
    np.testing.assert_array_equal(layer([picture, holes]).numpy() - picture, given)
    np.testing.assert_array_equal(given[0] != 0, np.broadcast_to(holes[0] > 0, given[0].shape))
    np.testing.assert_allclose(given[0], given[2], atol=1e-6)
    drawn = [layer([picture, holes], training=True).numpy() - picture for _ in range(2)]
    inside = np.stack(drawn)[:, :, 4:28, 4:28].reshape(6, -1)
    assert np.std(inside) == pytest.approx(0.5, rel=0.03) and abs(np.corrcoef(inside) - np.eye(6)).max() < 0.1
    same = GrainyHoles(0.5, seed=1)([picture, holes], training=True)
    np.testing.assert_allclose(same - picture, drawn[0], atol=1e-6)


def test_unet_sees_grain_in_holes_and_keeps_what_is_known():
    network = unet.generator((32, 32, 3), (32, 32, 4), width=4, noise=0.5)
    network.get_layer("out").kernel.assign(random.normal(0, 0.1, network.get_layer("out").kernel.shape))
    hole = np.zeros((2, 32, 32, 1), np.float32)
    hole[:, 8:20, 4:12] = 1
    source = np.concatenate([0.3 * (1 - hole).repeat(3, -1), hole], axis=-1)
    drawn, again = (network(source, training=True).numpy() for _ in range(2))
    known = np.broadcast_to(hole == 0, drawn.shape)
    np.testing.assert_array_equal(drawn[known], np.float32(0.3))
    assert (drawn != again)[~known].mean() > 0.99
    used = network(source).numpy()
    np.testing.assert_array_equal(network(source).numpy(), used)
    assert used[0, 8:20, 4:12].std() > 1e-3  # the source is plain


def test_unet_gets_layers_at_full_size_that_at_first_add_nothing():
    without, with_them = (unet.generator((32, 32, 3), (32, 32, 1), width=4, full_width=full) for full in (0, 6))
    trained.take_over(without, with_them, beyond=unet.FULL)
    source = random.uniform(-1, 1, (2, 32, 32, 1)).astype(np.float32)
    np.testing.assert_array_equal(without(source), with_them(source))
    with_them.get_layer("full_out").kernel.assign(random.normal(size=(3, 3, 6, 3)))
    again = unet.generator((32, 32, 3), (32, 32, 1), width=4, full_width=6)
    trained.take_over(with_them, again, beyond=unet.FULL)
    np.testing.assert_array_equal(with_them(source), again(source))
    assert not np.allclose(without(source), again(source), atol=1e-3)
    for start, other in [(with_them, without), (without, unet.generator((32, 32, 3), (32, 32, 1), width=8))]:
        with pytest.raises(GessoError, match="other sizes"):
            trained.take_over(start, other, beyond=unet.FULL)


def test_unet_passes_the_source_past_its_bottleneck():
    """With the bottleneck cut, what differs between sources still differs in the result."""
    network = unet.generator((32, 32, 3), (32, 32, 1), width=4)
    innermost = network.get_layer("down_1")
    innermost.set_weights([np.zeros_like(weight) for weight in innermost.get_weights()])
    a, b = (random.uniform(-1, 1, (1, 32, 32, 1)).astype(np.float32) for _ in range(2))
    assert not np.allclose(network(a), network(b), atol=1e-6)


def test_patchgan_has_the_reference_s_parameters():
    # the reference prints 2.769 M for the 70 px discriminator of pairs
    network = patchgan.discriminator((256, 256, 3), (256, 256, 3))
    assert trainable(network) == 2_768_705
    assert network.compute_output_shape([(1, 256, 256, 3)] * 2) == (1, 30, 30, 1)


@pytest.mark.parametrize("field", patchgan.RECEPTIVE_FIELDS)
def test_receptive_field(field):
    """A logit in the middle changes with pixels of a square of that side, and with no others."""
    keras.utils.set_random_seed(0)
    network = patchgan.discriminator((512, 512, 1), receptive_field=field, width=2, normalization="none")
    image = tf.random.normal([1, 512, 512, 1], seed=1)
    with tf.GradientTape() as tape:
        tape.watch(image)
        logits = network(image)
        logit = logits[0, logits.shape[1] // 2, logits.shape[2] // 2, 0]
    seen = np.argwhere(tape.gradient(logit, image).numpy()[0, :, :, 0] != 0)
    assert (seen.max(0) - seen.min(0) + 1).tolist() == [field, field]


def test_patches_know_the_label():
    keras.utils.set_random_seed(0)
    network = patchgan.discriminator((64, 64, 3), width=4, normalization="none", num_classes=3, spectral=True)
    image = random.uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    one, two = (network([image, np.array([label])]).numpy() for label in (0, 1))
    assert one.shape == (1, 6, 6, 1)
    assert (one != two).all()


def test_srresnet_enlarges():
    network = srresnet.generator((96, 96, 3), (24, 24, 3))
    # The paper's SRResNet has some 1.5 million parameters; counted by hand from its figure 4.
    block = 2 * (9 * 64 * 64 + 2 * 64) + 64
    expected = (243 * 64 + 64 + 64) + 16 * block + (9 * 64 * 64 + 2 * 64)
    expected += 2 * (9 * 64 * 256 + 256 + 64) + (81 * 64 * 3 + 3)
    assert trainable(network) == expected
    small = random.uniform(-1, 1, (1, 7, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(network(small), tf.image.resize(small, (28, 20), "bicubic"), atol=1e-5)
    with pytest.raises(ValueError, match="2, 4 or 8"):
        srresnet.generator((72, 72, 3), (24, 24, 3))


def test_doublings_begin_with_equal_neighbours():
    network = srresnet.generator((32, 32, 3), (8, 8, 3), width=4, blocks=1)
    up = srresnet.PixelShuffle()(
        network.get_layer("up1")(np.random.default_rng(0).normal(size=(1, 5, 6, 4)))
    ).numpy()
    np.testing.assert_allclose(up, np.kron(up[:, ::2, ::2], np.ones((1, 2, 2, 1))), atol=1e-6)
    assert np.ptp(up) > 0.1


def test_pixel_shuffle_is_depth_to_space():
    x = random.normal(size=(2, 3, 4, 8)).astype(np.float32)
    np.testing.assert_array_equal(srresnet.PixelShuffle()(x), tf.nn.depth_to_space(x, 2))


def test_srgan_discriminator_is_the_paper_s():
    network = srresnet.discriminator((96, 96, 3))
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.filters for layer in layers] == [64, 64, 128, 128, 256, 256, 512, 512]
    assert [layer.strides[0] for layer in layers] == [1, 2] * 4
    assert network(np.zeros((2, 96, 96, 3), np.float32)).shape == (2,)
