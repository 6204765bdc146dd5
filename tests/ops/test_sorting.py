"""Sorting, partitioning, unique values: NumPy's results, gradients at the chosen elements."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import microgradnd as mg

CALLS = {
    "sort": np.sort,
    "sort axis": lambda x: np.sort(x, axis=0),
    "sort flat": lambda x: np.sort(x, axis=None, kind="mergesort"),
    "sort stable": lambda x: np.sort(x, stable=True),
    "partition": lambda x: np.sort(np.partition(x, 2)[:, 2:]),
    "partition axis": lambda x: np.partition(x, [0, 2], axis=0)[[0, 2]],
    "partition flat": lambda x: np.partition(x, -3, axis=None)[-3],
    "unique": np.unique,
    "unique more": lambda x: np.unique(x, return_index=True, return_inverse=True, return_counts=True)[0],
    "unique rows": lambda x: np.unique(np.concatenate([x, x]), axis=0),
}


@pytest.mark.parametrize("name", CALLS)
def test_values_and_gradients(name, agrees, rng):
    agrees(CALLS[name], rng.normal(size=(3, 4)))
    x = mg.tensor(rng.normal(size=(3, 4)).astype(np.float32), requires_grad=True)
    y = CALLS[name](x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == np.float32


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    hnp.arrays(
        float,
        hnp.array_shapes(max_dims=3, min_side=0, max_side=4),
        elements=st.sampled_from([0.0, 1.0, -2.0, np.nan, np.inf]),
    ),
    st.data(),
)
def test_sorting_ties_and_nans_along_any_axis(a, data):
    axis = data.draw(st.sampled_from([None, *range(-a.ndim, a.ndim)]))
    x = mg.tensor(a, requires_grad=True)
    y = np.sort(x, axis)
    np.testing.assert_array_equal(y.data, np.sort(a, axis))
    w = np.random.default_rng(0).normal(size=y.shape)
    y.backward(w)
    order = np.argsort(a, axis, kind="stable")
    flat = x.grad.ravel() if axis is None else x.grad
    np.testing.assert_array_equal(np.take_along_axis(flat, order, 0 if axis is None else axis), w)


def test_the_rest_are_integers(rng):
    x = mg.tensor(rng.normal(size=5), requires_grad=True)
    for result in (
        np.argsort(x),
        np.argpartition(x, 2),
        np.searchsorted(np.sort(x), x),
        np.lexsort((x,)),
        np.digitize(x, [0.0]),
    ):
        assert type(result) is np.ndarray
        assert result.dtype.kind == "i"
    values, counts = np.unique(x, return_counts=True)
    assert isinstance(values, mg.Tensor)
    assert type(counts) is np.ndarray


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: np.sort(x, order="f"), TypeError, "order="),
        (lambda x: np.sort(x, kind="bogo"), ValueError, "'bogo'"),
        (lambda x: np.sort(x, kind="stable", stable=True), ValueError, "same time"),
        (lambda x: np.sort(x, axis=3), np.exceptions.AxisError, "axis 3"),
        (lambda x: np.sort(x[0, 0]), np.exceptions.AxisError, "dimension 0"),
        (lambda x: np.partition(x, 9), ValueError, "kth"),
        (lambda x: np.sort_complex(x), TypeError, "np.sort_complex"),
    ],
)
def test_refusals_and_errors(call, error, text):
    with pytest.raises(error, match=text):
        call(mg.tensor(np.ones((2, 2)), requires_grad=True))


def test_falling_order_is_stable_too() -> None:
    x = mg.tensor([[2.0, 5.0, 2.0], [1.0, 0.0, 3.0]], requires_grad=True)
    y = mg.sort(x, descending=True)
    np.testing.assert_array_equal(y.data, [[5.0, 2.0, 2.0], [3.0, 1.0, 0.0]])
    y.backward([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    np.testing.assert_array_equal(x.grad, [[2.0, 1.0, 3.0], [5.0, 6.0, 4.0]])
