"""The same step on several replicas (`tf.distribute`), here two halves of a CPU."""

from core.cli import ROOT

CODE = """
import numpy as np
import tensorflow as tf

half = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [half, half])

import keras
from losses import adversarial
from models.gan import GAN
from models.networks import dcgan

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    model = GAN(
        lambda **a: dcgan.generator(**a, width=2), lambda **a: dcgan.discriminator(**a, width=2), (16, 16, 1), 5
    )
    model.compile(
        keras.optimizers.Adam(), keras.optimizers.Adam(),
        adversarial.non_saturating_generator_loss, adversarial.non_saturating_discriminator_loss,
    )
one, other = strategy.experimental_local_results(strategy.run(lambda: model._latents(4)))
assert not np.allclose(one, other), "replicas draw the same noise"
before = model.ema.get_weights()
images = tf.random.stateless_uniform([8, 16, 16, 1], (1, 2), -1, 1)
stream = tf.data.Dataset.from_tensors({"image": images}).repeat()
model.fit(stream, steps_per_epoch=3, epochs=1, verbose=0, shuffle=False)
assert int(model.step.numpy()) == 3, int(model.step.numpy())
for variable in [*model.generator.trainable_variables, *model.discriminator.trainable_variables]:
    one, other = strategy.experimental_local_results(variable.value)
    np.testing.assert_array_equal(one, other, err_msg=variable.path)
assert any(not np.array_equal(a, b) for a, b in zip(before, model.ema.get_weights(), strict=True))
print("replicas agree")
"""


def test_replicas_draw_their_own_noise_and_keep_the_same_weights(script, tmp_path):
    (tmp_path / "replicas.py").write_text(CODE)
    done = script(tmp_path / "replicas.py", PYTHONPATH=str(ROOT))
    assert "replicas agree" in done.stdout, done.stderr[-2000:]
