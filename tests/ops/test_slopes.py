"""Zero stays zero through every rule: no cotangent in, none out, however steep or undefined the slope is."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn
from microgradnd.ops import slopes

POINTS = [np.nan, np.inf, -np.inf, 0.0, 1.0, -1.0, 2.0, -2.5, 1e200, -1e200, 1e-300]
DISCRETE = {"ldexp", "where"}  # an exponent, a condition: not among these points
ELEMENTWISE = sorted(
    name for name, op in mg.OPS.items() if op.elementwise and op.module.startswith("microgradnd.ops") and not op.packed
)


@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if name not in DISCRETE])
def test_no_cotangent_in_none_out(name: str) -> None:
    op = mg.OPS[name]
    options = next(iter(op.samples(np.random.default_rng(0)))).options
    inputs = [np.array(column) for column in zip(*itertools.product(POINTS, repeat=op.arity), strict=True)]
    with np.errstate(all="ignore"):
        y = op.forward(*inputs, **options)
        for rule in op.vjps:
            g = rule(np.zeros_like(y), y, *inputs, **options)
            if name == "tanh":  # bounded, and too common to be looked at
                g = np.where(np.isnan(inputs[0]), 0.0, g)
            np.testing.assert_array_equal(g, np.zeros_like(y))


@pytest.mark.parametrize("function", [slopes.scale, slopes.over])
def test_nan_is_kept_where_something_flows(function: Callable[..., Any]) -> None:
    with np.errstate(all="ignore"):
        y = function(np.array([1.0, 0.0, np.nan, 0.0]), np.array([np.nan, np.nan, 1.0, 2.0]))
    np.testing.assert_array_equal(y, [np.nan, 0.0, np.nan, 0.0])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, np.int64, np.bool_])
@pytest.mark.parametrize("shape", [(), (0,), (2, 2)])
def test_scale_is_the_product_in_every_dtype_and_layout(dtype: type, shape: tuple[int, ...]) -> None:
    slope = np.ones(shape, dtype)
    with np.errstate(all="raise"):
        product = slopes.scale(np.full(shape, 3.0, np.float32), slope.T)
    np.testing.assert_array_equal(product, 3 * slope)
    assert product.dtype == np.result_type(np.float32, dtype)


def test_finite_slopes_whose_squares_overflow_raise_nothing() -> None:
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(slopes.scale(np.ones(2), np.array([1e200, -1e300])), [1e200, -1e300])


# Each is undefined, or steep without bound, at the point: and there a mask keeps the cotangent from it.
MASKED = {
    "sqrt": (np.sqrt, [0.0, -1.0, np.inf]),
    "cbrt": (np.cbrt, [0.0, np.inf]),
    "log": (np.log, [0.0, -1.0, np.inf]),
    "log1p": (np.log1p, [-1.0, np.inf]),
    "1 / x": (lambda x: 1 / x, [0.0]),
    "reciprocal": (np.reciprocal, [0.0, np.inf]),
    "(x + 1) / x": (lambda x: (x + 1) / x, [0.0, np.inf]),
    "exp(1 / x)": (lambda x: np.exp(1 / x), [0.0]),
    "x * log(x)": (lambda x: x * np.log(x), [0.0, np.inf]),
    "x**0.5": (lambda x: x**0.5, [0.0, -1.0, np.inf]),
    "x**x": (lambda x: x**x, [0.0, -1.0]),
    "x * x * x": (lambda x: x * x * x, [np.inf, 1e200]),
    "exp": (np.exp, [1e3, np.inf]),
    "arccos": (np.arccos, [1.0, -1.0, 2.0]),
    "arctanh": (np.arctanh, [1.0, 2.0]),
    "arctan": (np.arctan, [np.inf]),
    "arcsinh": (np.arcsinh, [np.inf]),
    "sinc": (np.sinc, [np.inf]),
    "hypot": (lambda x: np.hypot(x, 2 * x), [0.0, np.inf]),
    "arctan2": (lambda x: np.arctan2(x * x, 2 * x), [0.0, np.inf]),
    "norm": (lambda x: np.linalg.norm(np.stack([x, x * x], 1), axis=1), [0.0, np.inf]),
    "matrix norm": (lambda x: np.linalg.norm(np.stack([x, x * x], 1)[..., None], axis=(1, 2)), [0.0, np.inf]),
    "x / norm": (lambda x: x / np.linalg.norm(np.stack([x, x * x], 1), axis=1), [0.0, np.inf]),
    "std": (lambda x: np.std(np.stack([x, x * x, 2 * x], 1), axis=1), [0.0, np.inf]),
    "var": (lambda x: np.var(np.stack([x, x * x, 2 * x], 1), axis=1), [0.0, np.inf, 1e200]),
    "prod": (lambda x: np.prod(x[:, None] * [1.0, 2.0, 3.0], axis=1), [0.0, np.inf, 1e200]),
    "cumprod": (lambda x: np.cumprod(x[:, None] * [1.0, 2.0, 3.0], axis=1)[:, 2], [0.0, np.inf, 1e200]),
    "gelu": (nn.gelu, [np.inf, -np.inf]),
    "silu": (nn.silu, [np.inf, -np.inf]),
    "softplus": (nn.softplus, [np.inf, -np.inf]),
    "cross-entropy": (lambda x: nn.binary_cross_entropy(x, [0.2, 0.4], reduction="none"), [np.inf, -np.inf]),
}


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(
    ("function", "point"), [pytest.param(f, x, id=f"{name} at {x}") for name, (f, xs) in MASKED.items() for x in xs]
)
def test_a_masked_pole_reaches_no_derivative(function: Callable[[Any], Any], point: float, order: int) -> None:
    """The derivative beside the pole is the one without it, and at the pole it is 0."""

    def derivative(f: Callable[[Any], Any], n: int) -> Callable[[Any], Any]:
        return f if n == 0 else derivative(lambda x: np.sum(mg.grad(f)(x) * np.array([1.3, 0.7])), n - 1)

    def masked(x: Any) -> Any:
        return np.sum(np.where([False, True], function(x), 0.0))

    with np.errstate(all="ignore"):
        g = mg.grad(derivative(masked, order - 1))(np.array([point, 0.6]))
        alone = mg.grad(derivative(lambda x: function(x)[1], order - 1))(np.array([0.3, 0.6]))
    assert g[0] == 0
    np.testing.assert_allclose(g[1], alone[1], rtol=1e-9, atol=1e-12)


def test_a_weight_of_a_loss_of_infinite_logits_gets_a_finite_zero() -> None:
    z = np.array([np.inf, -np.inf, 2.0])
    weight = mg.tensor([0.3, 0.5, 0.7], requires_grad=True)
    with np.errstate(invalid="ignore"):
        loss = nn.binary_cross_entropy(mg.tensor(z, requires_grad=True), weight, reduction="none")
    (g,) = mg.gradients(loss, [weight], np.array([0.0, 0.0, 1.0]))
    np.testing.assert_array_equal(g, [0, 0, -2])


def test_the_determinant_of_infinities_returns() -> None:
    """LAPACK's singular values of infinities may never come."""
    x = mg.tensor(np.full((3, 3), np.inf), requires_grad=True)
    with np.errstate(invalid="ignore"):
        y = np.linalg.det(x)
    (g,) = mg.gradients(y, [x])
    assert np.isnan(g).all()
    np.testing.assert_array_equal(mg.gradients(y, [x], 0.0)[0], np.zeros((3, 3)))


@pytest.mark.parametrize("size", [3, 5000])
def test_a_quotient_by_zeros_is_silent_in_arrays_of_any_size(size: int) -> None:
    d = np.zeros(size)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(slopes.over(np.zeros(size), d), d)
        np.testing.assert_array_equal(slopes.over(np.ones(size), d), d + np.inf)


def test_only_two_cotangents_share_their_zeros() -> None:
    """A slope of 0 times an infinite cotangent is unknown, and says so; two cotangents are 0 where either is."""
    zero, endless = np.zeros(1), np.full(1, np.inf)
    with np.errstate(all="ignore"):
        assert np.isnan(slopes.scale(endless, zero))
        assert slopes.scale(zero, endless) == slopes.both(zero, endless) == slopes.both(endless, zero) == 0
        assert np.isnan(slopes.both(np.full(1, np.nan), np.ones(1)))
