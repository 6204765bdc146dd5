"""Running sums and products, differences, slopes and integrals."""

from typing import Any

import numpy as np
import pytest

import microgradnd as mg

V = np.array([0.3, -1.2, 2.0, 0.7, 1.1])
M = np.array([[0.3, 2.0, 0.0, 0.7], [-1.3, 0.45, -0.9, 0.0], [1.1, 0.2, 0.6, -0.4]])
PLACES = np.array([0.0, 0.5, 1.7, 2.0])
HOLES = np.isnan(np.where(np.eye(3, 4, 1, dtype=bool), np.nan, M))


def holed(x: Any) -> Any:
    return np.where(HOLES, np.nan, x)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("function", [np.cumsum, np.cumprod, np.cumulative_sum, np.cumulative_prod])
def test_narrow_floats_stay_narrow(function: Any, dtype: Any) -> None:
    x = mg.tensor(V.astype(dtype), requires_grad=True)
    y = function(x)
    y.backward(np.ones_like(y.data))
    assert y.dtype == x.grad.dtype == dtype


@pytest.mark.parametrize(
    ("function", "arrays"),
    [
        (np.cumsum, [M]),
        (lambda x: np.cumsum(x, axis=0), [M]),
        (lambda x: np.cumsum(x, -1), [M]),
        (np.cumprod, [M]),
        (lambda x: np.cumprod(x, axis=-2), [M]),
        (lambda x: np.nancumsum(holed(x), axis=1), [M]),
        (lambda x: np.nancumprod(holed(x), axis=1), [M]),
        (lambda x: np.cumulative_sum(x, axis=1, include_initial=True), [M]),
        (lambda x: np.cumulative_prod(x, include_initial=True), [V]),
        (np.maximum.accumulate, [V]),
        (lambda x: np.logaddexp.accumulate(x, axis=1), [M]),
        (np.diff, [M]),
        (lambda x: np.diff(x, n=0), [M]),
        (lambda x: np.diff(x, n=2, axis=0), [M]),
        (lambda x: np.diff(x, prepend=1.0, append=0.0), [M]),
        (lambda x, end: np.diff(x, axis=0, append=end), [M, M[:2] + 1]),
        (np.ediff1d, [M]),
        (lambda x, end: np.ediff1d(x, to_end=end, to_begin=[1.0, 2.0]), [V, np.array([5.0])]),
        (np.gradient, [V]),
        (np.gradient, [M]),
        (lambda x: np.gradient(x, axis=1, edge_order=2), [M]),
        (lambda x: np.gradient(x, 0.5, 2.0), [M]),
        (lambda x: np.gradient(x, 0.5, axis=(1, 0)), [M]),
        (lambda x, at: np.gradient(x, at, axis=1), [M, PLACES]),
        (lambda x, at: np.gradient(x, at, axis=-1, edge_order=2), [M, PLACES]),
        (np.trapezoid, [M]),
        (lambda y, x: np.trapezoid(y, x), [M, PLACES]),
        (lambda y, x: np.trapezoid(y, x, axis=0), [M, np.cumsum(np.abs(M) + 0.1, axis=0)]),
        (lambda y: np.trapezoid(y, dx=0.5, axis=0), [M]),
    ],
)
def test_values_and_gradients(agrees: Any, function: Any, arrays: Any) -> None:
    agrees(function, *arrays)


def test_long_running_products_cost_a_logarithm_of_passes() -> None:
    x = mg.tensor(np.full(1000, 1.001), requires_grad=True)
    y = np.cumprod(x)
    np.testing.assert_allclose(mg.gradients(y[-1], [x])[0].data, 1.001**999)
    y.backward(np.ones(1000), retain_graph=False)
    np.testing.assert_allclose(x.grad[0], (1.001 ** np.arange(1000)).sum())


@pytest.mark.parametrize(
    "call",
    [lambda x: np.diff(x, n=-1), lambda x: np.gradient(x[:1]), lambda x: np.cumsum(x, axis=2)],
    ids=["diff", "gradient", "cumsum"],
)
def test_bad_arguments(call: Any) -> None:
    with pytest.raises(ValueError):
        call(mg.tensor(V, requires_grad=True))
