"""Parts that trainable systems share: mixins, `class GAN(Adversarial, keras.Model)`, and parts of steps."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from losses import scores
from models import replicas
from models.by_step import by_step

Tensor = tf.Tensor
Loss = Callable[..., Tensor]

STOP = "stop"  # among the logs on several replicas: positive once one of their processes is asked to stop
PENALTY, MARGINS = 0, 5  # what a random number of a step is for; a system's own purposes are other numbers


class Trainable:
    """A step counter and means over steps: what `training/loop.py` and its callbacks ask for."""

    batches_per_step = 1  # how many batches one step takes
    # What is done to a batch, a dictionary, before a step: with what cannot be compiled with it, such as strings.
    prepare: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None = None
    # The mean that runs are compared by, less being better; None for those that draw pictures from noise.
    monitor: str | None = None
    # Of a stylizer or translator, the method that paints with what it exports: a name in `stylization/methods.py`.
    method: str | None = None
    style_names: tuple[str, ...] = ()  # that a network has learned, if it has learned some once and for all
    num_classes = 0  # of the data set, as far as it learns from them
    threshold: float | None = None  # the logit between real and generated, if the objective has one

    @property
    def starts(self) -> dict[str, list[keras.Model]]:
        """Returns the networks that may go on from another training's, by what they are: `training/start.py`."""
        return {}

    def init_state(self, seed: int = 0) -> None:
        """Prepares the state, called by `__init__` after Keras's own; `seed` is of what is random in a step."""
        self.seed = seed
        self.asked_to_stop = tf.Variable(0.0, trainable=False)  # of any process; no state, and so not Keras's
        self.means: dict[str, replicas.Mean] = {}
        self.logs: dict[str, Tensor] = {}  # what the last step gave, on the device until somebody reads it
        self.memory: dict[str, Any] = {}  # of callbacks, beside all variables: JSON, kept in checkpoints
        self.step = self.add_weight((), "zeros", "int64", trainable=False, name="step")

    def track(self, names: Iterable[str]) -> None:
        """Prepares means of what `update_metrics` will be given: to be called by `compile`."""
        self.means = {name: replicas.Mean(name=name) for name in names}
        self.built = True

    def update_metrics(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Ends a step: counts it, and gives the means so far, with the step's `values`.

        On several replicas, `values` are averaged over them, and so are the statistics of batches.
        """
        self.step.assign(self.step + 1)
        said = replicas.mean({**values, STOP: self.asked_to_stop}, self._statistics())
        for name in values:
            self.means[name].update_state(said[name])
        stop = {STOP: said[STOP]} if replicas.count() > 1 else {}
        return {name: mean.result() for name, mean in self.means.items()} | stop

    def _statistics(self) -> Iterator[keras.Variable]:
        """Yields what follows the pictures in all networks, running averages of networks among them."""
        for layer in self._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                yield from (layer.moving_mean, layer.moving_variance)
            yield from getattr(layer, "statistics", ())

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Returns means over the steps since they were last reset."""
        return list(self.means.values())

    def step_everywhere(self, data: Any) -> dict[str, Tensor]:
        """Does a step on all replicas, each with its part of `data`; returns what one says, as all say the same."""
        return self.run_everywhere(self.train_step, data)

    def run_everywhere(self, step: Callable[[Any], dict[str, Tensor]], data: Any) -> dict[str, Tensor]:
        """Calls `step(data)` on all replicas."""
        strategy = self.distribute_strategy
        said = strategy.run(step, args=(data,))
        return {name: strategy.experimental_local_results(value)[0] for name, value in said.items()}

    def _maybe_symbolic_build(self, *data: Any, **named: Any) -> None:
        """Does nothing: all is built already. Keras would take a batch, and ask all machines for it."""

    def make_train_function(self, force: bool = False) -> None:
        """Makes what `fit` calls for each `steps_per_execution` steps; called by Keras.

        In place of Keras's, which averages over replicas and machines what is the same on all, or is no number. To
        Keras nothing is said: it would wait for every step. What the last step gave are the `logs`.
        """
        if self.train_function is not None and not force:
            return
        options = {"reduce_retracing": True, "autograph": False}
        step = tf.function(self.step_everywhere, jit_compile=self.jit_compile, **options)

        @tf.function(**options)
        def steps(iterator: Iterator[Any]) -> dict[str, Tensor]:
            if self.steps_per_execution > 1:
                more = self.steps_per_execution - 1
                tf.while_loop(lambda i: i < more, lambda i: (step(next(iterator)), i + 1)[1:], [0])
            return step(next(iterator))

        def train(iterator: Iterator[Any]) -> dict[str, Tensor]:
            self.logs = steps(iterator)
            return {}

        self.train_function = train


class Adversarial(Trainable):
    """A generator and a discriminator, each with its optimizer, and the objective that they disagree on.

    A subclass says what it measures (`measures`), what of an objective it does not have (`unsupported`: penalties,
    generator_penalties, weight_clipping or relativistic), and, if its networks are not called `generator` and
    `discriminator`, what is to be trained (`trained_variables`).
    """

    unsupported: tuple[str, ...] = ("generator_penalties",)
    measures: tuple[str, ...] = ()

    def mean_names(self) -> list[str]:
        """Names of what a step measures, penalties aside."""
        return list(self.measures)

    def trained_variables(self) -> tuple[list[keras.Variable], list[keras.Variable]]:
        """Returns the generator's variables and the discriminator's."""
        return self.generator.trainable_variables, self.discriminator.trainable_variables

    def compile(
        self,
        generator_optimizer: keras.Optimizer,
        discriminator_optimizer: keras.Optimizer,
        generator_loss: Loss,
        discriminator_loss: Loss,
        penalties: Mapping[str, Loss] | None = None,
        generator_penalties: Mapping[str, Loss] | None = None,
        weight_clipping: float | None = None,
        threshold: float | None = 0.0,
        score: Callable[[Tensor, Tensor], dict[str, Tensor]] = scores.critic_values,
        jit_compile: str | bool = "auto",
    ) -> None:
        """Sets the objective and the optimizers.

        Args:
            generator_loss: of `fake_logits`, and of `real_logits` where its signature has them; a mean.
            discriminator_loss: of `real_logits` and `fake_logits`, and a `seed` where its signature has one; a mean
                over a batch.
            penalties: added to the discriminator's loss, by name; `losses.penalties.Penalty`.
            generator_penalties: added to the generator's, likewise; functions with state are `keras.Layer`s.
            weight_clipping: bound of the discriminator's weights, kept after every update; none if not given.
            threshold: the logit between real and generated, if the objective has one.
            score: what is logged of the logits, on the objective's own scale, `losses.scores`.

        Raises `ValueError` for an objective that the system does not have.
        """
        super().compile(optimizer=None, jit_compile=jit_compile)
        self.generator_loss = generator_loss
        self.discriminator_loss = discriminator_loss
        self.draws_margins = "seed" in inspect.signature(discriminator_loss).parameters
        self.score = score
        self.relativistic = "real_logits" in inspect.signature(generator_loss).parameters
        self.penalties = dict(penalties or {})
        self.generator_penalties = dict(generator_penalties or {})
        self.weight_clipping = weight_clipping
        self.threshold = threshold
        asked = {
            "penalties": self.penalties, "generator_penalties": self.generator_penalties,
            "weight_clipping": weight_clipping, "relativistic": self.relativistic,
        }  # fmt: skip
        wrong = [name for name in self.unsupported if asked[name]]
        if wrong:
            raise ValueError(f"{self.name} does not take this objective: {', '.join(wrong)}.")
        generator, discriminator = self.trained_variables()
        self.generator_optimizer = prepared(generator_optimizer, generator, self.step)
        self.discriminator_optimizer = prepared(discriminator_optimizer, discriminator, self.step)
        functions = [penalty.function for penalty in self.generator_penalties.values()]
        self.kept = [function for function in functions if isinstance(function, keras.Layer)]  # for checkpoints
        self.track([*self.mean_names(), *(f"{name}_penalty" for name in self.penalties | self.generator_penalties)])

    @property
    def optimizers(self) -> dict[str, keras.Optimizer]:
        """Returns the optimizers by the network, or the kind of network, that they train."""
        return {"generator": self.generator_optimizer, "discriminator": self.discriminator_optimizer}

    def penalty_terms(
        self, judge: Callable[[Tensor], Tensor], reals: Tensor, fakes: Tensor, seed: Tensor
    ) -> dict[str, Tensor]:
        """Computes penalties on a discriminator, `judge(images)` -> logits, by the names of their means."""
        step = tf.convert_to_tensor(self.step)
        return {
            f"{name}_penalty": penalty(judge, reals, fakes, seed, step) for name, penalty in self.penalties.items()
        }

    def train_discriminator(
        self, judge: Callable[[Tensor], Tensor], reals: Tensor, fakes: Tensor
    ) -> dict[str, Tensor]:
        """Updates the discriminator once, to tell `reals` from `fakes`; returns what there is to measure.

        Args:
            judge: images -> the discriminator's logits, in training.
        """
        with tf.GradientTape() as tape:
            real, fake = judge(reals), judge(fakes)
            loss = self.loss_of_discriminator(real, fake)
            terms = self.penalty_terms(judge, reals, fakes, self.key(PENALTY))
            objective = scale_loss_for(added([loss, *terms.values()]), self.discriminator_optimizer)
        norm = update(self.discriminator_optimizer, tape, objective, self.discriminator.trainable_variables)
        return terms | {
            "discriminator_loss": loss,
            "discriminator_gradient_norm": norm,
            "discriminator_accuracy": accuracy(real, fake, self.threshold),
        }

    def loss_of_discriminator(self, real_logits: Tensor, fake_logits: Tensor, i: int = 0) -> Tensor:
        """Computes the objective's loss; what it draws is a function of `(seed, step, replica, i)`."""
        seed = {"seed": self.key(MARGINS + 8 * i)} if self.draws_margins else {}
        return self.discriminator_loss(real_logits, fake_logits, **seed)

    def key(self, purpose: int, replica: Tensor | int | None = None) -> Tensor:
        """Returns a seed, int64 `[2]`, for a purpose in this step on a replica, by default this one."""
        return key(self.seed, purpose, self.step, replica)


def functional(network: keras.Model, name: str) -> keras.Model:
    """Returns `network`, what a builder made, if it is a functional model. Raises `ValueError` otherwise.

    Only of such a one is known what goes in and comes out (labels? several outputs?), and only such a one can be
    cloned, for the average of its weights, and read from a file without the code that made it.
    """
    if not isinstance(network, keras.Model):
        raise ValueError(f"The {name} that was built is no keras.Model, but a {type(network).__name__}.")
    if not getattr(network, "inputs", None):
        raise ValueError(
            f"The {name} that was built, {type(network).__name__}, is a subclass of keras.Model, and a functional "
            "one is wanted: connect layers to a keras.Input and return keras.Model(inputs, outputs), as in "
            "models/networks/dcgan.py. What a class of your own computes can be a keras.Layer in it."
        )
    return network


def update(
    optimizer: keras.Optimizer, tape: tf.GradientTape, loss: Tensor, variables: list[keras.Variable]
) -> Tensor:
    """Applies the gradients of the (`scale_loss_for`) loss, those of all replicas; returns their norm, unscaled."""
    gradients = tape.gradient(loss, [variable.value for variable in variables], unconnected_gradients="zero")
    # Dense: a table's has a row for each time that one was looked up, and Adam and norms do not add these up.
    pairs = zip(gradients, variables, strict=True)
    gradients = replicas.total([tf.ensure_shape(gradient, variable.shape) for gradient, variable in pairs])
    norm = tf.linalg.global_norm(gradients) / optimizer.scale_loss(1.0)  # before the scale grows
    optimizer.apply(gradients, variables)
    return norm


def added(terms: Iterable[Tensor]) -> Tensor:
    """Adds up tensors in one order: TensorFlow rearranges a chain of sums, in another way in another process."""
    terms = list(terms)
    return tf.reduce_sum(tf.stack(terms), 0) if terms else tf.zeros(())


def scale_loss_for(loss: Tensor, optimizer: keras.Optimizer) -> Tensor:
    """Returns the loss to differentiate: replicas' gradients are summed, so each gives its share of the mean."""
    return optimizer.scale_loss(loss / replicas.count())


def prepared(
    optimizer: keras.Optimizer, variables: list[keras.Variable], step: tf.Variable | None = None
) -> keras.Optimizer:
    """Builds an optimizer's state for these variables, and has it scale the loss where the precision needs that.

    Its schedules go by the `step`, a system's; None: by its own updates.
    """
    replicas.update_alike(optimizer)
    if step is not None:
        by_step(optimizer, step)
    if keras.config.dtype_policy().name == "mixed_float16":  # Keras wraps only `model.optimizer`
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer


def accuracy(real_logits: Tensor, fake_logits: Tensor, threshold: float | None) -> Tensor:
    """Computes how often a discriminator is right: of pictures on their own, or, with no threshold, of pairs."""
    if threshold is None:
        right = real_logits > fake_logits
    else:
        right = ops.stack([real_logits > threshold, fake_logits < threshold])
    return ops.mean(ops.cast(right, "float32"))


def key(seed: int, purpose: int, step: Tensor, replica: Tensor | int | None = None) -> Tensor:
    """Returns a seed, int64 `[2]`, that is a function of its arguments alone.

    `replica` is by default the one that asks; 0 for what all are to draw alike.
    """
    mixed = tf.random.fold_in(tf.constant([seed, purpose]), tf.convert_to_tensor(step))
    return tf.random.fold_in(mixed, tf.cast(replicas.number() if replica is None else replica, tf.int64))
