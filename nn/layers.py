"""Dense layers, layers in a row, and the small ones between them."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import microgradnd as mg

from .activations import ACTIVATIONS, named_activation
from .arguments import as_number, as_size
from .init import generator, initialiser, normal
from .module import Module, Unbuilt

__all__ = ["MLP", "Dense", "Dropout", "Embedding", "Flatten", "Residual", "Sequential"]


def _affine(x: Any, W: Any, b: Any) -> Any:
    z = x.dot(W) if x.ndim == 2 else x @ W  # the same product; dot starts sooner
    z += b
    return z


@functools.lru_cache(maxsize=8)
def _ones(n: int, dtype: Any) -> np.ndarray:
    """A vector whose product with a matrix sums its rows: BLAS starts sooner than a reduction."""
    return np.ones(n, dtype)


affine = mg.op(
    _affine,
    lambda g, y, x, W, b: g.dot(W.T) if g.ndim == 2 else g @ W.T,
    lambda g, y, x, W, b: x.T.dot(g) if g.ndim == 2 else x.reshape(-1, W.shape[0]).T @ g.reshape(-1, W.shape[1]),
    lambda g, y, x, W, b: g.T.dot(_ones(len(g), g.dtype)) if g.ndim == 2 else np.add.reduce(g.reshape(-1, len(b)), 0),
    name="affine",
    formula="{0} @ {1} + {2}",
    samples=lambda rng: (
        mg.sample(rng.normal(size=shape), rng.normal(size=(3, 2)), rng.normal(size=2))
        for shape in [(4, 3), (3,), (2, 4, 3), (0, 3)]
    ),
    reference=lambda x, W, b: x @ W + b,
)


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

    Raises
    ------
    TypeError, ValueError
        For a size that is no whole number from 1 on, an unknown activation, initialiser or seed.
    ValueError
        If the input's last axis isn't `n_in` long.

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
        self.n_in = n_in if n_in is None else as_size(n_in, "Dense: n_in")
        self.n_out = as_size(n_out, "Dense: n_out")
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
            if not np.ndim(x):
                raise self._misfit(x)
            self._build(np.shape(x)[-1])
        b = self.b
        try:
            z = affine(x, self.W, b) if b is not None else mg.matmul(x, self.W)
        except (ValueError, AttributeError):  # checking first would cost every call
            if np.ndim(x) and np.shape(x)[-1] == self.n_in:
                raise
            raise self._misfit(x) from None
        activation = self.activation
        return z if activation is None else ACTIVATIONS.get(activation, activation)(z)

    def _misfit(self, x: Any) -> ValueError:
        return ValueError(f"{self.label}: expected input of shape (..., {self.n_in}), got {np.shape(x) or repr(x)}")


class Sequential(Module):
    """Layers in a row, each applied to what the one before gives.

    Parameters
    ----------
    *layers
        Modules, or functions such as `nn.relu`.

    Raises
    ------
    TypeError
        If one is neither a module nor a function.

    Examples
    --------
    >>> from microgradnd import nn
    >>> nn.Sequential(nn.Dense(64, 32, seed=0), nn.relu, nn.Dense(32, 10, seed=1))
    Sequential(
      layers.0: Dense(64, 32)
      layers.1: relu
      layers.2: Dense(32, 10)
    )
    """

    def __init__(self, *layers: Any) -> None:
        for i, layer in enumerate(layers):
            if not callable(layer) or isinstance(layer, type):
                way = ": unpack it, Sequential(*layers)" if isinstance(layer, list | tuple) else ""
                what = f"the class {layer.__name__}" if isinstance(layer, type) else type(layer).__name__
                raise TypeError(f"Sequential: layer {i} is {what}, expected a module or function{way}")
        self.layers = list(layers)

    def shown(self) -> Iterator[tuple[str, Any]]:
        """The layers, functions too, and what else a subclass is made of."""
        layers = {f"layers.{i}": layer for i, layer in enumerate(vars(self).get("layers", ()))}
        yield from (layers | dict(self.named_children())).items()

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

    Raises
    ------
    ValueError
        For fewer than two sizes; else as for `Dense`.

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
        if isinstance(sizes, str) or not isinstance(sizes, Sequence | np.ndarray) or len(sizes) < 2:  # type: ignore[redundant-expr]
            raise ValueError(f"MLP: sizes={sizes!r}, expected at least input and output, as in [64, 32, 10]")
        sizes = [n if n is None else as_size(n, "MLP: sizes") for n in sizes]
        rng = generator(seed)
        last = len(sizes) - 2
        super().__init__(
            *(
                Dense(n_in, n_out, None if i == last else activation, init=init, seed=rng, dtype=dtype)  # type: ignore[arg-type]
                for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes))
            )
        )
        self.sizes, self.activation, self.init, self.dtype = (
            sizes,
            named_activation(activation),
            init,
            np.dtype(dtype),
        )


class Residual(Sequential):
    """Adds what its layers make of the input to the input: ``x + layers(x)`` (He et al., CVPR 2016, arXiv:1512.03385).

    Parameters
    ----------
    *layers
        Modules or functions, which together keep the shape.

    Raises
    ------
    ValueError
        If the layers change the shape.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> nn.Residual(nn.tanh)(np.zeros(3))
    array([0., 0., 0.])
    """

    def forward(self, x: Any) -> Any:
        """Apply the layers and add."""
        y = super().forward(x)
        if np.shape(y) != np.shape(x):
            raise ValueError(
                f"{self.label}: its layers turn {np.shape(x)} into {np.shape(y)}, which can't be added: "
                "they must keep the shape"
            )
        return x + y


class Flatten(Module):
    """Each example as one row: ``(batch, ...)`` to ``(batch, product of the rest)``.

    Raises
    ------
    ValueError
        For a single number, which is no batch.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> nn.Flatten()(np.zeros((2, 3, 4))).shape
    (2, 12)
    """

    def forward(self, x: Any) -> Any:
        """Reshape a batch."""
        shape = np.shape(x)
        if not shape:
            raise ValueError(f"{self.label}: expected a batch, of shape (batch, ...), got {x!r}")
        return np.reshape(x, (shape[0], math.prod(shape[1:])))


class Dropout(Module):
    """In training, zeroes a random share of its input and scales the rest up; in use, does nothing.

    Srivastava et al., JMLR 15, 2014.

    Parameters
    ----------
    p
        Probability of zeroing an element, in [0, 1).
    seed
        Integer or `np.random.Generator` that elements are chosen with.

    Attributes
    ----------
    rng
        The generator, whose state changes with every training batch.

    Raises
    ------
    ValueError
        For a `p` outside of [0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> nn.Dropout(0.5, seed=0)(np.ones(6))
    array([2., 0., 0., 0., 2., 2.])
    >>> nn.Dropout(0.5).eval()(np.ones(3))
    array([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, *, seed: Any = None) -> None:
        self.p = as_number(p, "Dropout: p", "[0, 1)")
        self.rng = generator(seed)

    def forward(self, x: Any) -> Any:
        """Drop elements of an array of any shape."""
        if not self.training or not self.p:
            return x
        kept = self.rng.random(np.shape(x)) >= self.p
        return x * (kept.astype(getattr(x, "dtype", float)) * (1 / (1 - self.p)))


class Embedding(Module):
    """A learnt vector per index: row ``i`` of its table stands for ``i``.

    Parameters
    ----------
    count
        How many indices there are, 0..count - 1.
    size
        Length of each vector.
    init, seed, dtype
        As for `Dense`; standard normal by default.

    Raises
    ------
    TypeError
        If the indices aren't integers.
    IndexError
        If one is outside of 0..count - 1.

    Examples
    --------
    >>> from microgradnd import nn
    >>> nn.Embedding(10, 4, seed=0)([[1, 2, 9]]).shape
    (1, 3, 4)
    """

    def __init__(self, count: int, size: int, *, init: Any = None, seed: Any = None, dtype: Any = float) -> None:
        self.count, self.size = as_size(count, "Embedding: count"), as_size(size, "Embedding: size")
        self.init, self.dtype = init, np.dtype(dtype)
        draw = functools.partial(normal, std=1.0) if init is None else initialiser(init)
        self.W = parameter(draw((count, size), generator(seed)), "W", dtype)

    def forward(self, indices: Any) -> Any:
        """Look indices up: ``(...)`` to ``(..., size)``."""
        i = indices.data if isinstance(indices, mg.Tensor) else np.asarray(indices)
        if i.dtype.kind not in "iu":
            raise TypeError(f"{self.label}: indices have dtype {i.dtype}, expected integers 0..{self.count - 1}")
        outside = (i < 0) | (i >= self.count)
        if outside.any():
            raise IndexError(f"{self.label}: index {i[outside][0]} is outside of 0..{self.count - 1}")
        return self.W[i]
