"""Each system moves each of its networks against the gradient of the objective that it documents, and no other."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from losses import adversarial
from losses.clipping import clipped
from losses.penalties import Penalty, r1
from models.adain import AdaIN
from models.base import key
from models.content_style_gan import ContentStyleGAN
from models.cyclegan import NOISE_A, NOISE_B, CycleGAN
from models.fast_style import FastStyle
from models.networks import adain, patchgan, srresnet, unet, vgg
from models.networks.transform_net import transformer
from models.perceptual import Perceptual
from models.pix2pix import Pix2Pix
from models.srgan import SRGAN

LAYERS = ["block1_conv1", "block2_conv1"]


def judge_of(image_shape, **options) -> keras.Model:
    """A discriminator of patches that has an opinion: as it begins, its slopes would be lost beside other terms."""
    network = patchgan.discriminator(image_shape, width=4, receptive_field=16, normalization="none", **options)
    for variable in network.trainable_variables:
        variable.assign(variable * 10)
    return network


@pytest.fixture
def pictures():
    """Draws pictures, the same in each test."""
    random = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    return lambda *shape: tf.constant(random.uniform(-0.9, 0.9, shape), tf.float32)


def check_descent(model, variables, data, objective) -> None:
    """A step of plain descent at a rate of 1 moves `variables` by the gradient of `objective()`, and no further."""
    with tf.GradientTape() as tape:
        loss = objective()
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]  # a table's comes as rows
    before = [variable.numpy() for variable in variables]
    model.train_step(data)
    largest = max(float(tf.reduce_max(abs(gradient))) for gradient in gradients)
    assert largest > 1e-4
    for variable, value, gradient in zip(variables, before, gradients, strict=True):
        np.testing.assert_allclose(
            value - variable, gradient, rtol=1e-2, atol=1e-3 * largest, err_msg=variable.path
        )


def check_training(model, networks, data, objective) -> None:
    """Checks the descent of `networks`, and that the running average of each, which is exported, follows it."""
    averages = list(model.exports.values())
    before = [average.get_weights() for average in averages]
    check_descent(model, [each for one in networks for each in one.trainable_variables], data, objective)
    for network, average, values in zip(networks, averages, before, strict=True):
        for weight, mean, value in zip(network.weights, average.weights, values, strict=True):
            wanted = 0.1 * value + 0.9 * weight  # of the first step the average takes nine tenths
            np.testing.assert_allclose(mean, wanted, rtol=1e-5, atol=1e-6, err_msg=mean.path)


def compiled(model, generator: float, discriminator: float, **options):
    """A model with plain descent at these rates, by hinge losses."""
    losses = adversarial.hinge_generator_loss, adversarial.hinge_discriminator_loss
    model.compile(keras.optimizers.SGD(generator), keras.optimizers.SGD(discriminator), *losses, **options)
    return model


def hinge(real, fake):
    return tf.reduce_mean(tf.nn.relu(1 - real)) + tf.reduce_mean(tf.nn.relu(1 + fake))


def pix2pix() -> Pix2Pix:
    return Pix2Pix(
        partial(unet.generator, width=4, dropout=0.0), judge_of, (32, 32, 3), (32, 32, 1), reconstruction_weight=7.0
    )


def test_pix2pix_translates(pictures):
    model, source, target = compiled(pix2pix(), 1.0, 0.0), pictures(2, 32, 32, 1), pictures(2, 32, 32, 3)

    def objective():
        image = model.generator(source, training=True)
        judged = model.discriminator([image, source], training=True)
        return 7.0 * tf.reduce_mean(abs(image - target)) - tf.reduce_mean(judged)

    check_training(model, [model.generator], {"source": source, "target": target}, objective)


def test_pix2pix_fills_holes_by_what_vgg_sees(pictures, vgg_weights):
    options = {"reconstruction_weight": 7.0, "content_weight": 0.2, "style_weight": 90.0, "weights": vgg_weights}
    model = Pix2Pix(partial(unet.generator, width=4), judge_of, (32, 32, 3), (32, 32, 4), **options)
    compiled(model, 1.0, 0.0)
    holes = tf.cast(pictures(2, 32, 32, 1) > 0, tf.float32)
    source, target = tf.concat([pictures(2, 32, 32, 3) * (1 - holes), holes], -1), pictures(2, 32, 32, 3)
    layers = ["block1_conv2", "block2_conv2", "block3_conv3"]
    encoder = vgg.encoder(layers, vgg_weights, "vgg16")

    def gram(x):
        return tf.einsum("bhwc,bhwd->bcd", x, x) / tf.cast(tf.size(x[0]), tf.float32)

    def objective():
        image = clipped(model.generator(source, training=True))
        one, other = (encoder(pictures, training=False) for pictures in (image, target))
        judged = model.discriminator([image, source], training=True)
        error = tf.reduce_sum(abs(image - target) * holes) / tf.reduce_sum(holes) / 3
        content = sum(tf.reduce_mean((one[name] - other[name]) ** 2) for name in layers)
        style = sum(tf.reduce_mean((gram(one[name]) - gram(other[name])) ** 2) for name in layers)
        return 7.0 * error + 0.2 * content + 90.0 * style - tf.reduce_mean(judged)

    check_training(model, [model.generator], {"source": source, "target": target}, objective)


def test_pix2pix_judges_with_penalties(pictures):
    model, source, target = pix2pix(), pictures(2, 32, 32, 1), pictures(2, 32, 32, 3)
    compiled(model, 0.0, 1.0, penalties={"r1": Penalty(r1, 2.0, 1)})

    def objective():
        def judge(images):
            return model.discriminator([images, source], training=True)

        image = model.generator(source, training=True)
        with tf.GradientTape() as tape:
            tape.watch(target)
            total = tf.reduce_sum(tf.reduce_mean(judge(target), [1, 2]))
        slopes = tf.reduce_sum(tape.gradient(total, target) ** 2, [1, 2, 3])
        return hinge(judge(target), judge(image)) + 2.0 / 2 * tf.reduce_mean(slopes)

    check_descent(model, model.discriminator.trainable_variables, {"source": source, "target": target}, objective)


def cyclegan() -> CycleGAN:
    return CycleGAN(
        partial(transformer, width=4, blocks=1, edge=7), judge_of, (16, 16, 3),
        cycle_weight=0.3, identity_weight=0.2, cycle_noise=0.4,
    )  # fmt: skip


def test_cyclegan_translates(pictures):
    model, a, b = compiled(cyclegan(), 1.0, 0.0), pictures(2, 16, 16, 3), pictures(2, 16, 16, 3)
    there, back = (partial(network, training=True) for network in (model.a_to_b, model.b_to_a))
    draws = [key(0, purpose, model.step, 0) for purpose in (NOISE_A, NOISE_B)]
    noise_a, noise_b = (0.4 * tf.random.stateless_normal(a.shape, drawn) for drawn in draws)

    def objective():
        judged = model.discriminator_b(there(a), training=True), model.discriminator_a(back(b), training=True)
        noisy_a, noisy_b = back(b) + noise_a, there(a) + noise_b
        cycles = tf.reduce_mean(abs(back(noisy_b) - a)) + tf.reduce_mean(abs(there(noisy_a) - b))
        same = tf.reduce_mean(abs(there(b) - b)) + tf.reduce_mean(abs(back(a) - a))
        return 0.3 * cycles + 0.2 * same - sum(map(tf.reduce_mean, judged))

    check_training(model, [model.a_to_b, model.b_to_a], {"a": a, "b": b}, objective)


def test_cyclegan_judges_what_the_pool_of_each_kind_gives(pictures):
    model, a, b = compiled(cyclegan(), 0.0, 1.0), pictures(2, 16, 16, 3), pictures(2, 16, 16, 3)
    model.pool_a, model.pool_b = (lambda images, key: 0.5 * images), (lambda images, key: -images)

    def objective():
        judge_a, judge_b = (partial(one, training=True) for one in (model.discriminator_a, model.discriminator_b))
        fake_a, fake_b = model.b_to_a(b, training=True), model.a_to_b(a, training=True)
        return hinge(judge_a(a), judge_a(0.5 * fake_a)) + hinge(judge_b(b), judge_b(-fake_b))

    check_descent(model, model.trained_variables()[1], {"a": a, "b": b}, objective)


def srgan(pictures, vgg_weights, generator: float, discriminator: float, **options):
    """SRGAN with plain descent at these rates, and small and large pictures."""
    model = SRGAN(
        partial(srresnet.generator, width=4, blocks=1), partial(srresnet.discriminator, width=2), (32, 32, 3),
        (8, 8, 3), content_layer=LAYERS[1], weights=vgg_weights, **options,
    )  # fmt: skip
    data = {"source": pictures(2, 8, 8, 3), "target": pictures(2, 32, 32, 3)}
    return compiled(model, generator, discriminator), data


def test_srgan_begins_with_the_squared_error(pictures, vgg_weights):
    model, data = srgan(pictures, vgg_weights, 1.0, 0.0, pretrain_steps=1)

    def objective():
        return tf.reduce_mean((model.generator(data["source"], training=True) - data["target"]) ** 2)

    check_training(model, [model.generator], data, objective)


def test_srgan_enlarges(pictures, vgg_weights):
    weights = {"content_weight": 1e-3, "adversarial_weight": 2.0, "pixel_weight": 5.0}
    model, data = srgan(pictures, vgg_weights, 1.0, 0.0, pretrain_steps=0, **weights)
    large, encoder = data["target"], vgg.encoder([LAYERS[1]], vgg_weights, "vgg16")

    def objective():
        image = clipped(model.generator(data["source"], training=True))
        seen = [encoder(pictures, training=False)[LAYERS[1]] for pictures in (image, large)]
        judged = model.discriminator(image, training=True)
        error = 1e-3 * tf.reduce_mean((seen[0] - seen[1]) ** 2) + 5.0 * tf.reduce_mean(abs(image - large))
        return error - 2.0 * tf.reduce_mean(judged)

    check_training(model, [model.generator], data, objective)


def test_srgan_judges(pictures, vgg_weights):
    model, data = srgan(pictures, vgg_weights, 0.0, 1.0, pretrain_steps=0)

    def objective():
        image = clipped(model.generator(data["source"], training=True))
        return hinge(*(model.discriminator(images, training=True) for images in (data["target"], image)))

    check_descent(model, model.discriminator.trainable_variables, data, objective)


def of_any_style(painter: AdaIN, content, style, gram_weight: float = 0.0):
    """What AdaIN and its adversarial form minimise of a picture, and how it is painted."""
    encode = adain.encoder(painter.stylizer, {*LAYERS, adain.BOTTLENECK})
    seen, shown = encode(content)[adain.BOTTLENECK], encode(style)

    def moments(x):
        mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
        return mean, tf.sqrt(variance + 1e-5)

    (mean, deviation), (wanted, wide) = moments(seen), moments(shown[adain.BOTTLENECK])
    aim = (seen - mean) / deviation * wide + wanted

    def together(x):
        return tf.einsum("bhwi,bhwj->bij", x, x) / float(np.prod(x.shape[1:]))

    def objective(image):
        features = encode(image)
        content_loss = tf.reduce_mean((features[adain.BOTTLENECK] - aim) ** 2) / tf.reduce_mean(aim**2)
        pairs = [(features[name], shown[name]) for name in LAYERS]
        style_loss = 10.0 * sum(
            sum(tf.reduce_mean((one - other) ** 2) for one, other in zip(moments(x), moments(y), strict=True))
            / tf.reduce_mean(y**2)
            for x, y in pairs
        )
        grams = [(together(x), together(y)) for x, y in pairs]
        distances = [tf.reduce_mean((one - other) ** 2) / tf.reduce_mean(other**2) for one, other in grams]
        return content_loss + style_loss + gram_weight * sum(distances)

    return lambda: clipped(painter.decoder(aim, training=True)), objective


@pytest.mark.parametrize("gram_weight", [0.0, 20.0])
def test_adain_paints(pictures, vgg_weights, gram_weight):
    model, content, style = AdaIN(width=4, weights=vgg_weights), pictures(2, 32, 32, 3), pictures(2, 32, 32, 3)
    model.compile(keras.optimizers.SGD(1.0), LAYERS, gram_weight=gram_weight)
    paint, objective = of_any_style(model, content, style, gram_weight)
    data = {"content": content, "style": style}
    check_training(model, [model.stylizer], data, lambda: objective(paint()))


def adversarial_adain(pictures, vgg_weights, generator: float, discriminator: float):
    """AdaIN with an adversary and plain descent at these rates, and pictures in two styles."""
    weights = {"gram_weight": 20.0, "adversarial_weight": 3.0}
    model = ContentStyleGAN(judge_of, (32, 32, 3), LAYERS, 2, width=4, weights=vgg_weights, **weights)
    data = {"content": pictures(2, 32, 32, 3), "style": pictures(2, 32, 32, 3), "label": tf.constant([0, 1])}
    return compiled(model, generator, discriminator), data


def test_adain_with_an_adversary_paints(pictures, vgg_weights):
    model, data = adversarial_adain(pictures, vgg_weights, 1.0, 0.0)
    paint, objective = of_any_style(model.painter, data["content"], data["style"], gram_weight=20.0)

    def whole():
        image = paint()
        return objective(image) - 3.0 * tf.reduce_mean(model.discriminator([image, data["label"]], training=True))

    check_training(model, [model.painter.stylizer], data, whole)


def test_adain_with_an_adversary_judges_beside_works_of_the_style(pictures, vgg_weights):
    model, data = adversarial_adain(pictures, vgg_weights, 0.0, 1.0)
    paint, _ = of_any_style(model.painter, data["content"], data["style"])

    def objective():
        both = data["style"], paint()
        return hinge(*(model.discriminator([images, data["label"]], training=True) for images in both))

    check_descent(model, model.discriminator.trainable_variables, data, objective)


def test_fast_style_paints_the_styles_that_it_drew(pictures, vgg_weights):
    objective = Perceptual(LAYERS[1:], LAYERS, style_weight=100.0, weights=vgg_weights)
    styles, images = [pictures(1, 32, 32, 3), pictures(1, 48, 32, 3) ** 2], pictures(4, 32, 32, 3)
    limit = 20.0
    model = FastStyle(partial(transformer, 4, 1), {"a": styles[0][0], "b": styles[1][0]}, log_above=limit, seed=3)
    model.compile(keras.optimizers.SGD(1.0), objective)
    drawn = tf.random.stateless_uniform([4], key(3, 0, model.step, 0), 0, 2, tf.int32)
    assert set(drawn.numpy()) == {0, 1}
    wanted = [objective.style(objective.encoder(style)) for style in styles]

    def whole():
        painted = clipped(model.network([images, tf.one_hot(drawn, 2)], training=True))
        features = objective.encoder(painted)
        of_styles = {name: tf.concat([wanted[i][name] for i in drawn.numpy()], 0) for name in LAYERS}
        content_loss = objective.content_loss(features, objective.content_of(images))
        style_loss = objective.style_loss(objective.style(features), of_styles)
        assert style_loss > 2 * limit
        return content_loss + limit * (1 + tf.math.log(style_loss / limit))

    check_training(model, [model.network], {"image": images}, whole)
