"""Generative adversarial networks (Goodfellow et al. 2014, arXiv:1406.2661) as one trainable Keras model."""

from collections.abc import Callable

import keras
import tensorflow as tf
from keras import ops

from losses.contrastive import info_nce
from losses.penalties import clip_weights
from models import growth, opinions, replicas
from models.augmentation import Augmentation
from models.average import averaged, decay_by_images, follow
from models.base import Adversarial, accuracy, added, functional, scale_loss_for, update
from models.drawing import Draws
from models.transfer import freeze as freeze_lower
from models.words import Words

Tensor = tf.Tensor

# What a random number of a step is for: each has its own stream.
LATENT, REALS, FAKES, JUDGED, PENALTY = range(5)
PATH, PATH_NOISE = 6, 7  # 5 is MARGINS


class GAN(Draws, Adversarial, keras.Model):
    """A generator, its discriminator, and a running average of the generator (`ema`), which makes the samples.

    Built from network builders, so that one set of arguments serves all architectures:
    `generator(image_shape=..., latent_dim=...)` and `discriminator(image_shape=...)` return `keras.Model`s, as
    `models/networks/condition.py` describes; `num_classes`, `condition` and `prior` are passed on where they say
    something. Networks may grow (`models/growth.py`); real pictures pass through the discriminator's
    `fade(images)`, if it has one.

    Everything random in a step is a function of `(seed, step, replica)`, but for what layers draw (dropout, noise,
    mixed styles), whose seeds count on in variables; all state is in variables: a run that goes on from a
    checkpoint cannot be told from one that never stopped.

    Args:
        image_shape: `(height, width, channels)` of images in [-1, 1].
        num_classes: of the data set; 0 if it has none.
        condition: how labels enter: none, concat, projection or auxiliary; or text, and sentences do.
        words: the text encoder whose vectors of sentences are the labels of `condition="text"`.
        prior: of the latent: normal or uniform.
        latent_dim: length of the latent.
        ema_decay: the average's decay a step; ramped up from 0, so that it follows the first steps closely.
        ema_kimg: the average's half-life in thousands of pictures, a number or a function of the step, in place of
            `ema_decay`; at most a twentieth of the pictures seen so far, `models.average.decay_by_images`.
        discriminator_steps: updates of the discriminator for each of the generator; `train_step` takes so many
            batches at once.
        augmentation: of all that the discriminator sees.
        freeze: how many lower blocks of the discriminator stay as they are, `models.transfer.freeze`.
        matching: weight of the generator's loss by which `words`, whose network of pictures stays as it is, finds
            each picture's sentence among those of the batch (DAMSM, AttnGAN, Xu et al. 2018, arXiv:1711.10485).
        seed: of the noise drawn in training.
    """

    unsupported = ()

    def __init__(
        self,
        generator: Callable[..., keras.Model],
        discriminator: Callable[..., keras.Model],
        image_shape: tuple[int, int, int],
        num_classes: int = 0,
        condition: str = "none",
        prior: str = "normal",
        latent_dim: int = 100,
        ema_decay: float = 0.999,
        ema_kimg: float | Callable[[Tensor], Tensor] | None = None,
        discriminator_steps: int = 1,
        augmentation: Augmentation | None = None,
        freeze: int = 0,
        words: Words | None = None,
        matching: float = 0.0,
        seed: int = 0,
    ):
        super().__init__(name="gan")
        self.words = words if condition == "text" else None
        if discriminator_steps < 1:
            raise ValueError(f"discriminator_steps must be at least 1, not {discriminator_steps}")
        self.num_classes = num_classes if condition != "none" and num_classes > 1 else 0
        if condition == "text" and words is None:
            raise ValueError("condition=text needs words, a text encoder")
        if matching and self.words is None:
            raise ValueError("matching compares pictures with sentences, and needs condition=text")
        if self.words is not None:  # the sentences that are shown stand for classes, of which there is no end
            self.num_classes, num_classes = len(self.words.shown), self.words.dimensions
        self.latent_dim = latent_dim
        self.ema_decay = float(ema_decay)
        self.ema_kimg = ema_kimg
        self.matching = float(matching)
        self.discriminator_steps = discriminator_steps
        self.augmentation = augmentation or Augmentation()
        labels = {"num_classes": num_classes, "condition": condition} if self.num_classes else {}
        noise = {"latent_dim": latent_dim} | ({"prior": prior} if prior != "normal" else {})
        self.generator = functional(generator(image_shape=image_shape, **noise, **labels), "generator")
        self.discriminator = functional(discriminator(image_shape=image_shape, **labels), "discriminator")
        freeze_lower(self.discriminator, freeze)
        self.ema = averaged(self.generator)
        self.exported = self.ema if self.words is None else self.words.spoken_to(self.ema)
        self.init_state(seed)

    def compile(self, *args, **options) -> None:
        """Sets what `Adversarial.compile` sets; optimizers of networks that grow begin anew with each level."""
        super().compile(*args, **options)
        growing = (name for name in self.optimizers if growth.grows(getattr(self, name)))
        self.restarts = {name: growth.restarts(self.optimizers[name]) for name in growing}

    def mean_names(self) -> list[str]:
        """Returns the names of what a step measures, penalties aside."""
        names = [*_MEANS, *self.score(ops.zeros(1), ops.zeros(1))]
        names += [f"{who}_{name}" for name in opinions.names(self.discriminator) for who in _BOTH]
        if self.matching:
            names += ["matching_loss"]
        if self._has_output("reconstruction_error"):
            names += ["reconstruction_loss"]
        if self.augmentation.varies:
            names += ["augment_probability"]
        return names

    def _has_output(self, name: str) -> bool:
        """Says whether the discriminator has an output `name`."""
        return isinstance(self.discriminator.output, dict) and name in self.discriminator.output

    @property
    def batches_per_step(self) -> int:
        """Counts the batches that one step takes."""
        return self.discriminator_steps

    @property
    def exports(self) -> dict[str, keras.Model]:
        """Returns the networks that a user takes away, by file name."""
        return {"generator": self.exported}

    @property
    def prepare(self) -> Callable[[dict[str, Tensor]], dict[str, Tensor]] | None:
        """Returns what is to be done with a batch before a step: sentences become labels, their vectors."""
        if self.words is None:
            return None
        looked_up = self.words.lookup()
        return lambda batch: {"image": batch["image"], "label": looked_up(batch["text"])}

    @property
    def starts(self) -> dict[str, list[keras.Model]]:
        """Returns the networks that may go on from another training's, by what they are."""
        return {"generator": [self.generator, self.ema], "discriminator": [self.discriminator]}

    def train_step(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """Updates the discriminator `discriminator_steps` times, then the generator once, on `data["image"]`.

        The generator's update shares its forward pass with the last of the discriminator's: its tape stays open,
        paused, while the discriminator learns from the same pictures, and goes on with the discriminator's new
        weights. Generated pictures take the labels of the real ones, so that both have the same classes.
        """
        for network in (self.generator, self.discriminator):
            growth.grow(network, self.step)
        for name, restart in self.restarts.items():
            restart(getattr(self, name).changes_level(tf.convert_to_tensor(self.step)))
        batches = self._split(self._blended(data["image"]))
        labels = self._split(data["label"]) if self.num_classes else [None] * len(batches)
        for i in range(len(batches) - 1, 0, -1):  # counted down, so that the last has number 0
            self._train_discriminator(batches[i], self._fakes(batches[i], labels[i], i), labels[i], i)

        reals, labels = batches[0], labels[0]
        with tf.GradientTape() as tape:
            fakes = self._fakes(reals, labels, 0)
            with tape.stop_recording():
                means = self._train_discriminator(reals, fakes, labels, 0)
                other = self._discriminate(self._augment(reals, REALS, 0), labels) if self.relativistic else {}
            judged = self._discriminate(self._augment(fakes, JUDGED, 0), labels)
            logits = {"real_logits": other["logits"]} if self.relativistic else {}
            loss = total = self.generator_loss(judged["logits"], **logits)
            for name, told in opinions.told(labels, judged).items():
                means[f"generator_{name}"] = told
                total += told
            if self.matching:
                means["matching_loss"] = info_nce(self.words.look_at(fakes), labels, opinions.SHARPNESS)
                total += self.matching * means["matching_loss"]
            terms = self._generator_penalty_terms(tf.shape(reals)[0], labels)
            objective = scale_loss_for(added([total, *terms.values()]), self.generator_optimizer)
        norm = update(self.generator_optimizer, tape, objective, self.generator.trainable_variables)
        follow(self.ema, self.generator, self.step, self._decay(tf.shape(reals)[0]))
        growth.grow(self.ema, self.step)
        return self.update_metrics({"generator_loss": loss, "generator_gradient_norm": norm, **terms, **means})

    def _train_discriminator(
        self, reals: Tensor, fakes: Tensor, labels: Tensor | None, i: int
    ) -> dict[str, Tensor]:
        fakes = tf.stop_gradient(fakes)

        def judge(images: Tensor, draws: int = REALS, labels: Tensor | None = labels) -> dict[str, Tensor]:
            return self._discriminate(self._augment(images, draws, i), labels)

        def critic(images: Tensor, labels: Tensor | None = labels) -> Tensor:
            return judge(images, labels=labels)["logits"]

        critic.sentences = labels if self.words is not None else None

        with tf.GradientTape() as tape:
            real, fake = judge(reals), judge(fakes, FAKES)
            loss = self.loss_of_discriminator(real["logits"], fake["logits"], i)
            if "mismatched_logits" in real:  # a third kind of pair: real, and with what is said of another
                beside = i + self.discriminator_steps  # margins of its own
                loss = (loss + self.loss_of_discriminator(real["logits"], real["mismatched_logits"], beside)) / 2
            # Slopes are those at the pictures themselves, through the augmentation, as ADA's authors have it.
            terms = self.penalty_terms(critic, reals, fakes, self._key(PENALTY, i))
            # Of real pictures alone, where ACGAN's paper takes generated ones, too: from these, a class becomes a
            # sign that the two networks agree on, and that nobody sees (docs/results.md, paintings by style).
            terms |= {f"discriminator_{name}": told for name, told in opinions.told(labels, real).items()}
            if "reconstruction_error" in real:
                terms["reconstruction_loss"] = ops.mean(real["reconstruction_error"])
            objective = scale_loss_for(added([loss, *terms.values()]), self.discriminator_optimizer)
        norm = update(self.discriminator_optimizer, tape, objective, self.discriminator.trainable_variables)
        if self.weight_clipping is not None:
            clip_weights(self.discriminator.trainable_variables, self.weight_clipping)
        if self.augmentation.target is not None:
            self.augmentation.update(real["logits"] - self.threshold, tf.shape(reals)[0] * replicas.count())
        if self.augmentation.varies:
            terms["augment_probability"] = self.augmentation.current(tf.convert_to_tensor(self.step))
        return terms | {
            "discriminator_loss": loss,
            "discriminator_gradient_norm": norm,
            "discriminator_accuracy": accuracy(real["logits"], fake["logits"], self.threshold),
            **self.score(real["logits"], fake["logits"]),  # before this step's update
        }

    def _fakes(self, reals: Tensor, labels: Tensor | None, i: int) -> Tensor:
        latents = self._latents(tf.shape(reals)[0], i)
        return self.generator(latents if labels is None else [latents, labels], training=True)

    def _blended(self, images: Tensor) -> Tensor:
        """Coarsens real pictures to what a network that is still growing makes, the finest level fading in."""
        return self.discriminator.fade(images) if hasattr(self.discriminator, "fade") else images

    def _augment(self, images: Tensor, purpose: int, i: int) -> Tensor:
        return self.augmentation(images, self._key(purpose, i), self.step)

    def _discriminate(self, images: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """Returns the discriminator's outputs by name; "logits" are always there."""
        takes_labels = len(self.discriminator.inputs) == 2
        outputs = self.discriminator([images, labels] if takes_labels else images, training=True)
        return outputs if isinstance(outputs, dict) else {"logits": outputs}

    def _generator_penalty_terms(self, batch: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """Computes penalties on the generator, at latents of their own, by the names of their means."""
        if not self.generator_penalties:
            return {}
        arguments = self.generator, self._latents(batch, 0, PATH), labels, self._key(PATH_NOISE, 0)
        step = tf.convert_to_tensor(self.step)
        return {f"{name}_penalty": penalty(*arguments, step) for name, penalty in self.generator_penalties.items()}

    def _decay(self, batch: Tensor) -> float | Tensor:
        if self.ema_kimg is None:
            return self.ema_decay
        images = batch * replicas.count()
        step = tf.convert_to_tensor(self.step)
        kimg = self.ema_kimg(step) if callable(self.ema_kimg) else self.ema_kimg
        return decay_by_images(1000 * kimg, images, step)

    def _latents(self, batch: Tensor, i: int = 0, purpose: int = LATENT) -> Tensor:
        """Draws normal `[batch, latent_dim]`, a replica's part of a function of (seed, step, i, purpose)."""
        shape = [batch * replicas.count(), self.latent_dim]
        return replicas.own(tf.random.stateless_normal(shape, self._key(purpose, i, 0)))

    def _key(self, purpose: int, i: int, replica: Tensor | int | None = None) -> Tensor:
        """Returns a seed, int64 `[2]`, for the i-th discriminator update of this step, as `key`."""
        return self.key(purpose + 8 * i, replica)

    def _split(self, batch: Tensor) -> list[Tensor]:
        """Cuts what a step takes into batches, in turn: so those of replicas are parts of one device's."""
        return [batch[i :: self.discriminator_steps] for i in range(self.discriminator_steps)]


_BOTH = ("discriminator", "generator")
_MEANS = (
    "generator_loss",
    "discriminator_loss",
    "discriminator_accuracy",
    "generator_gradient_norm",
    "discriminator_gradient_norm",
)
