"""Dense layers, and layers in a row."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import microgradnd as mg

from .activations import ACTIVATIONS, named_activation
from .init import generator, initialiser
from .module import Module, Unbuilt

__all__ = ["MLP", "Dense", "Sequential"]


def _affine(x: Any, W: Any, b: Any) -> Any:
    z = x.dot(W) if x.ndim == 2 else x @ W  # the same product; dot starts sooner
    z += b
    return z


affine = mg.op(
    _affine,
    lambda g, y, x, W, b: g @ W.T,
    lambda g, y, x, W, b: x.T @ g if g.ndim == 2 else x.reshape(-1, W.shape[0]).T @ g.reshape(-1, W.shape[1]),
    lambda g, y, x, W, b: np.add.reduce(g if g.ndim == 2 else g.reshape(-1, W.shape[1]), 0),
    name="affine",
    formula="{0} @ {1} + {2}",
    samples=lambda rng: (
        mg.sample(rng.normal(size=shape), rng.normal(size=(3, 2)), rng.normal(size=2))
        for shape in [(4, 3), (3,), (2, 4, 3), (0, 3)]
    ),
    reference=lambda x, W, b: x @ W + b,
)


def check_size(layer: str, name: str, value: Any) -> int:
    """`value` as a positive whole number, or an error that names the layer and the argument."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value > 0:
        return int(value)
    kind = ValueError if isinstance(value, int | float | np.number) else TypeError
    raise kind(f"{layer}: {name}={value!r}, expected a whole number from 1 on")


def parameter(array: np.ndarray, name: str, dtype: Any) -> mg.Tensor:
    """A trainable tensor."""
    return mg.tensor(array, requires_grad=True, dtype=dtype, name=name)


class Dense(Module):
    """Every output is a weighted sum of all inputs: ``activation(x @ W + b)``.

    Parameters
    ----------
    n_in, n_out
        Length of the last axis of input and output. ``n_in=None`` takes it from the first batch.
    activation
        Name of an activation, or a function; None: the layer is linear.
    bias
        Whether there is a `b`.
    init
        Initialiser of `W`, by name or as a function ``(shape, rng) -> array``; None takes what suits the
        activation: He for relu and its kin, LeCun for selu, else Glorot. `b` starts at 0.
    seed
        Integer or `np.random.Generator` that the weights are drawn with.
    dtype
        NumPy dtype of the parameters.

    Attributes
    ----------
    W
        Weights, of shape ``(n_in, n_out)``.
    b
        Bias, of shape ``(n_out,)``, or None.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> layer = nn.Dense(3, 2, "relu", seed=0)
    >>> layer(np.ones((5, 3))).shape
    (5, 2)
    """

    W: Any
    b: Any

    def __init__(
        self,
        n_in: int | None,
        n_out: int,
        activation: str | Callable[[Any], Any] | None = None,
        *,
        bias: bool = True,
        init: Any = None,
        seed: Any = None,
        dtype: Any = float,
    ) -> None:
        self.n_in = n_in if n_in is None else check_size("Dense", "n_in", n_in)
        self.n_out = check_size("Dense", "n_out", n_out)
        self.activation = named_activation(activation)
        self.bias, self.init, self.dtype = bool(bias), init, np.dtype(dtype)
        self._rng = generator(seed)
        initialiser(init, self.activation)  # a wrong name is told here, not at the first batch
        self.W, self.b = Unbuilt("Dense"), None
        if n_in is not None:
            self._build(self.n_in)

    def _build(self, n_in: Any) -> None:
        self.n_in = n_in
        W = initialiser(self.init, self.activation)((n_in, self.n_out), self._rng)
        self.W = parameter(W, "W", self.dtype)
        if self.bias:
            self.b = parameter(np.zeros(self.n_out), "b", self.dtype)

    def forward(self, x: Any) -> Any:
        """Map ``(..., n_in)`` to ``(..., n_out)``."""
        if self.n_in is None:
            self._build(np.shape(x)[-1])
        b = self.b
        try:
            z = affine(x, self.W, b) if b is not None else mg.matmul(x, self.W)
        except ValueError:
            if np.ndim(x) and np.shape(x)[-1] == self.n_in:
                raise
            raise ValueError(f"{self._label}: expected input of shape (..., {self.n_in}), got {np.shape(x)}") from None
        activation = self.activation
        if activation is None:
            return z
        return ACTIVATIONS.get(activation, activation)(z)


class Sequential(Module):
    """Layers in a row, each applied to what the one before gives.

    Parameters
    ----------
    *layers
        Modules, or functions such as `nn.relu`.

    Examples
    --------
    >>> from microgradnd import nn
    >>> nn.Sequential(nn.Dense(64, 32, seed=0), nn.relu, nn.Dense(32, 10, seed=1))
    Sequential(
      layers.0: Dense(64, 32)
      layers.2: Dense(32, 10)
    )
    """

    def __init__(self, *layers: Any) -> None:
        for i, layer in enumerate(layers):
            if not callable(layer):
                way = ": unpack it, Sequential(*layers)" if isinstance(layer, list | tuple) else ""
                raise TypeError(f"Sequential: layer {i} is {type(layer).__name__}, expected a module or function{way}")
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        """Apply the layers one after the other."""
        for layer in self.layers:
            x = layer(x)
        return x


class MLP(Sequential):
    """A multilayer perceptron: dense layers in a row, the last one linear (it gives logits).

    Parameters
    ----------
    sizes
        Length of the input, of each hidden layer, and of the output.
    activation
        Of the hidden layers: a name or a function.
    init, seed, dtype
        As for `Dense`; one generator draws all layers.

    Examples
    --------
    >>> from microgradnd import nn
    >>> nn.MLP([64, 32, 10], activation="tanh", seed=0)
    MLP([64, 32, 10],
      layers.0: Dense(64, 32, activation='tanh')
      layers.1: Dense(32, 10)
    )
    """

    def __init__(
        self,
        sizes: Sequence[int | None],
        activation: str | Callable[[Any], Any] | None = "tanh",
        *,
        init: Any = None,
        seed: Any = None,
        dtype: Any = float,
    ) -> None:
        if isinstance(sizes, int | str) or len(sizes) < 2:
            raise ValueError(f"MLP: sizes={sizes!r}, expected at least input and output, as in [64, 32, 10]")
        rng = generator(seed)
        last = len(sizes) - 2
        super().__init__(
            *(
                Dense(n_in, n_out, None if i == last else activation, init=init, seed=rng, dtype=dtype)  # type: ignore[arg-type]
                for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes))
            )
        )
        self.sizes, self.activation, self.init, self.dtype = (
            list(sizes),
            named_activation(activation),
            init,
            np.dtype(dtype),
        )
