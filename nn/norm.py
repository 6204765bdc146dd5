"""Normalisation: inputs centred and scaled, then given a learnt mean and spread."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import microgradnd as mg

from .arguments import as_number, as_size
from .layers import parameter
from .module import Module, Unbuilt

__all__ = ["BatchNorm", "LayerNorm"]


def _standardise(x: Any, axis: Any, eps: float) -> tuple[Any, Any, Any]:
    """`x` with mean 0 and variance 1 along axes, and the mean and variance it had (in two passes)."""
    mean = np.mean(x, axis=axis, keepdims=True)
    centred = x - mean
    variance = np.mean(np.square(centred), axis=axis, keepdims=True)
    return centred / np.sqrt(variance + eps), mean, variance


class LayerNorm(Module):
    """Standardises each row by itself: ``(x - mean) / sqrt(var + eps) * gain + shift`` over the last axis.

    Ba, Kiros & Hinton 2016, arXiv:1607.06450.

    Parameters
    ----------
    n_in
        Length of the last axis; None takes it from the first batch.
    eps
        Added to the variance.
    dtype
        NumPy dtype of the parameters.

    Raises
    ------
    ValueError
        If the input's last axis isn't `n_in` long.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> nn.LayerNorm(2)(np.array([[1.0, 3.0], [10.0, 30.0]])).data.round(3)
    array([[-1.,  1.],
           [-1.,  1.]])
    """

    def __init__(self, n_in: int | None = None, *, eps: float = 1e-5, dtype: Any = float) -> None:
        self.n_in, self.eps, self.dtype = n_in, as_number(eps, "LayerNorm: eps", "[0, inf)"), np.dtype(dtype)
        self.gain: Any = Unbuilt("LayerNorm")
        self.shift: Any = None
        if n_in is not None:
            self._build(as_size(n_in, "LayerNorm: n_in"))

    def _build(self, n_in: int) -> None:
        self.n_in = n_in
        self.gain = parameter(np.ones(n_in), "gain", self.dtype)
        self.shift = parameter(np.zeros(n_in), "shift", self.dtype)

    def forward(self, x: Any) -> Any:
        """Normalise ``(..., n_in)``."""
        shape = np.shape(x)
        if self.n_in is None and shape:
            self._build(shape[-1])
        if not shape or shape[-1] != self.n_in:
            raise ValueError(f"{self.label}: expected input of shape (..., {self.n_in}), got {shape}")
        return _standardise(x, -1, self.eps)[0] * self.gain + self.shift


class BatchNorm(Module):
    """Standardises each feature over the batch; in use (`eval`), by the statistics seen in training.

    Features are axis 1: of ``(batch, features)``, or the channels of ``(batch, channels, height, width)``.
    Ioffe & Szegedy, ICML 2015, arXiv:1502.03167.

    Parameters
    ----------
    n_in
        How many features; None takes it from the first batch.
    momentum
        Weight of a new batch in the running statistics, in (0, 1].
    eps
        Added to the variance.
    dtype
        NumPy dtype of parameters and statistics.

    Attributes
    ----------
    gain, shift
        Learnt spread and mean, of shape ``(n_in,)``.
    running_mean, running_var
        Buffers of shape ``(n_in,)``: means over batches of mean and (unbiased) variance.

    Raises
    ------
    ValueError
        For a `momentum` outside of (0, 1], an input that isn't (batch, `n_in`, ...), or, in training, a batch with one
        value per feature (`fit` says so before its first step, where `batch_size` leaves one row over).

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> layer = nn.BatchNorm(1, momentum=1.0)
    >>> layer(np.array([[1.0], [3.0]])).data.round(3).tolist()
    [[-1.0], [1.0]]
    >>> layer.running_mean, layer.running_var
    (array([2.]), array([2.]))
    """

    def __init__(
        self, n_in: int | None = None, *, momentum: float = 0.1, eps: float = 1e-5, dtype: Any = float
    ) -> None:
        self.momentum = as_number(momentum, "BatchNorm: momentum", "(0, 1]")
        self.n_in, self.eps, self.dtype = n_in, as_number(eps, "BatchNorm: eps", "[0, inf)"), np.dtype(dtype)
        self.gain: Any = Unbuilt("BatchNorm")
        self.shift: Any = None
        self.running_mean: Any = None
        self.running_var: Any = None
        if n_in is not None:
            self._build(as_size(n_in, "BatchNorm: n_in"))

    def _build(self, n_in: int) -> None:
        self.n_in = n_in
        self.gain = parameter(np.ones(n_in), "gain", self.dtype)
        self.shift = parameter(np.zeros(n_in), "shift", self.dtype)
        self.running_mean, self.running_var = np.zeros(n_in, self.dtype), np.ones(n_in, self.dtype)

    def forward(self, x: Any) -> Any:
        """Normalise a batch, and in training remember its statistics."""
        shape = np.shape(x)
        if self.n_in is None and len(shape) >= 2:
            self._build(shape[1])
        if len(shape) < 2 or shape[1] != self.n_in:
            raise ValueError(f"{self.label}: expected input of shape (batch, {self.n_in}, ...), got {shape}")
        along = (self.n_in, *(1,) * (len(shape) - 2))  # broadcasts over the batch and the places
        gain, shift = self.gain.reshape(along), self.shift.reshape(along)
        if not self.training:
            spread = np.sqrt(self.running_var + self.eps).reshape(along)
            return (x - self.running_mean.reshape(along)) / spread * gain + shift
        n = math.prod(shape) // shape[1]
        if n < 2:
            raise ValueError(
                f"{self.label}: a batch of shape {shape} has one value per feature, and no variance: "
                "train on larger batches (the last one of an epoch is what batch_size leaves over), or call "
                "model.eval() to use the model"
            )
        y, mean, variance = _standardise(x, (0, *range(2, len(shape))), self.eps)
        self._remember(self.running_mean, mean)
        self._remember(self.running_var, variance, n / (n - 1))
        return y * gain + shift

    def _remember(self, running: np.ndarray, seen: Any, factor: float = 1.0) -> None:
        new = (seen.data if isinstance(seen, mg.Tensor) else seen).reshape(-1)
        running += self.momentum * (factor * new - running)
