"""Values and gradients at kinks, ties, edges and infinite slopes; and that the page about them is up to date."""

import math
import runpy
from decimal import Decimal, getcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn

DOCS = Path(__file__).parents[1] / "docs"


generate = SimpleNamespace(**runpy.run_path(str(DOCS / "generate.py")))
inf, nan, half = np.inf, np.nan, 0.5

# point: value, then the gradient of each input
EXPECTED: dict[str, tuple[Any, ...]] = {
    "abs(x) at 0": ([0], [0]),
    "relu(x) at 0": ([0], [0]),
    "maximum(a, b), a tie": ([1], [half], [half]),
    "minimum(a, b), a tie": ([1], [half], [half]),
    "fmax(a, b), a tie": ([1], [half], [half]),
    "fmax(a, nan)": ([1], [1], [0]),
    "max(x), a tie": (2, [half, half, 0]),
    "min(x) along an axis, a tie": ([1], [[0, half, half]]),
    "clip(x, 0, 1) at both bounds": ([0, 1], [1, 1]),
    "clip(x, 1, 1) at 1": ([1], [1]),
    "median(x) of four": (2.5, [0, 0, half, half]),
    "prod(x) with one zero": (0, [6, 0, 0]),
    "prod(x) with two zeros": (0, [0, 0, 0]),
    "cumprod(x) with a zero": ([2, 0, 0], [1, 10, 0]),
    "std(x) of equal numbers": (0, [0, 0, 0]),
    "var(x) of equal numbers": (0, [0, 0, 0]),
    "sqrt(x) at 0": ([0], [inf]),
    "cbrt(x) at 0": ([0], [inf]),
    "log(x) at 0": ([-inf], [inf]),
    "x**0 at 0": ([1], [0]),
    "x**1 at 0": ([0], [1]),
    "x**2 at 0": ([0], [0]),
    "x**0.5 at 0": ([0], [inf]),
    "(-2)**3, by x": ([-8], [12]),
    "x**y at (0, 0)": ([1], [0], [0]),
    "x**y at (0, 2)": ([0], [0], [0]),
    "x**y at (-2, 2)": ([4], [-4], [nan]),
    "where(x > 0, sqrt(x), 0) at 0": ([0], [0]),
    "where(x > 0, 1 / x, 0) at 0": ([0], [0]),
    "logsumexp(x), all -inf": (-inf, [0, 0]),
    "logsumexp(x) with +inf": (inf, [1, 0]),
    "softmax(x)[0], all -inf": (nan, [nan, nan]),
    "log_softmax(x)[0], all -inf": (nan, [nan, nan]),
    "cross_entropy(z, 0), all -inf": (nan, [[nan, nan]]),
    "where(isfinite(a @ b), a @ b, 0) at infinities": (0, [nan], [nan]),
    "logaddexp(a, b), both +inf": ([inf], [half], [half]),
    "logaddexp(a, b), both -inf": ([-inf], [half], [half]),
    "logaddexp(x, 0) at 1000 and -1000": ([1000, 0], [1, 0]),
    "arctan2(y, x) at the origin": ([0], [0], [0]),
    "hypot(a, b) at the origin": ([0], [0], [0]),
    "floor(x) at 1.5": ([1], [0]),
    "round(x) at 1.5": ([2], [0]),
    "sign(x) at 0": ([0], [0]),
    "trunc(x) at 2": ([2], [0]),
    "x mod y at (4, 2)": ([0], [1], [-2]),
    "x mod y at (-5, 3)": ([1], [1], [2]),
    "fmod(x, y) at (-5, 3)": ([-2], [1], [1]),
    "sinc(x) at 0": ([1], [0]),
    "sum(x) of nothing": (0, []),
    "prod(x) of nothing": (1, []),
    "arcsin(x) at 1": ([np.pi / 2], [inf]),
    "arccos(x) at 1": ([0], [-inf]),
    "arctanh(x) at 1": ([inf], [inf]),
    "nan_to_num(x) at nan": ([0], [0]),
    "tanh(x) at 1000": ([1], [0]),
    "erf(x) at 1e200": ([1], [0]),
    "sort(x) weighted by 1, 2, 3, a tie": (5, [2, 3, 1]),
    "norm(x) at 0": (0, [0, 0]),
    "norm(x, 1) at (0, 1)": (1, [0, 1]),
    "norm(x, inf), a tie": (2, [half, -half]),
    "norm(x, inf) at 0": (0, [0, 0]),
    "norm of the matrix 0": (0, [[0, 0], [0, 0]]),
    "relu(x) at nan": ([nan], [0]),
    "hard_tanh(x) at its bounds": ([-1, 1], [0, 0]),
    "where(p > 0, p log(p), 0) at 0": ([0], [0]),
    "where(x < 700, x exp(x), 0) at 1000": ([0], [0]),
    "normalize(x) at 0": ([0, 0], [0, 0]),
    "where(norm(x) > 0, x / norm(x), 0) at 0": ([0, 0], [0, 0]),
    "gelu_tanh(x) at 1e200 and -1e200": ([1e200, 0], [1, 0]),
    "log sigmoid(x) at 1000 and -1000": ([0, -1000], [0, 1]),
    "leaky_relu(x) at 0": ([0], [0.01]),
    "elu(x) at 0": ([0], [1]),
    "selu(x) at 0": ([0], [1.7580993408473766]),
    "gelu(x) at 1e200 and -1e200": ([1e200, 0], [1, 0]),
    "softplus(x) at 1000 and -1000": ([1000, 0], [1, 0]),
    "sigmoid(x) at 1000 and -1000": ([1, 0], [0, 0]),
    "softmax(x)[0] at (1000, 0)": (1, [0, 0]),
    "cross_entropy(z, 0), z[0] = -inf": (inf, [[-1, 1]]),
    "binary_cross_entropy(z, 0.5) at 0": (np.log(2), [0]),
}
# What NumPy itself warns of, in the forward pass or in a logarithm that the rule really needs.
WARNS = {
    "log(x) at 0": ("divide",),
    "arctanh(x) at 1": ("divide",),
    "where(x > 0, 1 / x, 0) at 0": ("divide",),
    "where(p > 0, p log(p), 0) at 0": ("divide", "invalid"),
    "where(x < 700, x exp(x), 0) at 1000": ("over",),
    "where(norm(x) > 0, x / norm(x), 0) at 0": ("invalid",),
    "x**y at (-2, 2)": ("invalid",),
    "softmax(x)[0], all -inf": ("invalid",),
    "log_softmax(x)[0], all -inf": ("invalid",),
    "cross_entropy(z, 0), all -inf": ("invalid",),
    "where(isfinite(a @ b), a @ b, 0) at infinities": ("invalid",),
}
# Where elements are summed, and an infinity meets the cotangents of all of them.
MIXED = {
    "softmax(x)[0], all -inf",
    "log_softmax(x)[0], all -inf",
    "cross_entropy(z, 0), all -inf",
    "where(isfinite(a @ b), a @ b, 0) at infinities",
}


def test_every_point_has_its_expectation() -> None:
    assert EXPECTED.keys() == generate.POINTS.keys()


@pytest.mark.parametrize("point", EXPECTED)
def test_value_and_gradient(point: str) -> None:
    value, *gradients = EXPECTED[point]
    with np.errstate(all="raise", under="ignore", **dict.fromkeys(WARNS.get(point, ()), "ignore")):
        y, found = generate.evaluate(*generate.POINTS[point])
    np.testing.assert_allclose(y, value, atol=1e-15)
    assert len(found) == len(gradients)
    for g, expected in zip(found, gradients, strict=True):
        np.testing.assert_allclose(g, expected, atol=1e-15)


@pytest.mark.parametrize("point", sorted(EXPECTED.keys() - MIXED))
def test_no_cotangent_in_none_out(point: str) -> None:
    """However steep the slope at the point: 0 stays 0 in the plain pass and in the recorded one."""
    function, inputs = generate.POINTS[point]
    with np.errstate(all="ignore"):
        xs = [mg.tensor(np.asarray(x, float), requires_grad=True) for x in inputs]
        y = function(*xs)
        for recorded in (False, True):
            for g in mg.gradients(y, xs, np.zeros_like(y.data), create_graph=recorded):
                np.testing.assert_array_equal(g.data, np.zeros_like(g.data))


@pytest.mark.parametrize("make", [int, float, np.array, lambda n: np.array([n], np.uint8)], ids="abcd")
@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_whole_powers_at_0_have_every_derivative(make: Any, n: int) -> None:
    """Among them those past the last that isn't 0, where the next negative power is infinite."""
    p: Any = make(n)
    derivative: Any = lambda x: np.sum(x**p)  # noqa: E731
    with np.errstate(all="raise"):
        for order in range(1, 6):
            derivative = mg.grad(derivative)
            assert derivative(0.0) == (math.factorial(n) if order == n else 0)


def test_a_negative_base_is_silent_when_only_the_base_is_differentiated() -> None:
    x = mg.tensor([-2.0], requires_grad=True)
    with np.errstate(all="raise"):
        np.power(x, np.array([2.0])).backward()
    np.testing.assert_array_equal(x.grad, [-4.0])


def test_the_spread_of_one_number_is_nan_with_numpys_warning() -> None:
    x = mg.tensor([1.0], requires_grad=True)
    with pytest.warns(RuntimeWarning):
        y = np.std(x, ddof=1)
    with np.errstate(all="ignore"):
        y.backward()
    assert np.isnan([y.item(), *x.grad]).all()


@pytest.mark.parametrize(("x", "axis"), [(2.0, None), ([[3.0], [4.0]], 1), ([5.0, 6.0], ())])
@pytest.mark.parametrize("function", [np.std, np.var])
def test_the_spread_of_one_number_is_flat_to_any_order(function: Any, x: Any, axis: Any) -> None:
    with np.errstate(all="raise"):
        second = mg.hessian(lambda x: np.sum(function(x, axis=axis)))(np.array(x))
    np.testing.assert_array_equal(second, np.zeros(2 * np.shape(x)))


def test_the_mean_of_nothing_is_nan_with_numpys_warning() -> None:
    x = mg.tensor(np.zeros((0, 3)), requires_grad=True)
    with pytest.warns(RuntimeWarning):
        y = np.mean(x)
    y.backward()
    assert np.isnan(y.item())
    assert x.grad.shape == (0, 3)


def test_the_largest_of_nothing_is_numpys_error() -> None:
    with pytest.raises(ValueError, match="zero-size"):
        np.max(mg.tensor(np.zeros(0), requires_grad=True))


def test_float16_sums_accumulate_in_float32() -> None:
    """4096 ones: in float16 the running sum stops at 2048, where adding one changes nothing."""
    x = mg.tensor(np.ones((4096, 2), np.float16), requires_grad=True)
    np.testing.assert_array_equal(np.sum(x, axis=0).data, np.array([4096, 4096], np.float16), strict=True)


def test_what_was_broadcast_in_float16_is_summed_back_in_float32() -> None:
    bias = mg.tensor(np.zeros(2, np.float16), requires_grad=True)
    (np.zeros((4096, 2), np.float16) + bias).backward(np.ones((4096, 2), np.float16))
    np.testing.assert_array_equal(bias.grad, np.array([4096, 4096], np.float16), strict=True)


@pytest.mark.parametrize(
    ("function", "x", "slope"),
    [
        (np.tanh, 8.0, 1 / np.cosh(8.0) ** 2),
        (lambda x: np.logaddexp(x, 0.0), -40.0, np.exp(-40.0)),
        (lambda x: np.logaddexp(0.0, x), 40.0, 1.0),
        (np.arctan, 1e200, 0.0),
        (np.arcsinh, 1e200, 1e-200),
        (np.sinc, 1e-5, -(np.pi**2) / 3 * 1e-5),
        (mg.erfc, 5.0, -2 / np.sqrt(np.pi) * np.exp(-25.0)),
    ],
)
def test_slopes_keep_their_digits(function: Any, x: float, slope: float) -> None:
    t = mg.tensor(x, requires_grad=True)
    with np.errstate(all="raise", under="ignore"):
        function(t).backward()
    np.testing.assert_allclose(t.grad, slope, rtol=2e-9)


def test_the_spread_of_equal_numbers_has_gradient_zero_though_their_mean_is_rounded() -> None:
    x = mg.tensor([0.1, 0.1, 0.1], requires_grad=True)
    assert 0 < np.std(x).item() < 1e-16, "the mean of three times 0.1 is not 0.1"
    np.std(x).backward()
    np.testing.assert_array_equal(x.grad, [0, 0, 0])


def test_the_variance_is_taken_in_two_passes() -> None:
    x = mg.tensor(1e9 + np.arange(4.0), requires_grad=True)
    y = np.var(x)
    y.backward()
    assert y.item() == 1.25
    np.testing.assert_array_equal(x.grad, 2 / 4 * (np.arange(4.0) - 1.5))


# -- stable formulas, against decimals ---------------------------------------

getcontext().prec = 340  # 1 + exp(-700) keeps its last digits


def logistic(x: Decimal) -> Decimal:
    return 1 / (1 + (-x).exp())


def lesser(x: Any) -> Any:
    return np.stack([x, 0 * x, 0 * x + 1.0], axis=-1)


# function of x: the function, then value and slope of it
STABLE: dict[str, tuple[Any, Any, Any]] = {
    "sigmoid": (nn.sigmoid, logistic, lambda x: logistic(x) * logistic(-x)),
    "softplus": (nn.softplus, lambda x: -(logistic(-x)).ln(), logistic),
    "log sigmoid": (lambda x: -nn.softplus(-x), lambda x: logistic(x).ln(), lambda x: logistic(-x)),
    "logaddexp": (lambda x: np.logaddexp(x, 0.0), lambda x: -(logistic(-x)).ln(), logistic),
    "binary cross-entropy": (
        lambda x: nn.binary_cross_entropy(x, 0 * x.data + 0.25),
        lambda x: -(logistic(-x)).ln() - x / 4,
        lambda x: logistic(x) - Decimal("0.25"),
    ),
    "logsumexp": (
        lambda x: mg.logsumexp(lesser(x), axis=-1),
        lambda x: (x.exp() + 1 + Decimal(1).exp()).ln(),
        lambda x: x.exp() / (x.exp() + 1 + Decimal(1).exp()),
    ),
    "silu": (nn.silu, lambda x: x * logistic(x), lambda x: logistic(x) * (1 + x * logistic(-x))),
    "expm1": (np.expm1, lambda x: x.exp() - 1, lambda x: x.exp()),
    "arcsinh": (
        np.arcsinh,
        lambda x: (abs(x) + (x * x + 1).sqrt()).ln().copy_sign(x),
        lambda x: 1 / (x * x + 1).sqrt(),
    ),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", STABLE)
def test_digits_far_out_and_near_zero(name: str, dtype: Any) -> None:
    """Within a few roundings, and those of x itself, wherever the result is a normal number."""
    function, value, slope = STABLE[name]
    info = np.finfo(dtype)
    far = [x for x in (1e-8, 0.5, 3.0, 15.0, 40.0, 80.0, 300.0, 700.0) if x < np.log(info.max)]
    for x in [*far, *(-x for x in far)]:
        t = mg.tensor(np.array([x], dtype), requires_grad=True)
        with np.errstate(all="raise", under="ignore"):
            y = function(t)
            y.sum().backward()
        exact = Decimal(t.data.item())
        for ours, wanted in ((y.data.item(), value(exact)), (t.grad.item(), slope(exact))):
            off = abs(Decimal(ours) - wanted)
            assert off <= (8 + abs(exact)) * Decimal(float(info.eps)) * abs(wanted) + Decimal(float(info.tiny)), (
                x,
                ours,
            )


@pytest.mark.parametrize(("page", "make"), [("conventions", generate.conventions), ("op_table", generate.op_table)])
def test_the_page_is_what_the_ops_do(page: str, make: Any) -> None:
    written = (DOCS / "reference" / f"{page}.md").read_text(encoding="utf-8")
    assert written == make(), "run python docs/generate.py"
