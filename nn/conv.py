"""Convolution and pooling of images, ``(batch, channels, height, width)``.

All three read the image through one linear op, `unfold`, which lays its windows out as columns; a
convolution is then a matrix product, a pooling a maximum or mean. `fold` is the transpose of `unfold`,
and each is the other's derivative.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import microgradnd as mg

from .activations import ACTIVATIONS, named_activation
from .arguments import as_size
from .init import generator, initialiser
from .layers import parameter
from .module import Module, Unbuilt

__all__ = ["AvgPool2d", "Conv2d", "MaxPool2d"]

Pair = tuple[int, int]


def _places(length: int, size: int, stride: int) -> int:
    return (length - size) // stride + 1


def _unfold(x: Any, size: Pair, stride: Pair, padding: Pair) -> Any:
    n, c, h, w = x.shape
    if padding != (0, 0):
        framed = np.zeros((n, c, h + 2 * padding[0], w + 2 * padding[1]), x.dtype)
        framed[:, :, padding[0] : padding[0] + h, padding[1] : padding[1] + w] = x
        x = framed
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=(2, 3))[:, :, :: stride[0], :: stride[1]]
    rows, columns = windows.shape[2:4]
    return windows.transpose(0, 1, 4, 5, 2, 3).reshape(n, c * size[0] * size[1], rows * columns)


def _fold(columns: Any, shape: tuple[int, ...], size: Pair, stride: Pair, padding: Pair) -> Any:
    n, c, h, w = shape
    top, left = padding
    framed = np.zeros((n, c, h + 2 * top, w + 2 * left), columns.dtype)
    down, across = _places(h + 2 * top, size[0], stride[0]), _places(w + 2 * left, size[1], stride[1])
    parts = columns.reshape(n, c, *size, down, across)
    for i in range(size[0]):
        for j in range(size[1]):
            framed[:, :, i : i + stride[0] * down : stride[0], j : j + stride[1] * across : stride[1]] += parts[
                :, :, i, j
            ]
    return framed[:, :, top : top + h, left : left + w]


_GEOMETRIES: list[dict[str, Pair]] = [
    {"size": (2, 2), "stride": (1, 1), "padding": (0, 0)},
    {"size": (3, 2), "stride": (2, 1), "padding": (1, 0)},
]
unfold = mg.op(
    _unfold,
    lambda g, y, x, size, stride, padding: fold(g, shape=x.shape, size=size, stride=stride, padding=padding),
    name="unfold",
    formula="windows of {0}, {size}",
    samples=lambda rng: [mg.sample(rng.normal(size=(2, 2, 4, 3)), **geometry) for geometry in _GEOMETRIES],
)
fold: mg.Op = mg.op(
    _fold,
    lambda g, y, columns, shape, size, stride, padding: unfold(g, size=size, stride=stride, padding=padding),
    name="fold",
    formula="add windows {0}, {size}, into zeros",
    samples=lambda rng: [
        mg.sample(rng.normal(size=_unfold(np.zeros((2, 2, 4, 3)), **geometry).shape), shape=(2, 2, 4, 3), **geometry)
        for geometry in _GEOMETRIES
    ],
)


def _pair(layer: str, name: str, value: Any, least: int = 1) -> Pair:
    """One number for both directions, or two."""
    both = (value, value) if np.ndim(value) == 0 else tuple(value)
    if len(both) != 2:
        raise ValueError(f"{layer}: {name}={value!r}, expected one number or two, for height and width")
    return as_size(both[0], f"{layer}: {name}", least), as_size(both[1], f"{layer}: {name}", least)


def _grid(layer: Module, shape: tuple[int, ...], size: Pair, stride: Pair, padding: Pair = (0, 0)) -> Pair:
    """How many windows fit down and across, or an error that names the layer and the shapes."""
    channels = getattr(layer, "n_in", None)
    if len(shape) != 4 or (channels is not None and shape[1] != channels):
        raise ValueError(
            f"{layer.label}: expected input of shape (batch, {channels or 'channels'}, height, width), got {shape}"
        )
    room = (shape[2] + 2 * padding[0], shape[3] + 2 * padding[1])
    if room[0] < size[0] or room[1] < size[1]:
        raise ValueError(
            f"{layer.label}: a window of {size} doesn't fit into {room}, the image with its padding: take a smaller one, or pad more"
        )
    return _places(room[0], size[0], stride[0]), _places(room[1], size[1], stride[1])


class Conv2d(Module):
    """Slides learnt windows over an image: at each place, a weighted sum of all channels under the window.

    Maps ``(batch, n_in, height, width)`` to ``(batch, n_out, height', width')`` with
    ``height' = (height + 2 padding - size) // stride + 1``. As usual this is a correlation: the kernel is not flipped.

    Parameters
    ----------
    n_in, n_out
        Channels; ``n_in=None`` takes it from the first batch.
    size
        Height and width of the window, one number or two.
    activation
        Name of an activation, or a function.
    stride
        Steps between windows.
    padding
        Rows and columns of zeros around the image; ``"same"`` keeps its size (odd windows, stride 1).
    bias
        Whether each output channel has an offset.
    init, seed, dtype
        As for `Dense`.

    Attributes
    ----------
    W
        Kernel, of shape ``(n_out, n_in, height, width)``.
    b
        Bias, of shape ``(n_out,)``, or None.

    Raises
    ------
    ValueError
        For sizes that aren't whole numbers, "same" padding with a stride or an even window, an input that isn't
        (batch, channels, height, width), or an image smaller than the window.

    Notes
    -----
    LeCun et al. (1989), doi 10.1162/neco.1989.1.4.541.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> nn.Conv2d(1, 4, 3, "relu", padding="same", seed=0)(np.ones((2, 1, 8, 8))).shape
    (2, 4, 8, 8)
    """

    W: Any
    b: Any

    def __init__(
        self,
        n_in: int | None,
        n_out: int,
        size: Any,
        activation: Any = None,
        *,
        stride: Any = 1,
        padding: Any = 0,
        bias: bool = True,
        init: Any = None,
        seed: Any = None,
        dtype: Any = float,
    ) -> None:
        self.n_in = n_in if n_in is None else as_size(n_in, "Conv2d: n_in")
        self.n_out = as_size(n_out, "Conv2d: n_out")
        self.size = _pair("Conv2d", "size", size)
        self.activation = named_activation(activation)
        self.stride = _pair("Conv2d", "stride", stride)
        if padding == "same":
            if self.stride != (1, 1) or not all(s % 2 for s in self.size):
                raise ValueError(
                    f"Conv2d: padding='same' needs stride 1 and odd windows, got {self.stride} and {self.size}: give padding "
                    "as a number"
                )
            padding = (self.size[0] // 2, self.size[1] // 2)
        self.padding = _pair("Conv2d", "padding", padding, least=0)
        self.bias, self.init, self.dtype = bool(bias), init, np.dtype(dtype)
        self._rng = generator(seed)
        initialiser(init, self.activation)  # a wrong name is told here, not at the first batch
        self.W, self.b = Unbuilt("Conv2d"), None
        if n_in is not None:
            self._build(self.n_in)

    def _build(self, n_in: Any) -> None:
        self.n_in = n_in
        W = initialiser(self.init, self.activation)((self.n_out, n_in, *self.size), self._rng)
        self.W = parameter(W, "W", self.dtype)
        if self.bias:
            self.b = parameter(np.zeros(self.n_out), "b", self.dtype)

    def forward(self, x: Any) -> Any:
        """Convolve a batch of images."""
        shape = np.shape(x)
        if self.n_in is None and len(shape) == 4:
            self._build(shape[1])
        down, across = _grid(self, shape, self.size, self.stride, self.padding)
        columns = unfold(x, size=self.size, stride=self.stride, padding=self.padding)
        y = mg.matmul(self.W.reshape(self.n_out, -1), columns)
        if self.b is not None:
            y = y + self.b.reshape(-1, 1)
        y = y.reshape(shape[0], self.n_out, down, across)
        return y if self.activation is None else ACTIVATIONS.get(self.activation, self.activation)(y)


class Pool2d(Module):
    """What poolings share: the windows of an image, per channel.

    Parameters
    ----------
    size
        Height and width of the window, one number or two.
    stride
        Steps between windows; None: the window's size, so that windows don't overlap.
    """

    def __init__(self, size: Any, stride: Any = None) -> None:
        name = type(self).__name__
        self.size = _pair(name, "size", size)
        self.stride = self.size if stride is None else _pair(name, "stride", stride)

    def windows(self, x: Any) -> Any:
        """The image as ``(batch, channels, window, down, across)``."""
        shape = np.shape(x)
        down, across = _grid(self, shape, self.size, self.stride)
        columns = unfold(x, size=self.size, stride=self.stride, padding=(0, 0))
        return columns.reshape(*shape[:2], self.size[0] * self.size[1], down, across)


class MaxPool2d(Pool2d):
    """The largest value under each window, per channel; ties share the gradient equally.

    Parameters
    ----------
    size
        Height and width of the window, one number or two.
    stride
        Steps between windows; None: the window's size, so that windows don't overlap.

    Raises
    ------
    ValueError
        For sizes that aren't whole numbers, an input that isn't (batch, channels, height, width), or an image smaller
        than the window.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> nn.MaxPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4)).tolist()
    [[[[5.0, 7.0], [13.0, 15.0]]]]
    """

    def forward(self, x: Any) -> Any:
        """Reduce each window to its maximum."""
        return np.max(self.windows(x), axis=2)


class AvgPool2d(Pool2d):
    """The mean under each window, per channel.

    Parameters
    ----------
    size, stride
        As for `MaxPool2d`.

    Raises
    ------
    ValueError
        For sizes that aren't whole numbers, an input that isn't (batch, channels, height, width), or an image smaller
        than the window.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> nn.AvgPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4)).tolist()
    [[[[2.5, 4.5], [10.5, 12.5]]]]
    """

    def forward(self, x: Any) -> Any:
        """Reduce each window to its mean."""
        return np.mean(self.windows(x), axis=2)
