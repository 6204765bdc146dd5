"""Activations: conventions at kinks, extremes, accuracy against SciPy; their rules are checked with all ops."""

from typing import Any

import numpy as np
import pytest
import scipy.special

import microgradnd as mg
from microgradnd import nn
from microgradnd.nn.activations import ACTIVATIONS

AT_ZERO = {
    "relu": 0, "leaky_relu": 0.01, "elu": 1, "selu": 1.6732632423543772 * 1.0507009873554805, "gelu": 0.5, "gelu_tanh": 0.5,
    "silu": 0.5, "softplus": 0.5, "sigmoid": 0.25, "hard_tanh": 1, "tanh": 1, "soft_sign": 1,
}  # fmt: skip
# Value and slope far to the left and right, where the function is a line.
FAR: dict[str, tuple[Any, Any, float, float]] = {
    "relu": (lambda x: 0, lambda x: x, 0, 1),
    "leaky_relu": (lambda x: 0.01 * x, lambda x: x, 0.01, 1),
    "elu": (lambda x: -1, lambda x: x, 0, 1),
    "selu": (lambda x: -1.7580993408473766, lambda x: 1.0507009873554805 * x, 0, 1.0507009873554805),
    "gelu": (lambda x: 0, lambda x: x, 0, 1),
    "gelu_tanh": (lambda x: 0, lambda x: x, 0, 1),
    "silu": (lambda x: 0, lambda x: x, 0, 1),
    "softplus": (lambda x: 0, lambda x: x, 0, 1),
    "sigmoid": (lambda x: 0, lambda x: 1, 0, 0),
    "hard_tanh": (lambda x: -1, lambda x: 1, 0, 0),
    "tanh": (lambda x: -1, lambda x: 1, 0, 0),
    "soft_sign": (lambda x: -1, lambda x: 1, 0, 0),
}


def slope(function: Any, at: Any, dtype: Any = float) -> Any:
    x = mg.tensor(at, requires_grad=True, dtype=dtype)
    function(x).sum().backward()
    return x.grad


@pytest.mark.parametrize("name", AT_ZERO)
def test_the_slope_at_zero(name: str) -> None:
    assert slope(ACTIVATIONS[name], 0.0) == pytest.approx(AT_ZERO[name], rel=1e-15)


def test_hard_tanh_is_flat_at_its_bounds() -> None:
    assert slope(nn.hard_tanh, [-1.0, 1.0]).tolist() == [0, 0]


@pytest.mark.parametrize(("far", "dtype"), [(1e200, np.float64), (1e3, np.float64), (1e30, np.float32)])
@pytest.mark.parametrize("name", FAR)
def test_nothing_overflows_far_out(name: str, far: float, dtype: Any) -> None:
    left, right, slope_left, slope_right = FAR[name]
    x = mg.tensor([-far, far], requires_grad=True, dtype=dtype)
    rel = 1e-6 if dtype is np.float32 else 1e-12
    tail = 2e-3 if name == "soft_sign" and far == 1e3 else 1e-300  # the one that comes near its limits slowly
    y = ACTIVATIONS[name](x)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.data, [left(-far), right(far)], rtol=max(rel, tail), atol=tail)
    np.testing.assert_allclose(
        slope(ACTIVATIONS[name], [-far, far], dtype), [slope_left, slope_right], rtol=rel, atol=tail
    )
    curved = mg.grad(lambda x: mg.grad(lambda x: ACTIVATIONS[name](x).sum())(x).sum())(x.data)
    assert np.isfinite(curved).all()


def test_digits_are_kept_where_naive_formulas_lose_them() -> None:
    x = np.array([-700.0, -40.0, -1.0, 0.0, 1.0, 40.0])
    np.testing.assert_allclose(nn.sigmoid(x), scipy.special.expit(x), rtol=4e-16)
    np.testing.assert_allclose(slope(nn.sigmoid, x), scipy.special.expit(x) * scipy.special.expit(-x), rtol=1e-15)
    np.testing.assert_allclose(nn.softplus(x), -scipy.special.log_expit(-x), rtol=4e-16)
    np.testing.assert_allclose(nn.softmax(x), scipy.special.softmax(x), rtol=1e-14)
    np.testing.assert_allclose(nn.log_softmax(x), scipy.special.log_softmax(x), rtol=1e-14)
    np.testing.assert_allclose(nn.gelu(x[1:]), x[1:] * scipy.special.ndtr(x[1:]), rtol=1e-13)


def test_gelu_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.linspace(-6, 6, 13).astype(np.float32)
    with_scipy = nn.gelu(x)
    monkeypatch.setitem(__import__("sys").modules, "scipy.special", None)
    without = nn.gelu(x)
    assert without.dtype == np.float32
    np.testing.assert_allclose(without, with_scipy, rtol=1e-6, atol=1e-30)


def test_nan_passes_through() -> None:
    for name, function in ACTIVATIONS.items():
        assert np.isnan(function(np.array([np.nan]))).all(), name


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_along_any_axis(axis: int, rng: np.random.Generator) -> None:
    x = rng.normal(size=(3, 4))
    np.testing.assert_allclose(nn.softmax(x, axis=axis).sum(axis=axis), 1)
    np.testing.assert_allclose(np.exp(nn.log_softmax(x, axis=axis)), nn.softmax(x, axis=axis))


def test_options() -> None:
    assert nn.leaky_relu(np.array([-2.0]), slope=0.5).tolist() == [-1]
    assert slope(lambda x: nn.elu(x, alpha=0.5), [0.0]).tolist() == [0.5]


def test_layers_take_names_and_functions() -> None:
    x = np.linspace(-1, 1, 6).reshape(2, 3)
    for name, function in ACTIVATIONS.items():
        by_name, by_function = (
            nn.Dense(3, 2, name, init="normal", seed=0),
            nn.Dense(3, 2, function, init="normal", seed=0),
        )
        np.testing.assert_array_equal(by_name(x).data, by_function(x).data)
        assert by_function.activation == name
    mine = nn.Dense(3, 2, np.cos, seed=0)
    np.testing.assert_allclose(mine(x).data, np.cos(x @ mine.W.data))


@pytest.mark.parametrize("axis", [0, -1, None, (0, 1)])
def test_normalize(axis):
    x = np.array([[3.0, -4.0, 1.0], [0.5, 2.0, -1.0]])
    np.testing.assert_allclose(np.linalg.vector_norm(nn.normalize(x, axis), axis=axis), 1, rtol=1e-14)
    assert mg.gradcheck(lambda x: nn.normalize(x, axis), x, order=2)


def test_normalize_of_no_vector_is_zero_to_any_order():
    x = np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
    y, pull = mg.vjp(nn.normalize, x)
    assert y.dtype == pull(np.ones_like(x))[0].dtype == np.float32
    np.testing.assert_allclose(pull(np.ones_like(x))[0], [[0.032, -0.024], [0, 0]], rtol=1e-4)
    hessian = mg.hessian(lambda x: (nn.normalize(x) * np.array([1.0, 2.0])).sum())(x.astype(float))
    assert np.isfinite(hessian).all()
    assert not hessian[1].any()


@pytest.mark.parametrize(("dtype", "large"), [(np.float64, 4e200), (np.float64, 4e307), (np.float32, 4e37)])
def test_normalize_of_vectors_whose_squares_overflow(dtype: Any, large: float) -> None:
    x = np.array([[3, -4], [0, 0]], dtype) * dtype(large)
    y, pull = mg.vjp(nn.normalize, x)
    np.testing.assert_allclose(y, [[0.6, -0.8], [0, 0]], rtol=1e-6)
    # (g - y (y·g)) / norm for g of ones, y·g = -0.2, and a norm of 5 times `large`
    np.testing.assert_allclose(pull(np.ones_like(x))[0][0] * dtype(large), [1.12 / 5, 0.84 / 5], rtol=1e-5)


def test_normalize_of_nan_is_nan_and_of_nothing_nothing() -> None:
    np.testing.assert_array_equal(nn.normalize(np.array([[np.nan, 1.0], [0.0, 2.0]])), [[np.nan, np.nan], [0, 1]])
    assert nn.normalize(np.zeros((2, 0))).shape == (2, 0)
    assert nn.normalize([3e-200, 4e-200], eps=0.0).tolist() == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_lists_and_integers_are_taken(name: str) -> None:
    function = getattr(nn, name)
    expected = function(np.array([1.0, -2.0]))
    np.testing.assert_array_equal(function([1.0, -2.0]), expected)
    np.testing.assert_array_equal(function(np.array([1, -2])), expected)
    np.testing.assert_array_equal(function(mg.tensor([1, -2])).data, expected)


@pytest.mark.parametrize(
    "small", [np.array([1, 200], np.uint8), np.array([-128, 127], np.int8), np.array([True, False])], ids=str
)
@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"tanh"}))  # which is NumPy's own
def test_small_integers_do_not_wrap_around(name: str, small: np.ndarray) -> None:
    function = ACTIVATIONS[name]
    for given in (small, mg.tensor(small)):
        np.testing.assert_allclose(mg.astensor(function(given)).data, function(small.astype(float)), rtol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_single_numbers_are_taken(name: str) -> None:
    for number in (0.5, 3):
        assert float(ACTIVATIONS[name](number)) == pytest.approx(
            float(ACTIVATIONS[name](np.float64(number))), rel=1e-15
        )
