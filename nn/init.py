"""Initialisers: what a parameter starts from, drawn with a generator that is handed in.

An initialiser is a function ``(shape, rng, **settings) -> float64 array``; fix settings with
`functools.partial`. NumPy's global random state is never touched. Fan-in and fan-out are read off the
shape: ``(n_in, n_out)`` for a matrix, ``(n_out, n_in, *window)`` for a convolution's kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from .module import did_you_mean

__all__ = ["constant", "generator", "glorot", "he", "lecun", "normal", "orthogonal", "uniform", "zeros"]

Shape = tuple[int, ...]
Distribution = Literal["uniform", "normal"]
Initialiser = Callable[[Shape, np.random.Generator], np.ndarray]


def generator(seed: Any = None) -> np.random.Generator:
    """The generator of a seed: None, an integer, or a generator (new or legacy) to draw from.

    Parameters
    ----------
    seed
        None, an integer from 0 on, or a generator.

    Raises
    ------
    TypeError, ValueError
        If it is none of these.

    Examples
    --------
    >>> generator(3).random() == generator(3).random()
    True
    """
    if isinstance(seed, np.random.RandomState):
        seed = seed.randint(2**32, size=4, dtype=np.uint32)
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"seed={seed!r} is no seed: give None, an integer from 0 on, or an np.random.Generator"
        ) from None


def fans(shape: Shape) -> tuple[int, int]:
    """Fan-in and fan-out: how many numbers each output sums over, and each input feeds.

    >>> fans((64, 10)), fans((8, 3, 5, 5))
    ((64, 10), (75, 200))
    """
    if len(shape) < 2:
        raise ValueError(
            f"fan-in and fan-out need at least two axes, and {shape} has {len(shape)}: use normal or zeros"
        )
    if len(shape) == 2:
        return shape[0], shape[1]
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def uniform(shape: Shape, rng: np.random.Generator, low: float = -0.05, high: float = 0.05) -> np.ndarray:
    """Uniform between two bounds.

    Parameters
    ----------
    shape, rng
        Of the array, and the generator to draw from.
    low, high
        The bounds.

    Examples
    --------
    >>> uniform((2, 2), np.random.default_rng(0), -1, 1).round(2)
    array([[ 0.27, -0.46],
           [-0.92, -0.97]])
    """
    return rng.uniform(low, high, shape)


def normal(shape: Shape, rng: np.random.Generator, mean: float = 0.0, std: float = 0.05) -> np.ndarray:
    """Normal with the given mean and standard deviation.

    Parameters
    ----------
    shape, rng
        Of the array, and the generator to draw from.
    mean, std
        Mean and standard deviation.

    Examples
    --------
    >>> normal((3,), np.random.default_rng(0), std=0.01).round(4)
    array([ 0.0013, -0.0013,  0.0064])
    """
    return rng.normal(mean, std, shape)


def zeros(shape: Shape, rng: np.random.Generator | None = None) -> np.ndarray:
    """All zeros.

    Parameters
    ----------
    shape, rng
        Of the array; nothing is drawn.

    Examples
    --------
    >>> zeros((3,))
    array([0., 0., 0.])
    """
    return np.zeros(shape)


def constant(shape: Shape, rng: np.random.Generator | None = None, value: float = 0.0) -> np.ndarray:
    """One value everywhere.

    Parameters
    ----------
    shape, rng
        Of the array; nothing is drawn.
    value
        The number.

    Examples
    --------
    >>> constant((3,), value=0.5)
    array([0.5, 0.5, 0.5])
    """
    return np.full(shape, float(value))


def _scaled(shape: Shape, rng: np.random.Generator, variance: float, distribution: Distribution) -> np.ndarray:
    if distribution == "uniform":
        bound = math.sqrt(3 * variance)
        return rng.uniform(-bound, bound, shape)
    if distribution == "normal":
        return rng.normal(0.0, math.sqrt(variance), shape)
    raise ValueError(f"distribution={distribution!r}: expected 'uniform' or 'normal'")


def glorot(
    shape: Shape, rng: np.random.Generator, gain: float = 1.0, distribution: Distribution = "uniform"
) -> np.ndarray:
    """Variance ``gain² · 2 / (fan_in + fan_out)``: for tanh, sigmoid and linear layers.

    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.

    Parameters
    ----------
    shape, rng
        Of the array, and the generator to draw from.
    gain
        Factor of the standard deviation.
    distribution
        "uniform" or "normal".

    Raises
    ------
    ValueError
        If the shape has fewer than two axes, and so no fan-in, or for another distribution.

    Examples
    --------
    >>> W = glorot((300, 100), np.random.default_rng(0))
    >>> bool(abs(W).max() <= (6 / 400) ** 0.5)
    True
    """
    n_in, n_out = fans(shape)
    return _scaled(shape, rng, gain**2 * 2 / max(n_in + n_out, 1), distribution)


def he(shape: Shape, rng: np.random.Generator, gain: float = 1.0, distribution: Distribution = "normal") -> np.ndarray:
    """Variance ``gain² · 2 / fan_in``: for relu and its kin, which pass half of what they get.

    He et al., "Delving deep into rectifiers", ICCV 2015, doi:10.1109/ICCV.2015.123.

    Parameters
    ----------
    shape, rng
        Of the array, and the generator to draw from.
    gain
        Factor of the standard deviation.
    distribution
        "uniform" or "normal".

    Raises
    ------
    ValueError
        If the shape has fewer than two axes, and so no fan-in, or for another distribution.

    Examples
    --------
    >>> round(float(he((200, 300), np.random.default_rng(0)).std()), 2)
    0.1
    """
    return _scaled(shape, rng, gain**2 * 2 / max(fans(shape)[0], 1), distribution)


def lecun(
    shape: Shape, rng: np.random.Generator, gain: float = 1.0, distribution: Distribution = "normal"
) -> np.ndarray:
    """Variance ``gain² / fan_in``: for selu, and wherever outputs should keep the variance of inputs.

    LeCun et al., "Efficient BackProp", 1998, doi:10.1007/3-540-49430-8_2.

    Parameters
    ----------
    shape, rng
        Of the array, and the generator to draw from.
    gain
        Factor of the standard deviation.
    distribution
        "uniform" or "normal".

    Raises
    ------
    ValueError
        If the shape has fewer than two axes, and so no fan-in, or for another distribution.

    Examples
    --------
    >>> round(float(lecun((100, 300), np.random.default_rng(0)).std()), 2)
    0.1
    """
    return _scaled(shape, rng, gain**2 / max(fans(shape)[0], 1), distribution)


def orthogonal(shape: Shape, rng: np.random.Generator, gain: float = 1.0) -> np.ndarray:
    """Orthonormal rows or columns, whichever are fewer, times `gain`, uniformly distributed.

    Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks", ICLR 2014. An array of more than two axes counts as a matrix of its first against the rest.

    Parameters
    ----------
    shape, rng
        Of the array, and the generator to draw from.
    gain
        Factor of the matrix.

    Raises
    ------
    ValueError
        If the shape has fewer than two axes, and so no fan-in.

    Examples
    --------
    >>> Q = orthogonal((3, 5), np.random.default_rng(0))
    >>> np.allclose(Q @ Q.T, np.eye(3))
    True
    """
    fans(shape)  # says what is wrong with a vector
    rows, columns = shape[0], math.prod(shape[1:])
    Q, R = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    Q *= np.where(np.diagonal(R) < 0, -1.0, 1.0)  # without this QR's own signs would favour some rotations
    return gain * (Q if rows >= columns else Q.T).reshape(shape)


INITIALISERS: dict[str, Initialiser] = {
    "uniform": uniform,
    "normal": normal,
    "glorot": glorot,
    "he": he,
    "lecun": lecun,
    "orthogonal": orthogonal,
    "zeros": zeros,
    "constant": constant,
}
_SUITED = dict.fromkeys(["relu", "leaky_relu", "elu", "gelu", "gelu_tanh", "silu", "softplus"], he) | {"selu": lecun}


def _checked(init: Initialiser) -> Initialiser:
    """An initialiser of the user's, held to the shape it is asked for."""

    def draw(shape: Shape, rng: np.random.Generator) -> np.ndarray:
        array = np.asarray(init(shape, rng))
        if array.shape != shape or array.dtype.kind not in "fiub":
            raise ValueError(
                f"init={init!r} gave an array of shape {array.shape} and dtype {array.dtype}, "
                f"expected numbers of shape {shape}"
            )
        return array

    return draw


def initialiser(init: Any, activation: Any = None) -> Initialiser:
    """The initialiser of a name or function; None picks the one that suits the activation."""
    if init is None:
        return _SUITED.get(activation, glorot) if isinstance(activation, str) else glorot
    if callable(init):
        return _checked(init)
    if init in INITIALISERS:
        return INITIALISERS[init]
    raise ValueError(
        f"init={init!r} is no initialiser{did_you_mean(init, INITIALISERS)}; there are {', '.join(INITIALISERS)}, "
        "or give a function (shape, rng) -> array"
    )
