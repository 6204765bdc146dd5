"""Convolution, correlation and sliding windows, against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

import microgradnd as mg


@pytest.mark.parametrize("function", [np.convolve, np.correlate])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@settings(deadline=None, derandomize=True, max_examples=12)
@given(n=st.integers(1, 6), m=st.integers(1, 6))
def test_convolution_of_any_lengths(function, mode, n, m):
    rng = np.random.default_rng(n + 10 * m)
    a, v = rng.normal(size=n), rng.normal(size=m)
    x, y = mg.tensor(a, requires_grad=True), mg.tensor(v, requires_grad=True)
    z = function(x, y, mode)
    np.testing.assert_allclose(z.data, function(a, v, mode), atol=1e-12)
    w = rng.normal(size=z.shape)
    (z * w).sum().backward()
    for i in range(n):
        np.testing.assert_allclose(x.grad[i], w @ function(np.eye(n)[i], v, mode), atol=1e-12)
    for i in range(m):
        np.testing.assert_allclose(y.grad[i], w @ function(a, np.eye(m)[i], mode), atol=1e-12)


@pytest.mark.parametrize("function", [np.convolve, np.correlate])
def test_convolution_twice(function, agrees, rng):
    agrees(function, rng.normal(size=5), rng.normal(size=3))
    agrees(lambda a, v: function(a, v, mode="same"), rng.normal(size=3), rng.normal(size=6))
    agrees(lambda a, v: np.convolve(a, v), rng.normal(size=3), rng.normal(size=()))


@pytest.mark.parametrize(
    ("window", "axis"), [((2, 3), None), (2, 0), (3, -1), ((2, 2), (1, 1)), ((1, 4), (1, 0)), ((4, 5), None)], ids=str
)
def test_windows(window, axis, agrees, rng):
    agrees(lambda x: sliding_window_view(x, window, axis), rng.normal(size=(4, 5)))
    x = mg.tensor(rng.normal(size=(4, 5)).astype(np.float32), requires_grad=True)
    y = sliding_window_view(x, window, axis)
    assert np.shares_memory(y.data, x.data)
    y.sum().backward()
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: np.convolve(x, x, "half"), ValueError, "'half'"),
        (lambda x: np.convolve(x[None], x), ValueError, r"\(1, 3\)"),
        (lambda x: np.correlate(x[:0], x), ValueError, r"\(0,\)"),
        (lambda x: sliding_window_view(x, 9), ValueError, "window"),
        (lambda x: sliding_window_view(x, 2, writeable=True), TypeError, "writeable"),
    ],
)
def test_refusals_and_errors(call, error, text):
    with pytest.raises(error, match=text):
        call(mg.tensor(np.ones(3), requires_grad=True))
