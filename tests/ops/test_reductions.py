"""Reductions over every axis and dtype, with masks and initial values, and with NaN left out."""

from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import microgradnd as mg

PLAIN = [np.sum, np.mean, np.prod, np.max, np.min, np.ptp, np.std, np.var, np.median, mg.logsumexp]
SKIPPING = [np.nansum, np.nanmean, np.nanprod, np.nanmax, np.nanmin, np.nanstd, np.nanvar, np.nanmedian]


def apart(shape: tuple[int, ...], seed: int, dtype: Any = np.float64) -> np.ndarray:
    """Values at least 0.2 from each other: no ties within reach of a finite difference."""
    n = int(np.prod(shape))
    rng = np.random.default_rng(seed)
    return ((rng.permutation(n) - n / 2 + rng.uniform(0.1, 0.4, n)) / 3).reshape(shape).astype(dtype)


def axis_of(shape: tuple[int, ...], data: Any) -> Any:
    axes = data.draw(st.none() | hnp.valid_tuple_axes(len(shape), min_size=1)) if shape else None
    return axes if axes is None or len(axes) > 1 or data.draw(st.booleans()) else axes[0]


@settings(
    deadline=None, derandomize=True, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    function=st.sampled_from(PLAIN + SKIPPING),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, max_side=3),
    dtype=st.sampled_from([np.float32, np.float64]),
    keepdims=st.booleans(),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_every_axis(agrees: Any, function: Any, shape: Any, dtype: Any, keepdims: bool, seed: int, data: Any) -> None:
    array = apart(shape, seed, dtype)
    options = {"axis": axis_of(shape, data), "keepdims": keepdims}
    if function in SKIPPING and array.size > 1 and data.draw(st.booleans()):
        array.flat[0] = np.nan
        assume(not np.isnan(array).all(axis=options["axis"]).any())
    x = mg.tensor(array, requires_grad=True)
    y, expected = function(x, **options), np.asarray(function(array, **options))
    np.testing.assert_allclose(y.data, expected, rtol=1e-5 if dtype is np.float32 else 1e-12, strict=True)
    assume(function not in (np.std, np.nanstd) or np.all(expected > 0))

    present = ~np.isnan(array)
    filled = np.where(present, array, 0.0).astype(float)
    agrees(lambda t: function(np.where(present, t, np.nan) if not present.all() else t, **options), filled)
    (g,) = mg.gradients(y, [x], np.ones_like(expected))
    assert g.dtype == dtype
    np.testing.assert_array_equal(g.data[~present], 0)


MASK = np.array([[True, False, True, True], [False, True, True, False], [True, True, False, True]])
M = apart((3, 4), 3)
HOLES = np.where(np.eye(3, 4, 1, dtype=bool), np.nan, M)


def with_holes(function: Any, **options: Any) -> Any:
    return lambda x: function(np.where(np.isnan(HOLES), np.nan, x), **options)


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (np.sum, {"axis": 1, "where": MASK}),
        (np.sum, {"initial": 2.0, "keepdims": True}),
        (np.mean, {"axis": 0, "where": MASK}),
        (np.mean, {"where": MASK, "keepdims": True}),
        (np.prod, {"axis": (0, 1), "where": MASK, "initial": 2.0}),
        (np.max, {"axis": 1, "where": MASK, "initial": -9.0}),
        (np.max, {"axis": 0, "initial": 0.11}),
        (np.min, {"axis": 1, "where": MASK, "initial": 9.0}),
        (np.var, {"axis": 1, "where": MASK}),
        (np.var, {"axis": 0, "ddof": 1}),
        (np.var, {"correction": 1}),
        (np.var, {"axis": 1, "mean": np.array([[0.1], [0.2], [-0.3]])}),
        (np.std, {"axis": 1, "where": MASK, "ddof": 1}),
        (np.std, {"axis": (0, 1), "correction": 2, "keepdims": True}),
        (np.std, {"mean": np.array([[0.4]])}),
    ],
)
def test_options(agrees: Any, function: Any, options: Any) -> None:
    agrees(lambda x: function(x, **options), M)


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (np.nansum, {"axis": 1, "initial": 1.0}),
        (np.nansum, {"where": MASK}),
        (np.nanmean, {"axis": 0, "where": MASK}),
        (np.nanprod, {"axis": 1, "keepdims": True}),
        (np.nanmax, {"axis": 1, "initial": -9.0, "where": MASK}),
        (np.nanmin, {"axis": (0, 1)}),
        (np.nanvar, {"axis": 1, "ddof": 1}),
        (np.nanstd, {"axis": 0, "keepdims": True}),
        (np.nanmedian, {"axis": 1}),
    ],
)
def test_nan_is_left_out(agrees: Any, function: Any, options: Any) -> None:
    agrees(with_holes(function, **options), np.nan_to_num(HOLES))


def test_a_tensor_as_initial_value_gets_its_gradient(agrees: Any) -> None:
    agrees(lambda x, start: np.sum(x, axis=1, initial=start), M, np.array(2.0))
    agrees(lambda x, start: np.max(x, axis=0, initial=start), M, np.array(0.11))
    agrees(lambda x, start: np.prod(x, initial=start), M, np.array(2.0))


def test_a_row_of_nothing_but_nan_is_nan() -> None:
    x = mg.tensor([[np.nan, np.nan], [1.0, 2.0]], requires_grad=True)
    y = np.nanmax(x, axis=1)
    y.backward(np.ones(2))
    np.testing.assert_array_equal(y.data, [np.nan, 2.0])
    np.testing.assert_array_equal(x.grad, [[0, 0], [0, 1]])


def test_a_nan_in_a_median_or_maximum_is_the_result() -> None:
    x = mg.tensor([np.nan, 1.0, 2.0], requires_grad=True)
    assert np.isnan(np.median(x).item())
    assert np.isnan(np.max(x).item())
    np.max(x).backward()
    np.testing.assert_array_equal(x.grad, [1, 0, 0])


def test_a_mask_without_an_initial_value_is_refused_as_numpy_refuses_it() -> None:
    with pytest.raises(ValueError, match="initial"):
        np.max(mg.tensor(M, requires_grad=True), where=MASK)
    with pytest.raises(ValueError, match="not both"):
        np.var(mg.tensor(M, requires_grad=True), ddof=1, correction=1)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
@pytest.mark.parametrize("function", [np.sum, np.prod, np.cumsum, np.cumprod])
def test_of_nothing(function: Any, shape: Any) -> None:
    x = mg.tensor(np.zeros(shape), requires_grad=True)
    y = function(x, axis=0)
    np.testing.assert_array_equal(y.data, function(x.data, axis=0))
    y.backward(np.ones_like(y.data))
    assert x.grad.shape == shape


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("function", [np.max, np.min, np.nanmax, np.nanmin, np.sum, np.prod, np.maximum.reduce])
def test_of_nothing_but_an_initial_value(agrees: Any, function: Any, axis: Any) -> None:
    agrees(lambda x, first: function(x, axis=axis, initial=2.0) * first, np.zeros((0, 3)), np.array(1.5))


@pytest.mark.parametrize(
    "x", [[1, 2], np.array([3, 250], np.uint8), np.array([True, False]), mg.tensor([[1, 2]]), 3, 2.5]
)
def test_logsumexp_of_whole_numbers(x: Any) -> None:
    values = np.asarray(x, float)
    np.testing.assert_allclose(np.asarray(mg.logsumexp(x)), values.max() + np.log(np.exp(values - values.max()).sum()))


def test_logsumexp_of_nothing_is_the_logarithm_of_zero():
    x = mg.tensor(np.zeros((2, 0)), requires_grad=True)
    y = mg.logsumexp(x, axis=1)
    y.backward(np.ones(2))
    np.testing.assert_array_equal(y.data, [-np.inf, -np.inf])
    assert x.grad.shape == (2, 0)
