"""Initialisers: the moments they promise, and where they draw from."""

import functools
from typing import Any

import numpy as np
import pytest

from microgradnd import nn

SHAPES = {(300, 200): (300, 200), (40, 30, 3, 5): (30 * 15, 40 * 15)}
VARIANCES: dict[str, Any] = {
    "glorot": lambda n_in, n_out: 2 / (n_in + n_out),
    "he": lambda n_in, n_out: 2 / n_in,
    "lecun": lambda n_in, n_out: 1 / n_in,
}


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", VARIANCES)
def test_variances(name: str, shape: tuple[int, ...], distribution: Any, rng: np.random.Generator) -> None:
    W = nn.init.INITIALISERS[name](shape, rng, distribution=distribution, gain=3.0)  # type: ignore[call-arg]
    variance = 9 * VARIANCES[name](*SHAPES[shape])
    assert W.shape == shape
    assert W.var() == pytest.approx(variance, rel=0.03)
    assert W.mean() == pytest.approx(0, abs=4 * np.sqrt(variance / W.size))
    if distribution == "uniform":
        assert abs(W).max() == pytest.approx(np.sqrt(3 * variance), rel=0.01)
    else:
        assert (abs(W) < np.sqrt(variance)).mean() == pytest.approx(0.683, abs=0.02)


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3), (2, 3, 2, 2)], ids=str)
def test_orthogonal(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    Q = nn.init.orthogonal(shape, rng, gain=2.0).reshape(shape[0], -1)
    gram = Q @ Q.T if Q.shape[0] <= Q.shape[1] else Q.T @ Q
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-12)


def test_the_plain_ones(rng: np.random.Generator) -> None:
    assert not nn.init.zeros((2, 3)).any()
    assert (nn.init.constant((2, 3), value=0.5) == 0.5).all()
    u = nn.init.uniform((1000,), rng, -1, 3)
    assert -1 <= u.min() < -0.9 < 2.9 < u.max() < 3
    assert nn.init.normal((10_000,), rng, 1.0, 2.0).std() == pytest.approx(2, rel=0.05)


def test_layers_take_an_initialiser_by_name_function_or_default() -> None:
    by_name, by_function = (nn.Dense(5, 4, init=i, seed=1).W.data for i in ("orthogonal", nn.init.orthogonal))
    np.testing.assert_array_equal(by_name, by_function)
    assert (nn.Dense(2, 2, init=functools.partial(nn.init.constant, value=3.0)).W.data == 3).all()
    for activation, name in [("relu", "he"), ("selu", "lecun"), ("tanh", "glorot"), (None, "glorot")]:
        default, named = nn.Dense(5, 4, activation, seed=1), nn.Dense(5, 4, activation, init=name, seed=1)
        np.testing.assert_array_equal(default.W.data, named.W.data)


def test_what_cannot_be_drawn_is_named(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match=r"at least two axes, and \(3,\) has 1"):
        nn.init.glorot((3,), rng)
    with pytest.raises(ValueError, match="expected 'uniform' or 'normal'"):
        nn.init.he((3, 2), rng, distribution="cauchy")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="seed='a' is no seed"):
        nn.init.generator("a")
