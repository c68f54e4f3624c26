"""Words as a condition: text encoder, contrastive loss, what sentences do in networks, and training with them."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from core.network_metadata import Metadata
from core.run import Run
from losses import adversarial, penalties
from losses.contrastive import info_nce
from models import trained
from models.gan import GAN
from models.networks import dcgan
from models.networks.condition import sentence_outputs
from models.text_encoder import TextEncoder
from models.words import Words, steered
from training import checkpoint

SHAPE = (16, 16, 1)
TEXTS = tf.constant(["a red circle", "a blue square", "red, a circle", "a black line"])
IMAGES = tf.random.stateless_uniform([4, *SHAPE], (1, 2), -1, 1)


def test_info_nce_by_hand():
    one, other = np.eye(3, dtype="float32"), np.roll(np.eye(3, dtype="float32"), 1, axis=0)
    own = math.exp(2) / (math.exp(2) + 2)
    assert float(info_nce(one, one, 2.0)) == pytest.approx(-math.log(own))
    assert float(info_nce(one, other, 2.0)) == pytest.approx(-math.log(1 / (math.exp(2) + 2)))
    nobodys = np.concatenate([one, -one])
    assert float(info_nce(one, nobodys, 2.0)) == pytest.approx(
        -math.log(math.exp(2) / (math.exp(2) + 4 + math.exp(-2)))
    )
    said_of_two = one[[0, 0, 1]]  # both are right: the best is to be undecided between them
    told = -(math.log(math.exp(2) / (2 * math.exp(2) + 1)) * 2 + math.log(math.exp(2) / (math.exp(2) + 2))) / 3
    assert float(info_nce(said_of_two, said_of_two, 2.0)) == pytest.approx(told)
    assert float(info_nce(said_of_two, one, 2.0, meanings=said_of_two)) == pytest.approx(
        -(2 * (1 - math.log(math.exp(2) + 2)) + math.log(1 / (math.exp(2) + 2))) / 3
    )  # of three targets that differ, the first two are right for both that say the same
    rounded = 0.999 * one  # a GPU's product of a unit vector with itself is no 1
    assert float(info_nce(one, rounded, 2.0)) == pytest.approx(-math.log(own), rel=2e-3)


def test_matching_aware_penalty_is_of_pictures_and_sentences():
    sentences = tf.constant([[1.0, 0.0], [0.0, 2.0]])
    images = tf.zeros([2, 2, 2, 1])

    def critic(images, sentences=sentences):
        return tf.reduce_sum(images, axis=(1, 2, 3)) + tf.reduce_sum(sentences**2, axis=1) / 2

    critic.sentences = sentences  # slopes: 2 in pictures, the sentence's own length in it
    value = penalties.matching_aware(critic, images, images, tf.constant([0, 0]), power=3.0)
    assert float(value) == pytest.approx((3**3 + 4**3) / 2)


def test_matching_aware_penalty_teaches_the_critic():
    """Scores are a times pictures' sum and b of sentences': (2 |a| + |b| |s|)^3, by a and b."""
    a, b, sentences = tf.Variable(0.5), tf.Variable(2.0), tf.constant([[1.0, 0.0], [0.0, 2.0]])

    def critic(images, sentences=sentences):
        return a * tf.reduce_sum(images, axis=(1, 2, 3)) + b * tf.reduce_sum(sentences**2, axis=1) / 2

    critic.sentences = sentences
    with tf.GradientTape() as tape:
        value = penalties.matching_aware(critic, tf.zeros([2, 2, 2, 1]), None, tf.constant([0, 0]), power=3.0)
    lengths = np.array([1.0, 2.0])
    slopes = 2 * 0.5 + 2 * lengths
    assert float(value) == pytest.approx((slopes**3).mean())
    expected = (3 * slopes**2 * 2).mean(), (3 * slopes**2 * lengths).mean()
    np.testing.assert_allclose(tape.gradient(value, [a, b]), expected, rtol=1e-5)


def test_mismatched_pictures_are_judged_with_the_sentence_before():
    features, sentence = keras.Input((5,)), keras.Input((3,))
    alone = keras.layers.Dense(1)(features)
    network = keras.Model([features, sentence], sentence_outputs(alone, features, sentence))
    x, s = (np.random.default_rng(i).normal(size=(4, n)).astype("float32") for i, n in enumerate((5, 3)))
    found, shifted = network([x, s]), network([x, np.roll(s, 1, axis=0)])
    np.testing.assert_allclose(found["mismatched_logits"], shifted["logits"], rtol=1e-5)
    assert found["logits"].shape == (4,) and not np.allclose(found["logits"], shifted["logits"])
    np.testing.assert_allclose(np.linalg.norm(found["sentence"], axis=1), 1, rtol=1e-5)


def test_a_sentence_is_read_whatever_stands_beside_it(tiny_words):
    words = tiny_words()
    vectors = words.vectors(["a red circle", "circle red a", "a blue square"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3  # the order counts
    np.testing.assert_allclose(words.lookup()(TEXTS), words.vectors([t.decode() for t in TEXTS.numpy()]), atol=1e-6)
    assert (
        words.lookup(vectors=False)(TEXTS).numpy().tolist()
        == words.vocabulary.tokens([text.decode() for text in TEXTS.numpy()]).tolist()
    )


def test_sentences_move_away_from_what_is_unwanted():
    sentences = np.array([[1.0, 0.0], [0.6, 0.8]], np.float32)
    moved = steered(sentences, np.array([[0.0, 1.0]], np.float32))
    np.testing.assert_allclose(moved, [[1.5, -0.5] / np.sqrt(2.5), [0.9, 0.7] / np.sqrt(1.3)], rtol=1e-5)
    np.testing.assert_array_equal(steered(sentences, np.zeros((0, 2), np.float32)), sentences)
    twice = steered(sentences[:1], np.array([[0.0, 1.0], [0.0, -1.0]], np.float32))
    np.testing.assert_allclose(twice, sentences[:1], atol=1e-6)  # from both sides: it stays


def test_sentences_that_are_shown_share_few_words():
    captions = [["a red circle"], ["a red circle on white"], ["a blue square"], ["a red circle"]] * 9
    assert Words(None, None, captions).shown == ("a red circle", "a blue square", "a red circle on white")
    many = [[f"number {i}"] for i in range(20)] + [["something else"]]
    shown = Words(None, None, many).shown
    assert len(shown) == len(set(shown)) == 8 and shown[1] == "something else"


def compiled(words, **options) -> GAN:
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    model = GAN(
        lambda **a: dcgan.generator(**a, width=8),
        lambda **a: dcgan.discriminator(**a, width=2),
        image_shape=SHAPE, condition="text", words=words, latent_dim=4, **options,
    )  # fmt: skip
    losses = adversarial.hinge_generator_loss, adversarial.hinge_discriminator_loss
    model.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2), *losses)
    return model


def test_a_resumed_training_with_words_is_the_same_and_the_export_reads_by_itself(tmp_path, tiny_words):
    model = compiled(tiny_words())
    data = {"image": IMAGES, "text": TEXTS}
    for step in range(2):
        if step == 1:
            checkpoint.save(Run(tmp_path), model, keep=1)
        model.train_step(model.prepare(data))
    again = compiled(tiny_words())
    for variable in again.words.network.variables:  # of another training: those of the checkpoint count
        variable.assign(variable + 1)
    assert checkpoint.restore(Run(tmp_path), again) == 1
    again.train_step(again.prepare(data))
    for one, other in zip(checkpoint.variables(model), checkpoint.variables(again), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy(), err_msg=one.path)
    assert model.preview(columns=2).shape == (2 * len(model.words.shown), *SHAPE)

    path, known = tmp_path / "generator.keras", model.words.vocabulary
    what = Metadata("generator", words=known.words, sentence_length=known.length)
    trained.save(model.exports["generator"], path, what)
    network, metadata = trained.load(path, "generator")
    texts, latents = ["two red squares", "a black circle"], np.float32([[1, -1, 2, 0]] * 2)
    drawn = trained.drawer(network)(latents, metadata.vocabulary.tokens(texts))
    reader, painter = trained.parts(network)
    vectors = np.asarray(reader(metadata.vocabulary.tokens(texts)))
    np.testing.assert_allclose(vectors, model.words.vectors(texts), atol=1e-6)
    np.testing.assert_allclose(trained.drawer(painter)(latents, vectors), drawn, atol=1e-6)
    assert np.abs(drawn[0] - drawn[1]).max() > 1e-4


def test_without_a_text_encoder_there_are_no_words():
    with pytest.raises(ValueError, match="needs words"):
        compiled(None)
    with pytest.raises(ValueError, match="matching compares pictures with sentences"):
        GAN(dcgan.generator, dcgan.discriminator, image_shape=SHAPE, matching=1.0)


def test_a_generator_learns_by_what_the_text_encoder_takes_its_pictures_for(tiny_words):
    """The loss is that of the frozen encoder on the pictures before the step, and it falls by its own gradient.

    The discriminator beside it is judged on three kinds of pairs (DF-GAN).
    """
    keras.utils.set_random_seed(0)
    model = compiled(tiny_words(), matching=100.0)
    batch = model.prepare({"image": IMAGES, "text": TEXTS})
    frozen = [weight.numpy() for weight in model.words.network.weights]
    fakes = model._fakes(IMAGES, batch["label"], 0)
    expected = float(info_nce(model.words.look(fakes), batch["label"], 10.0))
    of_others = tf.roll(batch["label"], 1, axis=0)
    pairs = [IMAGES, batch["label"]], [fakes, batch["label"]], [IMAGES, of_others]
    told = float(info_nce(model.discriminator(pairs[0], training=True)["sentence"], batch["label"], 10.0))
    real, fake, mismatched = (model.discriminator(pair, training=True)["logits"].numpy() for pair in pairs)
    below, above, beside = (np.maximum(0, 1 + logits).mean() for logits in (-real, fake, mismatched))
    step, losses, judged, sentences = tf.function(model.train_step), [], [], []
    for _ in range(30):
        model.reset_metrics()
        means = step(batch)
        sentences.append(float(means["discriminator_sentence_loss"]))
        losses.append(float(means["matching_loss"]))
        judged.append(float(means["discriminator_loss"]))
    assert losses[0] == pytest.approx(expected, rel=1e-4) and sentences[0] == pytest.approx(told, rel=1e-4)
    assert judged[0] == pytest.approx(below + (above + beside) / 2, rel=1e-4) and abs(above - beside) > 1e-2
    assert np.mean(losses[-5:]) < losses[0] - 0.02
    for before, weight in zip(frozen, model.words.network.weights, strict=True):
        np.testing.assert_array_equal(before, weight)


def test_a_text_encoder_learns_what_belongs_together():
    """Of four pictures, each of one brightness: after some steps each calls up its own sentence.

    The first loss is written out: sentences are told from each other, and from themselves misread.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    captions = [["black"], ["dark grey", "grey dark"], ["light grey"], ["white"]]
    images = tf.constant(np.linspace(-1, 1, 4)[:, None, None, None] * np.ones(SHAPE), tf.float32)
    model = TextEncoder(SHAPE, captions, dimensions=8, width=2, ema_decay=0.0)
    model.compile(keras.optimizers.Adam(1e-2))
    data = model.prepare({"image": images, "text": tf.constant([said[0] for said in captions])})
    misread, vectors = model._misread(data["tokens"]), model.network([data["tokens"], images], training=True)
    read = np.concatenate([data["tokens"], misread])
    said = np.concatenate([vectors["sentence"], model.network.get_layer("sentences")(misread)])
    alike = np.all(data["tokens"].numpy()[:, None] == read, axis=2)  # some are misread as what is said of another
    logits = vectors["picture"].numpy() @ said.T / 0.07
    told = tf.nn.softmax_cross_entropy_with_logits(alike / alike.sum(axis=1, keepdims=True), logits)
    back = tf.nn.softmax_cross_entropy_with_logits(np.eye(4), logits[:, :4].T)
    step = tf.function(model.train_step)
    before = float(step(data)["contrastive_loss"])
    for mean, weight in zip(model.average.weights, model.network.weights, strict=True):
        np.testing.assert_allclose(mean, weight, atol=1e-6, err_msg=mean.path)  # at a decay of 0
    assert before == pytest.approx(np.mean(told + back) / 2, rel=1e-4)
    for _ in range(30):
        step(data)
    model.reset_metrics()
    means = step(data)
    changed = (model._misread(data["tokens"]) != data["tokens"]).numpy()
    assert (changed.sum(axis=1) <= 1).all() and not changed[data["tokens"].numpy() == 0].any()
    assert float(means["contrastive_loss"]) < 0.5 * before and float(means["matched_accuracy"]) == 1
    model.log_scale.assign(9.0)
    step(data)
    assert float(model.log_scale) == pytest.approx(math.log(100))  # and it may come down again
    assert model.preview({"image": images.numpy()}, columns=2).shape == (8, *SHAPE)
