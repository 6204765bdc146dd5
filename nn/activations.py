"""Activation functions, each with its slope beside it.

Functions of tensors (or arrays) of any shape; `softmax` and `log_softmax` work along an axis. At kinks they
follow PyTorch: relu'(0) = 0. None overflows, in value or slope, for any finite input.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import microgradnd as mg

from .module import did_you_mean

__all__ = [
    "elu",
    "gelu",
    "gelu_tanh",
    "hard_tanh",
    "leaky_relu",
    "log_softmax",
    "normalize",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "soft_sign",
    "softmax",
    "softplus",
    "tanh",
]


def _away_from_zero(rng: np.random.Generator) -> list[mg.Sample]:
    """Points on both sides of zero and not near it, nor near +-1."""
    return [mg.sample(rng.permutation([-2.3, -1.4, -0.6, 0.4, 0.7, 1.8]).reshape(shape)) for shape in [(6,), (2, 3)]]


def _rows(rng: np.random.Generator) -> list[mg.Sample]:
    return [
        mg.sample(rng.normal(size=(2, 4))),
        mg.sample(rng.normal(size=(3, 2, 2)), axis=1),
        mg.sample(rng.normal(size=(3, 2)), axis=0),
    ]


def _floats(x: Any) -> Any:
    """Integers and Python's numbers as float64: small integers would wrap around, or come out as float16."""
    return x if getattr(x, "dtype", _INT).kind == "f" else np.asarray(x, float)


_INT = np.dtype(int)
tanh = mg.tanh


def _relu(x: Any) -> Any:
    """`x` where positive, else 0 (Nair & Hinton, ICML 2010); the slope at 0 is 0.

    Shapes: that of `x`. Gradient: ``g`` where positive, else 0.

    >>> from microgradnd import nn
    >>> nn.relu(np.array([-2.0, 3.0]))
    array([0., 3.])
    """
    return np.maximum(x, 0)


relu = mg.op(
    _relu,
    lambda g, y, x: g * (y > 0.0),
    name="relu",
    formula="max({0}, 0)",
    elementwise=True,
    samples=_away_from_zero,
    reference=lambda x: np.maximum(x, 0),
)


def _sigmoid(x: Any) -> Any:
    """The logistic function ``1 / (1 + exp(-x))``, without overflow.

    Shapes: that of `x`. Gradient: ``g * y * sigmoid(-x)``, where ``1 - y`` would cancel.

    >>> from microgradnd import nn
    >>> nn.sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    x = _floats(x)
    e = np.exp(-np.abs(x))  # in (0, 1]: one branch per sign, so that nothing overflows or cancels
    return np.where(x < 0, e, 1.0) / (1.0 + e)


sigmoid: mg.Op = mg.op(
    _sigmoid,
    lambda g, y, x: g * (y * sigmoid(-x)),  # 1 - y would be 0 from x = 37 on
    name="sigmoid",
    formula="σ({0})",
    elementwise=True,
    samples=_away_from_zero,
    reference=lambda x: 1 / (1 + np.exp(-x)),
)


# -- kin of relu -----------------------------------------------------------------------------------
leaky_relu_op = mg.op(
    lambda x, slope=0.01: np.where(x > 0, x, slope * x),
    lambda g, y, x, slope=0.01: np.where(x > 0, g, slope * g),
    name="leaky_relu",
    elementwise=True,
    samples=_away_from_zero,
    reference=lambda x, slope=0.01: np.maximum(x, 0) + slope * np.minimum(x, 0),
)


def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """`x` where positive, else ``slope * x`` (Maas et al., 2013); the slope at 0 is `slope`.

    Shapes: that of `x`. Gradient: ``g`` where positive, else ``slope * g``.

    >>> from microgradnd import nn
    >>> nn.leaky_relu(np.array([-2.0, 3.0]))
    array([-0.02,  3.  ])
    """
    return leaky_relu_op(x) if slope == 0.01 else leaky_relu_op(x, slope=slope)


def _elu(x: Any, alpha: float = 1.0, scale: float = 1.0) -> Any:
    x = _floats(x)
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


elu_op = mg.op(
    _elu,
    lambda g, y, x, alpha=1.0, scale=1.0: g * (scale * np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0)))),
    name="elu",
    elementwise=True,
    samples=lambda rng: [*_away_from_zero(rng), mg.sample(np.array([-1.0, 0.5]), alpha=0.7, scale=1.3)],
    reference=lambda x, alpha=1.0, scale=1.0: scale * (np.maximum(x, 0) + alpha * (np.exp(np.minimum(x, 0)) - 1)),
)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """`x` where positive, else ``alpha * (exp(x) - 1)`` (Clevert et al., ICLR 2016, arXiv:1511.07289).

    Shapes: that of `x`. Gradient: ``g`` where positive, else ``g * alpha * exp(x)``.

    >>> from microgradnd import nn
    >>> nn.elu(np.array([-1e9, 3.0]))
    array([-1.,  3.])
    """
    return elu_op(x) if alpha == 1.0 else elu_op(x, alpha=alpha)


# The two numbers for which mean 0 and variance 1 are a fixed point.
_SELU = {"alpha": 1.6732632423543772, "scale": 1.0507009873554805}


def selu(x: Any) -> Any:
    """A scaled `elu` that keeps activations standardised (Klambauer et al., NeurIPS 2017, arXiv:1706.02515).

    Shapes: that of `x`. Gradient: ``scale * g`` where positive, else ``scale * g * alpha * exp(x)``.

    >>> from microgradnd import nn
    >>> nn.selu(np.array([-1e9, 1.0])).round(4)
    array([-1.7581,  1.0507])
    """
    return elu_op(x, **_SELU)


# -- smooth gates ----------------------------------------------------------------------------------
def _erfc(x: Any) -> Any:
    try:
        from scipy.special import erfc
    except ImportError:
        return np.fromiter(map(math.erfc, x.ravel().tolist()), x.dtype, x.size).reshape(x.shape)
    return erfc(x).astype(x.dtype, copy=False)


def _bounded(x: Any, bound: float) -> Any:
    """`x` cut to where a bell or step still changes, so that its powers can't overflow."""
    return np.minimum(np.maximum(x, -bound), bound)


def _bell(x: Any) -> Any:
    return np.exp(-0.5 * np.square(_bounded(x, 40.0))) / math.sqrt(2 * math.pi)


normal_cdf = mg.op(
    lambda x: 0.5 * _erfc(_floats(x) / -math.sqrt(2)),
    lambda g, y, x: g * _bell(x),
    name="normal_cdf",
    formula="Φ({0})",
    elementwise=True,
    samples=_away_from_zero,
)


def _gelu(x: Any) -> Any:
    """`x` times the normal distribution function at `x` (Hendrycks & Gimpel 2016, arXiv:1606.08415).

    Shapes: that of `x`. Gradient: ``g * (Φ(x) + x φ(x))``.

    >>> from microgradnd import nn
    >>> nn.gelu(np.array([-1.0, 0.0, 2.0])).round(4)
    array([-0.1587,  0.    ,  1.9545])
    """
    share = normal_cdf(x)
    return x * share, share


gelu = mg.op(
    _gelu,
    lambda g, y, x, saved: g * (saved + _bounded(x, 40.0) * _bell(x)),
    name="gelu",
    formula="{0} Φ({0})",
    elementwise=True,
    saves=normal_cdf,
    samples=_away_from_zero,
    reference=lambda x: x * normal_cdf(x),
)


def gelu_tanh(x: Any) -> Any:
    """The approximation of `gelu` by tanh (Hendrycks & Gimpel 2016, arXiv:1606.08415).

    Shapes: that of `x`. Gradient: through the composition.

    >>> from microgradnd import nn
    >>> bool(np.abs(nn.gelu_tanh(np.array([-1.0, 2.0])) - nn.gelu(np.array([-1.0, 2.0]))).max() < 1e-3)
    True
    """
    c = _bounded(x, 20.0)
    return np.multiply(0.5, x) * (1.0 + np.tanh(math.sqrt(2 / math.pi) * (c + 0.044715 * c * c * c)))


def _silu(x: Any) -> Any:
    """`x` times its sigmoid (Elfwing et al. 2018, doi 10.1016/j.neunet.2017.12.012), also called swish.

    Shapes: that of `x`. Gradient: ``g * σ(x) * (1 + x σ(-x))``.

    >>> from microgradnd import nn
    >>> nn.silu(np.array([-1000.0, 0.0, 2.0])).round(4)
    array([-0.    ,  0.    ,  1.7616])
    """
    return x * sigmoid(x)


silu = mg.op(
    _silu,
    lambda g, y, x: g * (sigmoid(x) * (1.0 + _bounded(x, 800.0) * sigmoid(-x))),
    name="silu",
    formula="{0} σ({0})",
    elementwise=True,
    samples=_away_from_zero,
    reference=lambda x: x * sigmoid(x),
)


def _softplus(x: Any) -> Any:
    """A smooth `relu` (Dugas et al., NeurIPS 2000), without overflow: its slope is the sigmoid.

    Shapes: that of `x`. Gradient: ``g * sigmoid(x)``.

    >>> from microgradnd import nn
    >>> nn.softplus(np.array([-800.0, 800.0])).tolist()
    [0.0, 800.0]
    """
    x = _floats(x)
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


softplus = mg.op(
    _softplus,
    lambda g, y, x: g * sigmoid(x),
    name="softplus",
    formula="log(1 + exp({0}))",
    elementwise=True,
    samples=_away_from_zero,
    reference=lambda x: np.log1p(np.exp(x)),
)


# -- squashing -------------------------------------------------------------------------------------
def _hard_tanh(x: Any) -> Any:
    """`x` kept between -1 and 1 (Collobert 2004); the slope at both bounds is 0.

    Shapes: that of `x`. Gradient: ``g`` between the bounds, 0 beyond and at them.

    >>> from microgradnd import nn
    >>> nn.hard_tanh(np.array([-3.0, 0.5, 3.0]))
    array([-1. ,  0.5,  1. ])
    """
    return np.clip(x, -1, 1)


hard_tanh = mg.op(
    _hard_tanh,
    lambda g, y, x: g * ((x > -1) & (x < 1)),
    name="hard_tanh",
    formula="clip({0}, -1, 1)",
    elementwise=True,
    samples=_away_from_zero,
    reference=lambda x: np.minimum(np.maximum(x, -1), 1),
)


def _soft_sign(x: Any) -> Any:
    """``x / (1 + |x|)``: like tanh, but slow to saturate (Bergstra et al. 2009).

    Shapes: that of `x`. Gradient: ``g / (1 + |x|)**2``.

    >>> from microgradnd import nn
    >>> nn.soft_sign(np.array([-3.0, 0.0, 1.0]))
    array([-0.75,  0.  ,  0.5 ])
    """
    x = _floats(x)
    return x / (1.0 + np.abs(x))


soft_sign = mg.op(
    _soft_sign,
    lambda g, y, x: g * np.square(1.0 / (1.0 + np.abs(x))),
    name="soft_sign",
    formula="{0} / (1 + |{0}|)",
    elementwise=True,
    samples=_away_from_zero,
    reference=lambda x: x / (1 + np.abs(x)),
)


# -- along an axis ---------------------------------------------------------------------------------
def _softmax(x: Any, axis: int = -1) -> Any:
    x = x if isinstance(x, mg.Tensor) else _floats(x)  # as the reference it runs on tensors too
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


softmax_op = mg.op(
    _softmax,
    lambda g, y, x, axis=-1: y * (g - np.sum(g * y, axis=axis, keepdims=True)),
    name="softmax",
    formula="softmax({0})",
    samples=_rows,
    reference=_softmax,
)


def _log_softmax(x: Any, axis: int = -1) -> Any:
    x = _floats(x)
    z = x - np.max(x, axis=axis, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis=axis, keepdims=True))


log_softmax_op = mg.op(
    _log_softmax,
    lambda g, y, x, axis=-1: g - np.exp(y) * np.sum(g, axis=axis, keepdims=True),
    name="log_softmax",
    formula="log softmax({0})",
    samples=_rows,
    reference=lambda x, axis=-1: np.log(_softmax(x, axis)),
)


def softmax(x: Any, axis: int = -1) -> Any:
    """Exponentials normalised to sum to one along `axis`.

    Shapes: that of `x`. Gradient: ``y * (g - sum(g * y))``, summed along `axis`.

    >>> from microgradnd import nn
    >>> nn.softmax(np.array([0.0, np.log(3.0), -np.inf]))
    array([0.25, 0.75, 0.  ])
    """
    return softmax_op(x) if axis == -1 else softmax_op(x, axis=axis)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """Logarithm of `softmax`, exact where softmax itself would round to 0.

    Shapes: that of `x`. Gradient: ``g - exp(y) * sum(g)``, summed along `axis`.

    >>> from microgradnd import nn
    >>> nn.log_softmax(np.array([0.0, 1000.0]))
    array([-1000.,     0.])
    """
    return log_softmax_op(x) if axis == -1 else log_softmax_op(x, axis=axis)


def normalize(x: Any, axis: Any = -1, eps: float = 1e-12) -> Any:
    """Vectors along `axis` scaled to length 1.

    Shapes: any, to the same. Gradient: ``(g - y (y·g)) / norm(x)``. A vector no longer than `eps` has no direction: the
    result is 0, and so is the gradient, where that of ``x / max(norm(x), eps)`` would be ``g / eps``.

    Parameters
    ----------
    x
        Array or tensor.
    axis
        The axis, or axes, of a vector; None: all of `x` is one.
    eps
        Length down to which a vector counts as none.

    Examples
    --------
    >>> from microgradnd import nn
    >>> nn.normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    largest = np.max(np.abs(mg.astensor(x).data), axis=axis, keepdims=True, initial=0)
    scale = np.where(largest > eps, largest, 1)  # a constant: whatever it is, the direction is the same
    x = x / scale  # and so no square overflows
    length = np.linalg.vector_norm(x, axis=axis, keepdims=True)
    longer = ~(length <= eps / scale)  # NaN is longer, and stays
    return np.where(longer, x / np.where(longer, length, 1.0), 0.0)


ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "relu": relu,
    "leaky_relu": leaky_relu,
    "elu": elu,
    "selu": selu,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "silu": silu,
    "softplus": softplus,
    "sigmoid": sigmoid,
    "hard_tanh": hard_tanh,
    "tanh": tanh,
    "soft_sign": soft_sign,
    "softmax": softmax,
    "log_softmax": log_softmax,
}
_NAMES = {id(function): name for name, function in ACTIVATIONS.items()} | {id(np.tanh): "tanh"}


def named_activation(activation: Any) -> Any:
    """What a layer keeps of its `activation` argument: a known one's name, another function itself, or None."""
    if activation is None or (isinstance(activation, str) and activation in ACTIVATIONS):
        return activation
    if callable(activation) and not isinstance(activation, type):  # a class makes a layer, and computes nothing
        return _NAMES.get(id(activation), activation)
    raise ValueError(
        f"activation={activation!r} is unknown{did_you_mean(activation, ACTIVATIONS)}; there are "
        f"{', '.join(ACTIVATIONS)}, or give a function"
    )
