"""fit: train a network on data, and measure on the way.

The loop is short because the parts are elsewhere: `data` refuses what can't be learnt from, the optimiser
updates, `metrics` and `evaluation` measure, `callbacks` intervene, `progress` shows, `checkpoints` keeps a run
that can be resumed.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Iterator
from math import isfinite
from typing import Any, Literal

import numpy as np

import microgradnd as mg

from .arguments import as_number, as_size
from .callbacks import Callback, as_callbacks
from .checkpoints import Checkpoint
from .data import Array, check_finite, check_pair
from .evaluation import Loss, as_model_input, as_targets, check_loss_value, eval_mode, measure, plain_loss, predict
from .history import History
from .init import generator
from .losses import binary_cross_entropy, cross_entropy
from .metrics import Metric, class_accuracy, label_accuracy, named_metrics
from .module import Module, is_own
from .optim import Adam, Optimizer, clip_grad_norm, clip_grad_value
from .progress import Progress
from .replaying import may_replay, record
from .schedules import Schedule

WORTH = 30  # a step is replayed where it is made that often: writing the replay takes as long as a dozen steps
CHUNK = 64  # metrics are computed for that many batches at a time: their outputs wait until then

Aside = tuple[list[Array], list[Any]]
_NOTHING: Aside = ([], [])


def fit(
    model: Module,
    X: Any,
    y: Any,
    *,
    loss: Loss = cross_entropy,
    optimizer: Optimizer | None = None,
    epochs: int = 10,
    batch_size: int = 32,
    validation_data: tuple[Any, Any] | None = None,
    seed: Any = None,
    progress: bool = True,
    save_to: Any = None,
    callbacks: Iterable[Callback | Callable[[Training], object]] = (),
    metrics: Iterable[str | Metric] | None = None,
    schedule: Schedule | None = None,
    schedule_per: Literal["epoch", "step"] = "epoch",
    accumulate: int = 1,
    clip_norm: float | None = None,
    clip_value: float | None = None,
) -> History:
    """Train a network by mini-batch gradient descent.

    Parameters
    ----------
    model
        The network; trained in place, and left in eval mode.
    X
        Inputs, shape (n, ...): an array, nested list, data frame.
    y
        Targets, n rows: class indices or rows of probabilities for `cross_entropy`, numbers for `mse_loss`.
    loss
        ``loss(output, target)``, a tensor of one number, the mean over a batch.
    optimizer
        An optimiser of the model's parameters; ``nn.Adam(model.parameters())`` by default.
    epochs
        How often to go through the data. A run that is resumed counts those it has done.
    batch_size
        Rows per step; the last batch of an epoch may be smaller, and none is larger than the data.
    validation_data
        ``(X, y)`` to measure on after each epoch.
    seed
        Of the order of the samples and of all randomness in the layers (of each generator that is an attribute of
        one, as in Dropout): an int, Generator or RandomState. The same seed gives the same weights bit for bit on the same machine. NumPy's global
        state is neither used nor changed.
    progress
        Show a bar with loss and metrics (needs tqdm), in a terminal or notebook; never in a log file.
    save_to
        A folder to save the run in after each epoch, all of it: weights, optimiser, schedule, random state,
        history. The same call resumes a run that was killed, and ends with exactly the weights of a run
        that was not. A folder with a run of other data, network, loss, optimiser, schedule or seed is refused.
    callbacks
        `Callback` objects, such as `EarlyStopping`, or functions of the `Training`, called after each epoch.
    metrics
        Names or functions ``metric(output, target) -> float`` on arrays; by default accuracy where the loss
        is a cross-entropy. In training they are averaged over the epoch while the weights change.
    schedule, schedule_per
        A learning-rate schedule of the optimiser, and whether it goes on after each epoch, when it is told the
        validation loss (without validation the training loss), or after each update, when it is told its loss.
    accumulate
        How many batches make one update: the gradient is that of one batch as large as all of them.
    clip_norm, clip_value
        Bound the norm of the whole gradient, or each of its elements, before each update.

    Returns
    -------
    History
        Losses and metrics per epoch. Ctrl-C ends training and gives the history so far.

    Raises
    ------
    TypeError, ValueError
        For data that can't be learnt from, and a folder that holds another run; nothing is changed then.
    FloatingPointError
        When loss or gradient become NaN or infinite, naming the first op that made it. The weights are those
        before that step.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> model = nn.MLP([2, 8, 2], activation="tanh", seed=0)
    >>> history = nn.fit(model, X, [0, 1, 1, 0], optimizer=nn.Adam(model.parameters(), lr=0.05), epochs=200, seed=0)
    >>> history["accuracy"][-1]
    1.0
    """
    if not isinstance(model, Module):
        raise TypeError(f"the model is {model!r}, expected an nn.Module, such as nn.MLP([4, 8, 3])")
    if not callable(loss):
        raise TypeError(f"loss is {loss!r}, expected a function of output and target, such as nn.cross_entropy")
    training = Training(model, loss, as_size(batch_size, "batch_size"), as_size(accumulate, "accumulate"))
    training.bind(X, y, validation_data, metrics)
    training.optimizer = _check_optimizer(optimizer or Adam(model.parameters()), model)
    training.schedule, training.schedule_per = _check_schedule(schedule, training.optimizer), schedule_per
    if schedule_per not in ("epoch", "step"):
        raise ValueError(f"schedule_per is {schedule_per!r}, expected 'epoch' or 'step'")
    training.clip_norm, training.clip_value = _as_bound(clip_norm, "clip_norm"), _as_bound(clip_value, "clip_value")
    training.callbacks = as_callbacks(callbacks)
    training.seed(seed)
    training.run(as_size(epochs, "epochs", 0), progress, save_to)
    return training.history


class Training:
    """A run of `fit` that is under way: what callbacks see.

    Attributes
    ----------
    model, optimizer, schedule, loss, batch_size, accumulate
        What `fit` was given, or its defaults.
    history : History
        The measures so far.
    epoch, step
        How many epochs and updates were done.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        As told for `fit`.

    Examples
    --------
    >>> from microgradnd import nn
    >>> def tell(training):
    ...     print(training.epoch, training.step, type(training.optimizer).__name__)
    >>> data = [[0.0, 1.0], [1.0, 0.0]], [1, 0]
    >>> _ = nn.fit(nn.MLP([2, 2], seed=0), *data, epochs=2, batch_size=1, callbacks=[tell], progress=False)
    1 2 Adam
    2 4 Adam
    """

    optimizer: Optimizer
    schedule: Schedule | None = None
    schedule_per: str = "epoch"
    clip_norm: float | None = None
    clip_value: float | None = None

    def __init__(self, model: Module, loss: Loss, batch_size: int, accumulate: int = 1) -> None:
        self.model, self.loss, self.batch_size, self.accumulate = model, loss, batch_size, accumulate
        self.callbacks: list[Callback] = []
        self.history = History()
        self.epoch = self.step = 0
        self.given_seed: Any = None
        self.rng = np.random.default_rng()
        self.bar = Progress(False, 0, 0)
        self._shown: dict[str, float] = {}
        self._may_replay = False
        self._replay: mg.Replay | None = None

    def stop(self, reason: str = "stopped by a callback") -> None:
        """End training after this epoch; `reason` is kept in the history."""
        self.history.stopped = reason

    # -- before the first step ---------------------------------------------------------------
    def bind(self, X: Any, y: Any, validation_data: Any, metrics: Any) -> None:
        """Take the data, once it is known that the network and the loss can work on it."""
        inputs, targets = check_pair(X, y)
        pairs = [(inputs, targets, "y")]
        if validation_data is not None:
            if not (isinstance(validation_data, tuple | list) and len(validation_data) == 2):
                raise TypeError(f"validation_data is {type(validation_data).__name__}, expected a pair (X, y)")
            pairs.append(
                (*check_pair(validation_data[0], validation_data[1], ("validation X", "validation y")), "validation y")
            )
        shapes = [_trial(self.model, a) for a, _, _ in pairs]  # sequences may be longer in validation
        with np.errstate(over="ignore"):
            prepared = [
                (as_model_input(self.model, a), as_targets(b, shape, self.loss, self.model, name))
                for (a, b, name), shape in zip(pairs, shapes, strict=True)
            ]
        for (a, b), (_, _, name) in zip(prepared, pairs, strict=True):  # float64 may have overflowed float32
            check_finite(a, f"{name[:-1]}X as {a.dtype}")
            check_finite(b, f"{name} as {b.dtype}")
        (X, y), *rest = prepared
        self.X, self.y = np.asarray(X, order="C"), np.asarray(y, order="C")  # else each batch copies all of it
        self.validation = rest[0] if rest else None
        self._check_loss(shapes)
        self.metrics = default_metrics(self.loss) if metrics is None else named_metrics(metrics)
        self._group = self.batch_size * self.accumulate
        self._find_aside()
        self._try_one_row()

    def _check_loss(self, output_shapes: list[tuple[int, ...]]) -> None:
        """Try the loss on outputs of zeros: wrong targets show before the first step."""
        whole = is_own(plain_loss(self.loss))  # the user's may be slow, or draw at random
        data = [(self.X, self.y), *([self.validation] if self.validation else [])]
        for (X, y), output_shape in zip(data, output_shapes, strict=True):
            n = len(X) if whole else min(len(X), self.batch_size)
            with mg.no_grad(), np.errstate(all="ignore"):
                value = self.loss(
                    mg.astensor(np.zeros((n, *output_shape), X.dtype if X.dtype.kind == "f" else float)), y[:n]
                )
            check_loss_value(value)

    def _try_one_row(self) -> None:
        """Where an epoch has a batch of one row, what can't train on it (BatchNorm) says so before the first step."""
        if (len(self.X) % self.batch_size or self.batch_size) > 1:
            return
        before = self._aside()
        with eval_mode(self.model), mg.no_grad(), np.errstate(all="ignore"):
            self.model.train()
            try:
                self.model(self.X[:1])
            finally:
                self._go_back(before)

    def seed(self, seed: Any) -> None:
        """Let all that is random in this run follow from `seed`."""
        self.given_seed = seed if seed is None or isinstance(seed, int | np.integer) else type(seed).__name__
        self.rng = generator(seed)
        if seed is not None:
            children = self.rng.spawn(1)[0]  # its own stream: the order of samples is that of `seed` alone
            new: dict[int, np.random.Generator] = {}
            for module, name, old in generators(self.model):
                setattr(module, name, new.setdefault(id(old), children.spawn(1)[0]))

    # -- the run -------------------------------------------------------------------------------
    def run(self, epochs: int, progress: bool, save_to: Any) -> None:
        """Train up to `epochs`, resuming from the folder `save_to` if a run is kept there."""
        try:
            checkpoint = None if save_to is None else Checkpoint(save_to, self)
            if checkpoint is not None:
                checkpoint.resume_or_begin()
            # Ctrl-C may come just before a scope or a mode would be left: with the context, that is left too.
            contextvars.copy_context().run(self._run_epochs, epochs, progress, checkpoint)
        except KeyboardInterrupt:
            self.history.stopped = "interrupted"
            self.model.eval()
        for callback in self.callbacks:
            callback.on_end(self)

    def _run_epochs(self, epochs: int, progress: bool, checkpoint: Checkpoint | None) -> None:
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        hooks = [c.on_batch_end for c in self.callbacks if type(c).on_batch_end is not Callback.on_batch_end]
        self._after_batch = hooks
        self._opaque = is_own(plain_loss(self.loss)) and not hooks  # else lines of the user's may record, and be told
        self._find_aside()
        steps = -(-len(self.X) // self._group)
        self.bar = Progress(progress, epochs, steps, self.epoch)
        try:
            for callback in self.callbacks:
                callback.on_start(self)
            while self.epoch < epochs and not self.history.stopped:
                with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # what matters is looked for
                    self._run_epoch(epochs)
                if checkpoint is not None:
                    checkpoint.save()
        finally:
            self.bar.close()
            for p in self.parameters:
                p.zero_grad()
            self.model.eval()

    def _plan_replay(self, epochs: int) -> None:
        """Replay steps where that is worth it, and nothing of the user's could make one differ from the others."""
        parts = [*self.callbacks, self.optimizer, *([self.schedule] if self.schedule else [])]
        users = [x for x in parts if not is_own(getattr(x, "function", type(x)))]
        if self._replay is not None and not users:
            return
        self._replay = None  # what a callback changes between epochs is recorded anew
        steps = len(self.X) // self.batch_size * (1 if users else epochs - self.epoch)
        self._may_replay = (
            steps >= WORTH
            and self.accumulate == 1
            and not self._keeps_state
            and all(is_own(hook) for hook in self._after_batch)
            and may_replay(self.model, plain_loss(self.loss))
        )

    def _run_epoch(self, epochs: int) -> None:
        self.model.train()
        self._plan_replay(epochs)
        rate = self.optimizer.param_groups[0]["lr"]
        measured = self._train_epoch() | {"lr": rate}
        if self.validation is not None:
            X, y = self.validation
            found = measure(predict(self.model, X), y, self.loss, self.metrics)
            measured |= {f"val_{name}": value for name, value in found.items()}
        self.history.append(measured)
        self.epoch += 1
        self.bar.end_epoch(measured)
        if self.schedule is not None and self.schedule_per == "epoch":
            self.schedule.step(measured.get("val_loss", measured["loss"]))
        for callback in self.callbacks:
            callback.on_epoch_end(self)

    def _train_epoch(self) -> dict[str, float]:
        """One pass over the data in random order; mean loss and metrics over it."""
        n, group = len(self.X), self._group
        order = self.rng.permutation(n)
        sums = dict.fromkeys(["loss", *self.metrics], 0.0)
        for start in range(0, n, CHUNK * group):
            chunk = order[start : start + CHUNK * group]
            outputs: list[Array] = []
            # Within such a scope the user's line need not be looked for at every op.
            with mg.scope("fit", self._opaque):
                for i in range(0, len(chunk), group):
                    rows = chunk[i : i + group]
                    loss = self._update(self.X.take(rows, 0), self.y.take(rows, 0), outputs)
                    sums["loss"] += len(rows) * loss
                    self._after_update(loss)
            if self.metrics:
                output, target = np.concatenate(outputs), self.y.take(chunk, 0)
                for name, metric in self.metrics.items():
                    sums[name] += len(chunk) * float(metric(output, target))
            self._shown = {name: total / (start + len(chunk)) for name, total in sums.items()}
        return self._shown

    def _update(self, X: Array, y: Array, outputs: list[Array]) -> float:
        """One update from the rows of one batch, or of `accumulate` many; gives their loss."""
        n, size = len(X), self.batch_size
        before = self._aside() if self._keeps_state else _NOTHING
        total = 0.0
        for i in range(0, n, size):
            batch, target = (X, y) if n <= size else (X[i : i + size], y[i : i + size])
            share = len(batch) / n
            if self._replay is not None and len(batch) == size == n:
                loss, output = self._replay(batch, target)
                value = loss.item()
            else:
                value, output = self._eager(batch, target, share)
            if not isfinite(value):
                self._refuse(X, y, before, f"the loss became {value}")
            outputs.append(output)
            total += share * value
        for p in self.parameters:
            if p.grad is None:
                continue
            g = p.grad.ravel()
            # The sum of squares tells in one pass whether all elements are finite, unless it overflows.
            if not (isfinite(g.dot(g)) or np.isfinite(g).all()):
                what = f"the gradient of {p.name or 'a parameter'} {p.shape} became NaN or infinite"
                self._refuse(X, y, before, what)
        if self.clip_value is not None:
            clip_grad_value(self.parameters, self.clip_value)
        if self.clip_norm is not None:
            clip_grad_norm(self.parameters, self.clip_norm)
        self.optimizer.step()
        for p in self.parameters:
            p.grad = None
        return total

    def _eager(self, batch: Array, target: Array, share: float) -> tuple[float, Array]:
        """Loss and output of a batch; its gradient is added to the parameters'."""
        output = self.model(batch)
        loss = self.loss(output, target)
        value = loss.item()
        if isfinite(value):
            if self._may_replay and len(batch) == self.batch_size:
                self._replay = record(loss, output, batch, target, self.model)
                self._may_replay = False
            loss.backward(None if share == 1 else share, retain_graph=False)
        return value, output.data

    def _after_update(self, loss: float) -> None:
        self.step += 1
        self.history.append_batch(loss)
        if self.schedule is not None and self.schedule_per == "step":
            self.schedule.step(loss)
        for hook in self._after_batch:
            hook(self)
        if self.bar:
            self.bar.step({**self._shown, "loss": loss})

    def _find_aside(self) -> None:
        self._buffers = [buffer for _, buffer in self.model.named_buffers()]
        # A generator under a private name draws the weights of a layer, once.
        self._generators = [g for _, name, g in generators(self.model) if not name.startswith("_")]
        self._keeps_state = bool(self._buffers or self._generators)

    def _aside(self) -> Aside:
        """What a forward pass changes besides: running statistics and the state of generators, as they are now."""
        return [b.copy() for b in self._buffers], [g.bit_generator.state for g in self._generators]

    def _go_back(self, before: Aside) -> None:
        buffers, states = before
        for buffer, kept in zip(self._buffers, buffers, strict=True):
            buffer[...] = kept
        for generator_, state in zip(self._generators, states, strict=True):
            generator_.bit_generator.state = state

    def _refuse(self, X: Array, y: Array, before: Aside, what: str) -> None:
        """Raise FloatingPointError, naming the first op that went wrong in this update."""
        for p in self.parameters:
            p.zero_grad()
        self._go_back(before)  # the same elements dropped, the same statistics
        try:
            with mg.debug():
                for i in range(0, len(X), self.batch_size):
                    self.loss(self.model(X[i : i + self.batch_size]), y[i : i + self.batch_size]).backward()
            broken = [name for name, p in self.model.named_parameters() if not np.isfinite(p.data).all()]
            where = f"{', '.join(broken)} was not finite before" if broken else "not when the batch was repeated"
        except FloatingPointError as error:
            where = str(error)
        finally:
            self._go_back(before)
        rate = self.optimizer.param_groups[0]["lr"]
        raise FloatingPointError(
            f"{what} in step {self.step + 1} (epoch {self.epoch + 1}): {where}. The weights are those before this "
            f"step. Try a learning rate below {rate:g}, clip_norm=1.0, or inputs scaled to about 1"
        )


def default_metrics(loss: Loss) -> dict[str, Metric]:
    """Accuracy where the loss is a cross-entropy, else nothing."""
    known: dict[Any, Metric] = {cross_entropy: class_accuracy, binary_cross_entropy: label_accuracy}
    metric = known.get(plain_loss(loss))
    return {} if metric is None else {"accuracy": metric}


def _trial(model: Module, X: Array) -> tuple[int, ...]:
    """Run one row through the network, which lets layers find their sizes; gives the shape of its output."""
    with eval_mode(model), mg.no_grad(), np.errstate(all="ignore"):
        output = model(X[:1])
    if not isinstance(output, mg.Tensor):
        raise TypeError(
            f"the network's output is {type(output).__name__}, expected a tensor: has it parameters, and does "
            "forward compute with tensors all the way (without .data)?"
        )
    if output.shape[:1] != (1,):
        raise ValueError(f"the network gave an output of shape {output.shape} for one row, expected one row")
    return tuple(output.shape[1:])


def _check_optimizer(optimizer: Any, model: Module) -> Optimizer:
    if not hasattr(optimizer, "param_groups"):
        raise TypeError(f"optimizer is {optimizer!r}, expected one like nn.Adam(model.parameters(), lr=1e-3)")
    own = {id(p) for p in model.parameters()}
    held = [p for group in optimizer.param_groups for p in group["params"] if id(p) in own]
    if not held:
        raise ValueError("the optimizer holds none of this model's parameters: make it from model.parameters()")
    if not any(p.requires_grad for p in held):
        raise ValueError("all parameters are frozen, there is nothing to train: set requires_grad = True on some")
    return optimizer  # type: ignore[no-any-return]


def _check_schedule(schedule: Any, optimizer: Optimizer) -> Schedule | None:
    if schedule is None:
        return None
    if not isinstance(schedule, Schedule):
        raise TypeError(f"schedule is {schedule!r}, expected one like nn.Cosine(optimizer, steps=10)")
    if schedule.optimizer is not optimizer:
        raise ValueError(
            "the schedule sets the step length of another optimizer than the one that trains: make one "
            "optimizer, and pass both: fit(..., optimizer=optimizer, schedule=nn.Cosine(optimizer, steps=10))"
        )
    return schedule


def _as_bound(value: float | None, name: str) -> float | None:
    return None if value is None else as_number(value, name, "(0, inf]")


def generators(model: Module) -> Iterator[tuple[Module, str, np.random.Generator]]:
    """Each random generator that a layer keeps, with its layer and attribute."""
    for part in model.modules():
        for name, value in vars(part).items():
            if isinstance(value, np.random.Generator):
                yield part, name, value
