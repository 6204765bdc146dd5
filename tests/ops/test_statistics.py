"""Averages, order statistics, correlations, interpolation, grids and polynomials: compositions all."""

from typing import Any

import numpy as np
import pytest

import microgradnd as mg
from microgradnd.dispatch import values

V = np.array([0.3, -1.2, 2.0, 0.7, 1.1])
M = np.array([[0.3, 2.0, 0.15, 0.7], [-1.3, 0.45, -0.9, 0.05], [1.1, 0.2, 0.6, -0.4]])
W = np.array([0.5, 1.0, 2.0, 0.25])
CUBE = np.arange(24.0).reshape(2, 3, 4) * 7 % 11 + np.arange(24.0).reshape(2, 3, 4) / 30


@pytest.mark.parametrize(
    ("function", "arrays"),
    [
        (np.average, [M]),
        (lambda a: np.average(a, axis=1, keepdims=True), [M]),
        (lambda a, w: np.average(a, axis=1, weights=w), [M, W]),
        (lambda a, w: np.average(a, axis=0, weights=w, returned=True), [M, np.abs(M)]),
        (lambda a, w: np.average(a, axis=(2, 1), weights=w), [CUBE, np.abs(M.T) + 0.1]),
        (lambda a: np.average(a, returned=True), [M]),
        (np.median, [V]),
        (lambda a: np.median(a, axis=1), [M]),
        (lambda a: np.median(a, axis=(0, 2), keepdims=True), [CUBE]),
        (lambda a: np.quantile(a, 0.3), [M]),
        (np.quantile, [V, np.array(0.3)]),
        (lambda a: np.quantile(a, [[0.0, 0.25], [0.8, 1.0]], axis=1), [M]),
        (lambda a: np.percentile(a, [10, 90], axis=(0, 2), keepdims=True), [CUBE]),
        (lambda a: np.nanquantile(np.where(M > 1.5, np.nan, a), 0.4, axis=1), [M]),
        (lambda a: np.nanpercentile(np.where(M > 1.5, np.nan, a), [20, 70]), [M]),
        (np.cov, [M]),
        (np.cov, [V]),
        (lambda a, b: np.cov(a, b, rowvar=False, bias=True), [M, 2 * M + M**2]),
        (lambda a: np.cov(a, ddof=0), [M]),
        (np.corrcoef, [M]),
        (lambda a, b: np.corrcoef(a, b), [V, V**2]),
        (np.interp, [np.array([-1.0, 0.25, 1.5, 2.9, 9.0]), np.array([0.0, 1.0, 3.0]), np.array([0.5, 2.0, -1.0])]),
        (lambda x, f: np.interp(x, [0.0, 1.0, 3.0], f, left=7.0, right=-7.0), [V, np.array([0.5, 2.0, -1.0])]),
        (lambda x, f: np.interp(x, [1.0], f, left=7.0), [np.array([0.3, 1.7]), np.array([2.5])]),
        (lambda x, f: np.interp(x, [1.0], f, period=2.0), [np.array([0.3, 1.7]), np.array([2.5])]),
        (lambda f: np.interp([0.5, 1.0, 2.0], [0.0, 1.0, 1.0], f), [np.array([2.5, 1.5, -3.0])]),
        (lambda x, f: np.interp(x, [0.2, 1.0, 0.6], f, period=1.5), [1.9 * V, np.array([0.5, 2.0, -1.0])]),
        (lambda f: np.interp([-0.5, 2.0], [0.2, 1.0, 0.6], f, period=1.5), [np.array([0.5, 2.0, -1.0])]),
        (lambda a, b: np.linspace(a, b, 5), [np.array(0.3), np.array(2.0)]),
        (lambda a, b: np.linspace(a, b, 4, endpoint=False, retstep=True, axis=-1), [V, 2 * V]),
        (lambda a, b: np.logspace(a, b, 4), [np.array(0.3), np.array(1.0)]),
        (lambda a, b: np.logspace(a, b, 4, base=2.0, endpoint=False), [np.array(0.3), np.array(1.0)]),
        (lambda a, b: np.geomspace(a, b, 4), [np.array(-0.3), np.array(-2.0)]),
        (np.polyval, [V, M]),
        (np.polyadd, [V, V[:3]]),
        (np.polysub, [V[:2], V]),
        (np.polyder, [V]),
        (lambda p: np.polyder(p, 2), [V]),
        (lambda p: np.polyint(p, 2), [V]),
        (np.vander, [V]),
        (lambda x: np.vander(x, 3, increasing=True), [V]),
        (lambda a: np.apply_along_axis(lambda r: r * r.sum(), 0, a), [CUBE]),
        (lambda a: np.apply_along_axis(np.max, 1, a), [CUBE]),
        (lambda a: np.apply_along_axis(lambda r: np.stack([r, 2 * r]), -1, a), [M]),
        (lambda a: np.apply_over_axes(np.sum, a, [0, 2]), [CUBE]),
    ],
)
def test_values_and_gradients(agrees: Any, function: Any, arrays: Any) -> None:
    agrees(function, *arrays)


def test_float32_stays_float32() -> None:
    x = mg.tensor(M.astype(np.float32), requires_grad=True)
    for y in (np.median(x), np.quantile(x, 0.3), np.average(x), np.cov(x), np.trapezoid(x), *np.gradient(x)):
        assert y.dtype == np.float32


@pytest.mark.parametrize(
    "dtypes", [(np.float32, np.float32), (np.float16, np.float32), (np.float32, int), (int, np.float16)]
)
@pytest.mark.parametrize("function", [np.linspace, np.logspace, np.geomspace])
def test_spaces_have_numpys_dtype_and_their_ends_exactly(function: Any, dtypes: Any) -> None:
    start, stop = (np.array(end).astype(d) for end, d in zip(([1.1, 2.0], [3.3, 4.0]), dtypes, strict=True))
    xs = [mg.tensor(end, requires_grad=end.dtype.kind == "f") for end in (start, stop)]
    for arguments in [xs, [xs[0], 3.0], [1, xs[1]]]:
        if not any(isinstance(x, mg.Tensor) and x.requires_grad for x in arguments):
            continue
        y, expected = (function(*(values(arguments) if plain else arguments), 4) for plain in (False, True))
        assert y.dtype == expected.dtype
        np.testing.assert_allclose(y.data, expected, rtol=1e-2 if np.float16 in dtypes else 1e-5)
        if function is np.linspace:
            np.testing.assert_array_equal(y.data[[0, -1]], expected[[0, -1]])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: np.quantile(x, 1.5), ValueError, "between 0 and 1"),
        (lambda x: np.quantile(x, 0.5, method="lower"), TypeError, "linear"),
        (lambda x: np.average(x, weights=[1.0, 2.0, 3.0, 4.0]), TypeError, "axis="),
        (lambda x: np.average(x, axis=0, weights=[1.0, 2.0, 3.0, 4.0]), ValueError, "don't fit"),
        (lambda x: np.average(x, axis=1, weights=np.zeros(4)), ZeroDivisionError, "sum to zero"),
    ],
)
def test_bad_arguments(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call(mg.tensor(M, requires_grad=True))


def test_nothing_that_requires_no_gradient_is_refused() -> None:
    """Untracked tensors and arrays go to NumPy's own function, with every option it has."""
    x = mg.tensor(M)
    y = np.quantile(x, 0.5, method="lower", axis=1)
    assert isinstance(y, mg.Tensor)
    np.testing.assert_array_equal(y.data, np.quantile(M, 0.5, method="lower", axis=1))
    assert isinstance(mg.quantile(M, 0.5), np.floating)


@pytest.mark.parametrize("q", [0.0, 0.3, 1.0, [0.0, 0.5, 1.0]])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_a_nan_behind_the_last_rank_is_not_looked_at(q, axis):
    a = np.array([[np.nan, 1.0, np.nan], [2.0, np.nan, 3.0], [1.0, 2.0, 5.0]])
    x = mg.tensor(a, requires_grad=True)
    y = np.nanquantile(x, q, axis=axis)
    np.testing.assert_allclose(y.data, np.nanquantile(a, q, axis=axis))
    y.backward(np.ones(y.shape))
    assert np.isfinite(x.grad).all()
    np.testing.assert_allclose(x.grad.sum(), y.size)


@pytest.mark.parametrize("a", [[1.0, np.inf], [-np.inf, 1.0, np.inf], [np.inf, np.inf]])
def test_a_quantile_beside_an_infinity(a):
    x = mg.tensor(a, requires_grad=True)
    y = np.quantile(x, 0.0)
    y.backward()
    assert y.item() == a[0]  # the least; NumPy says so for q = 0, and nan for q = 0.0
    np.testing.assert_array_equal(x.grad, np.eye(len(a))[0])
