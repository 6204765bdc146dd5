"""Running a trained network: its outputs and measures on data, in eval mode, batch by batch, nothing recorded."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

import microgradnd as mg

from .arguments import as_size
from .data import Array, as_array, as_labels, check_pair
from .losses import binary_cross_entropy, cross_entropy, mse_loss
from .metrics import Metric, named_metrics
from .module import Module

Loss = Callable[[Any, Any], Any]


class eval_mode:
    """``with eval_mode(model): ...``: dropout off, running statistics used; then each layer in the mode it was in.

    Examples
    --------
    >>> from microgradnd import nn
    >>> model = nn.MLP([2, 3, 1])
    >>> with eval_mode(model):
    ...     model.training
    False
    >>> model.training
    True
    """

    def __init__(self, model: Module) -> None:
        self.model, self.modes = model, [(module, module.training) for module in model.modules()]

    def __enter__(self) -> Module:
        self.model.eval()
        return self.model

    def __exit__(self, *exception: object) -> None:
        for module, mode in self.modes:
            module.training = mode


@contextmanager
def watch(model: Module, note: Callable[[Module, Any], object]) -> Iterator[None]:
    """In eval mode, tell `note` of each module that is called, and of what it gives: `forward` is wrapped meanwhile.

    Examples
    --------
    >>> from microgradnd import nn
    >>> model = nn.MLP([2, 3, 1])
    >>> with watch(model, lambda module, y: print(type(module).__name__, y.shape)):
    ...     _ = model(np.ones((5, 2)))
    Dense (5, 3)
    Dense (5, 1)
    MLP (5, 1)
    """

    def wrap(module: Module) -> Any:
        forward = module.forward

        def noted(*inputs: Any, **options: Any) -> Any:
            y = forward(*inputs, **options)
            note(module, y)
            return y

        return noted

    modules = [m for m in model.modules() if "forward" not in vars(m)]
    try:
        for m in modules:
            vars(m)["forward"] = wrap(m)
        with eval_mode(model):
            yield
    finally:
        for m in modules:
            vars(m).pop("forward", None)


def predict(model: Module, X: Any, *, batch_size: int = 1024) -> Array:
    """The outputs of a network for every row of X: logits for a classifier.

    Parameters
    ----------
    model
        The network; it is run in eval mode, and left in the mode it was in.
    X
        Inputs, shape (n, ...).
    batch_size
        How many rows are computed at a time; bounds the memory.

    Returns
    -------
    ndarray of shape (n, ...)

    Raises
    ------
    TypeError
        If `model` is no module, or `X` no array of real numbers.

    Examples
    --------
    >>> from microgradnd import nn
    >>> predict(nn.MLP([4, 3], seed=0), np.zeros((5, 4))).shape
    (5, 3)
    """
    if not isinstance(model, Module):
        raise TypeError(f"the model is {type(model).__name__}, expected an nn.Module")
    inputs, batch_size = as_model_input(model, as_array(X, "X")), as_size(batch_size, "batch_size")
    with eval_mode(model), mg.no_grad():
        outputs = [model(inputs[i : i + batch_size]) for i in range(0, max(len(inputs), 1), batch_size)]
    if not isinstance(outputs[0], mg.Tensor | np.ndarray):
        raise TypeError(f"the network's output is {type(outputs[0]).__name__}, expected a tensor")
    parts = [mg.astensor(output).data for output in outputs]  # of a network without parameters they are arrays
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def evaluate(
    model: Module, X: Any, y: Any, loss: Loss, metrics: Iterable[str | Metric] = (), *, batch_size: int = 1024
) -> dict[str, float]:
    """Loss and metrics of a network on data.

    Parameters
    ----------
    model, X, batch_size
        As for `predict`.
    y
        Targets, one row per row of X.
    loss
        ``loss(output, target)``, a mean over the samples.
    metrics
        Names (``"accuracy"``) or functions ``metric(output, target) -> float`` on arrays.

    Raises
    ------
    TypeError, ValueError
        If the data doesn't fit the network or the loss, as told for `fit`.

    Examples
    --------
    >>> from microgradnd import nn
    >>> X, y = np.eye(3), np.arange(3)
    >>> evaluate(nn.MLP([3, 3], seed=0), X, y, nn.cross_entropy, ["accuracy"]).keys()
    dict_keys(['loss', 'accuracy'])
    """
    if not callable(loss):
        raise TypeError(f"loss is {loss!r}, expected a function of output and target, such as nn.cross_entropy")
    inputs, targets = check_pair(X, y)
    output = predict(model, inputs, batch_size=batch_size)
    targets = as_targets(targets, output.shape[1:], loss, model, "y")
    return measure(output, targets, loss, named_metrics(metrics))


def measure(output: Array, target: Array, loss: Loss, metrics: Mapping[str, Metric]) -> dict[str, float]:
    """Loss and metrics of outputs that are already computed."""
    with mg.no_grad():
        value = loss(mg.astensor(output), target)
    check_loss_value(value)
    return {"loss": float(value.item())} | {name: float(metric(output, target)) for name, metric in metrics.items()}


def as_model_input(model: Module, X: Array) -> Array:
    """Floating-point inputs in the dtype of the network's parameters, which would else be promoted."""
    dtype = next((p.dtype for p in model.parameters() if p.dtype.kind == "f"), X.dtype)
    return X.astype(dtype, copy=False) if X.dtype.kind == "f" else X


def plain_loss(loss: Any) -> Any:
    """The loss itself, without the arguments that functools.partial fixed."""
    return loss.func if isinstance(loss, functools.partial) else loss


def as_targets(y: Array, output_shape: tuple[int, ...], loss: Loss, model: Module, name: str) -> Array:
    """Targets as the loss wants them: labels as checked integers, other numbers in the network's dtype."""
    plain = plain_loss(loss)
    if plain is cross_entropy and len(output_shape) == 1:
        y = as_labels(y, output_shape[0], name)
    if y.dtype.kind == "f" or plain in (mse_loss, binary_cross_entropy):
        y = as_model_input(model, y.astype(float, copy=False) if y.dtype.kind != "f" else y)
    return y


def check_loss_value(value: Any) -> None:
    """Raise for what a loss must not give."""
    if not isinstance(value, mg.Tensor):
        raise TypeError(
            f"the loss gave {type(value).__name__}, expected a tensor of one number: does it compute with tensors "
            "all the way (without .data)?"
        )
    if np.shape(value) != ():
        raise ValueError(
            f"the loss gave an array of shape {np.shape(value)}, expected one number per batch: "
            "average over it (reduction='mean')"
        )
