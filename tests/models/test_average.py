import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from models.average import averaged, decay_by_images, follow
from models.layers.convolution import Conv2D
from models.layers.spectral import SpectralConv2D


def network() -> keras.Model:
    image = keras.Input((4, 4, 1))
    x = layers.Dropout(0.5)(layers.BatchNormalization()(Conv2D(1, 1, use_bias=False)(image)))
    return keras.Model(image, x)


def test_average_of_the_steps_by_hand():
    followed = network()
    kernel = followed.layers[1].kernel
    kernel.assign([[[[0.0]]]])
    average = averaged(followed)
    mean = average.layers[1].kernel
    kernel.assign([[[[1.0]]]])
    follow(average, followed, tf.constant(0), 0.5)  # ramped up: a tenth of what it was
    assert float(mean.value[0, 0, 0, 0]) == pytest.approx(0.9)
    follow(average, followed, tf.constant(1000), 0.5)
    assert float(mean.value[0, 0, 0, 0]) == pytest.approx(0.95)
    follow(average, followed, tf.constant(1000), 0.0)
    np.testing.assert_array_equal(mean, kernel)
    assert not average.trainable_variables


def test_average_is_of_layers_that_need_no_gesso_to_load():
    average = averaged(network())
    assert type(average.layers[1]) is layers.Conv2D


def test_layers_that_do_more_than_what_they_inherit_from_are_kept():
    inputs = keras.Input((4, 4, 3))
    network = keras.Model(inputs, SpectralConv2D(2, 3, name="own")(inputs))
    assert type(averaged(network).get_layer("own")) is SpectralConv2D


def test_decay_by_pictures_is_that_of_a_half_life():
    followed, average, step = 0.0, 1.0, 10_000
    for _ in range(50):  # of 20 pictures each: 1000
        average += (1 - float(decay_by_images(1000, 20, tf.constant(step)))) * (followed - average)
    assert average == pytest.approx(0.5, rel=1e-4)
    # At the beginning a half over a twentieth of what has been seen: 8 of 160 pictures.
    assert float(decay_by_images(1000, 16, tf.constant(10))) == pytest.approx(0.25)
    assert float(decay_by_images(1000, 16, tf.constant(0))) == 0.0
