"""Arithmetic and elementwise functions: broadcasting in every direction, dtypes, and what is composed of them."""

from collections.abc import Callable
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microgradnd as mg
from microgradnd.gradients import recorded

BINARY = [
    np.add,
    np.subtract,
    np.multiply,
    np.divide,
    np.power,
    np.maximum,
    np.minimum,
    np.fmax,
    np.fmin,
    np.arctan2,
    np.hypot,
    np.logaddexp,
    np.logaddexp2,
    np.copysign,
    np.remainder,
    np.fmod,
    np.float_power,
]


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    ufunc=st.sampled_from(BINARY),
    shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=3),
    dtypes=st.tuples(*[st.sampled_from([np.float16, np.float32, np.float64])] * 2),
    seed=st.integers(0, 1000),
)
def test_broadcasting_sums_back_what_it_repeated(ufunc: Any, shapes: Any, dtypes: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.uniform(0.5, 2, s).astype(d) for s, d in zip(shapes.input_shapes, dtypes, strict=True))
    xs = [mg.tensor(v, requires_grad=True) for v in (a, b)]
    y = ufunc(*xs)
    expected = np.asarray(ufunc(a, b))
    np.testing.assert_array_equal(y.data, expected, strict=True)

    w = rng.integers(1, 4, y.shape).astype(y.dtype)
    repeated = [mg.tensor(np.broadcast_to(v, y.shape), requires_grad=True) for v in (a, b)]
    whole = mg.gradients(ufunc(*repeated), repeated, w)
    for x, g, full in zip(xs, mg.gradients(y, xs, w), whole, strict=True):
        assert g.dtype == x.dtype
        assert g.shape == x.shape
        axes = tuple(range(y.ndim - x.ndim)) + tuple(
            i for i in range(y.ndim - x.ndim, y.ndim) if x.shape[i - y.ndim] != y.shape[i]
        )
        summed = full.data.astype(float).sum(axis=axes, keepdims=True).reshape(x.shape)
        coarse = np.finfo(x.dtype).eps * 100
        np.testing.assert_allclose(g.data, summed, rtol=coarse, atol=coarse)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    "operate",
    [lambda x: 2 * x, lambda x: 1.5 - x, lambda x: x**2, lambda x: 2**x, lambda x: x / 3],
    ids=["2 * x", "1.5 - x", "x**2", "2**x", "x / 3"],
)
def test_a_python_number_does_not_widen(operate: Callable[[Any], Any], dtype: Any) -> None:
    x = mg.tensor(np.array([0.5, 2.0], dtype), requires_grad=True)
    y = operate(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == dtype


@pytest.mark.parametrize("number", [2, 0.75, True, 2**70], ids=str)
@pytest.mark.parametrize("ufunc", [f for f in BINARY if f is not np.float_power], ids=lambda f: f.__name__)
def test_nothing_behind_a_gradient_is_wider_than_a_float32_beside_a_number(ufunc: Any, number: Any) -> None:
    """To second order, the number on either side, though NumPy alone would make an object of so large an integer."""
    x = mg.tensor(np.array([0.5, 2.25], np.float32), requires_grad=True)
    with np.errstate(over="ignore", invalid="ignore"):
        for y in (ufunc(x, number), ufunc(number, x)):
            (g,) = mg.gradients(y, [x], np.ones(2), create_graph=True)
            second = mg.gradients(g, [x], np.ones(2), create_graph=True) if g.requires_grad else []
            arrays = [v for t in recorded([y, g, *second]) for v in (t.data, *t.values) if hasattr(v, "dtype")]
            assert not {v.dtype for v in arrays} - {np.dtype(np.float32), np.dtype(bool)}


def test_a_wide_array_widens_as_numpy_says_and_the_gradient_comes_back_narrow() -> None:
    x = mg.tensor(np.array([0.5, 2.0], np.float32), requires_grad=True)
    for other in (np.float64(2), np.array([1.0, 2.0]), np.array([1, 2])):
        y = x * other
        assert y.dtype == (x.data * other).dtype == np.float64
        (g,) = mg.gradients(y.sum(), [x])
        assert g.dtype == np.float32


M = np.array([[0.3, 2.0, 0.7], [-1.3, 0.45, -0.9]])
R = np.array([[0.31, 1.72, 0.68], [-1.38, 0.48, -0.88]])  # far from where rounding jumps
NAN = np.array([np.nan, 1.5, -np.inf, 2.0])


@pytest.mark.parametrize(
    ("function", "arrays"),
    [
        (lambda x: np.clip(x, None, 0.5), [M]),
        (lambda x: np.clip(x, -0.5, None), [M]),
        (lambda x: np.clip(x, min=-0.5, max=0.5), [M]),
        (np.clip, [M, np.array([-0.5, 0.1, 0.2]), np.array([[0.6], [0.52]])]),
        (np.clip, [M, np.array([0.8, 0.9, 1.0]), np.array([[-0.6], [0.52]])]),
        (np.modf, [R]),
        (np.frexp, [R]),
        (np.divmod, [R, np.array([0.4, 0.7, 0.33])]),
        (np.fabs, [M]),
        (np.conj, [M]),
        (np.real, [M]),
        (np.imag, [M]),
        (np.real_if_close, [M]),
        (np.angle, [M]),
        (lambda x: np.angle(x, deg=True), [M]),
        (lambda x: np.round(x, 1), [R]),
        (lambda x: x // 0.4, [R]),
        (lambda x: 0.4 % x, [M]),
        (np.degrees, [M]),
        (np.radians, [M]),
        (lambda x: np.unwrap(4 * x), [np.array([0.1, 1.5, 3.2, 4.4, 8.0])]),
        (lambda x: np.unwrap(x, discont=0.7, axis=0, period=1.0), [M]),
        (lambda x: np.power(x, 3), [M]),
        (lambda x: np.power(x, -2), [M]),
        (lambda x: x ** np.array([2, 3, 0]), [M]),
        (lambda x: 2.0**x, [M]),
        (np.sinc, [np.array([-0.31, -0.29, 1e-4, 0.29, 0.31, 2.5])]),
        (mg.erf, [M]),
        (mg.erfc, [M]),
        (mg.gammaln, [np.abs(M)]),
        (mg.digamma, [np.abs(M)]),
    ],
)
def test_what_is_composed(agrees: Any, function: Any, arrays: Any) -> None:
    agrees(function, *arrays)


def test_nan_to_num_passes_the_gradient_where_it_replaced_nothing() -> None:
    x = mg.tensor(NAN, requires_grad=True)
    y = np.nan_to_num(x, nan=5.0, neginf=-9.0)
    y.sum().backward()
    np.testing.assert_array_equal(y.data, [5.0, 1.5, -9.0, 2.0])
    np.testing.assert_array_equal(x.grad, [0, 1, 0, 1])


def test_fmax_of_two_nans_gives_the_gradient_once() -> None:
    a, b = (mg.tensor([np.nan, 1.0, np.nan], requires_grad=True) for _ in range(2))
    b.data[2] = 3.0
    np.fmax(a, b).backward(np.ones(3))
    np.testing.assert_array_equal(a.grad, [1, 0.5, 0])
    np.testing.assert_array_equal(b.grad, [0, 0.5, 1])


@pytest.mark.parametrize("bounds", [(), (0,), (0, 1, None)])
def test_clip_refuses_half_its_bounds(bounds: Any) -> None:
    x = mg.tensor([1.0], requires_grad=True)
    if bounds == ():
        np.testing.assert_array_equal(np.clip(x).data, [1.0])
    elif len(bounds) == 1:
        with pytest.raises(TypeError, match="a_max"):
            np.clip(x, *bounds)
    else:
        with pytest.raises(ValueError, match="not both"):
            np.clip(x, 0, 1, min=0)


@pytest.mark.filterwarnings("ignore:numpy.fix is deprecated:DeprecationWarning")
def test_fix_is_flat(agrees: Any) -> None:
    agrees(np.fix, R)
