"""Layers: what they compute against formulas written out here, their gradients, and bad input."""

from typing import Any

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn

LAYERS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "dense": (lambda: nn.Dense(3, 2, "tanh", seed=0), (4, 3)),
    "dense on a sequence": (lambda: nn.Dense(3, 2, bias=False, seed=0), (2, 4, 3)),
    "dense on one row": (lambda: nn.Dense(3, 2, "softplus", seed=0), (3,)),
    "mlp": (lambda: nn.MLP([3, 4, 2], "gelu", seed=0), (4, 3)),
    "conv": (lambda: nn.Conv2d(2, 1, (3, 2), "tanh", stride=(2, 1), padding=(1, 0), seed=0), (1, 2, 3, 3)),
    "maxpool": (lambda: nn.MaxPool2d(2), (2, 2, 4, 5)),
    "maxpool, overlapping": (lambda: nn.MaxPool2d((2, 3), 1), (1, 2, 4, 5)),
    "avgpool": (lambda: nn.AvgPool2d(2, (1, 2)), (2, 2, 4, 5)),
    "flatten": (nn.Flatten, (2, 3, 2)),
    "layernorm": (lambda: nn.LayerNorm(4), (3, 4)),
    "batchnorm": (lambda: nn.BatchNorm(2), (5, 2)),
    "batchnorm of images": (lambda: nn.BatchNorm(2), (3, 2, 2, 2)),
    "batchnorm in use": (lambda: nn.BatchNorm(2).eval(), (5, 2)),
    "gru": (lambda: nn.GRU(2, 2, seed=0), (1, 2, 2)),
    "gru, last": (lambda: nn.GRU(2, 1, last=True, seed=0), (2, 2, 2)),
    "attention": (lambda: nn.MultiHeadAttention(2, 2, causal=True, seed=0), (1, 3, 2)),
    "residual": (lambda: nn.Residual(nn.Dense(3, 3, "silu", seed=0)), (2, 3)),
    "dropout in use": (lambda: nn.Dropout(0.5).eval(), (2, 3)),
}


def apart(shape: tuple[int, ...]) -> np.ndarray:
    """Values that differ from each other, so that no maximum is tied."""
    rng = np.random.default_rng(1)
    n = int(np.prod(shape))
    return ((rng.permutation(n) - n / 2 + 0.3) / 5 + rng.uniform(0, 0.05, n)).reshape(shape)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_input_and_parameters(name: str, order: int) -> None:
    make, shape = LAYERS[name]
    layer = make()
    parameters = {name: p.data for name, p in layer.named_parameters()}

    def f(x: Any, *values: Any) -> Any:
        return nn.functional_call(layer, dict(zip(parameters, values, strict=True)), x)

    assert mg.gradcheck(f, apart(shape), *parameters.values(), order=order)


@pytest.mark.parametrize("name", LAYERS)
def test_float32_stays_float32(name: str) -> None:
    make, shape = LAYERS[name]
    layer = make()
    for module in layer.modules():
        for key, value in list(vars(module).items()):
            if isinstance(value, mg.Tensor):
                setattr(module, key, mg.tensor(value.data, requires_grad=True, dtype=np.float32))
            elif isinstance(value, np.ndarray):
                setattr(module, key, value.astype(np.float32))
            elif key == "dtype":
                module.dtype = np.dtype(np.float32)
    x = mg.tensor(apart(shape), requires_grad=True, dtype=np.float32)
    y = layer(x)
    assert y.dtype == np.float32
    (y * y).sum().backward()
    assert {p.grad.dtype for p in [x, *layer.parameters()]} == {np.dtype(np.float32)}


def test_dense_takes_the_last_axis_and_empty_batches() -> None:
    layer = nn.Dense(64, 3, seed=0)
    assert [layer(np.zeros(shape)).shape for shape in [(64,), (0, 64), (2, 5, 64)]] == [(3,), (0, 3), (2, 5, 3)]
    layer(np.zeros((0, 64))).sum().backward()
    assert layer.W.grad.shape == (64, 3)
    x = [[1, 2], [3, 4]]
    small = nn.Dense(2, 1, seed=0)
    np.testing.assert_allclose(small(x).data, np.array(x) @ small.W.data + small.b.data)


ATTENTION = nn.MultiHeadAttention(4, 2, seed=0)


@pytest.mark.parametrize(
    ("act", "kind", "text"),
    [
        (lambda: nn.Dense(64, 10)(np.zeros((32, 63))), ValueError, r"Dense: expected input of shape \(..., 64\), got \(32, 63\)"),
        (lambda: nn.MLP([64, 9, 10])(np.zeros((32, 63))), ValueError, r"layers.0 \(Dense\): expected input"),
        (lambda: nn.Dense(2, 2)(None), ValueError, "got None"),
        (lambda: nn.Dense(None, 2)(3.0), ValueError, r"\(..., None\), got 3.0"),
        (lambda: nn.Flatten()(3.0), ValueError, "expected a batch"),
        (lambda: nn.Dense(2, 2)(["a", "b"]), TypeError, "dtype <U1"),
        (lambda: nn.Dense(0, 10), ValueError, "n_in=0, expected a whole number from 1 on"),
        (lambda: nn.Dense(64, 2.5), ValueError, "n_out=2.5"),
        (lambda: nn.Dense(64, "10"), TypeError, "n_out='10'"),
        (lambda: nn.Dense(4, 2, "rleu"), ValueError, "did you mean 'relu'"),
        (lambda: nn.Dense(4, 2, init="glorto"), ValueError, "did you mean 'glorot'"),
        (lambda: nn.Dense(4, 2, init=lambda shape, rng: np.ones(2)), ValueError, r"gave an array of shape \(2,\).*\(4, 2\)"),
        (lambda: nn.Dense(4, 2, init=lambda shape, rng: None), ValueError, "dtype object"),
        (lambda: nn.Conv2d(None, 2, 3, init="glorto"), ValueError, "init='glorto' is no initialiser"),
        (lambda: nn.Conv2d(1, 2, 3, padding=-1), ValueError, "padding=-1, expected a whole number from 0 on"),
        (lambda: nn.MLP(None), ValueError, "sizes=None, expected at least input and output"),
        (lambda: nn.MLP([3, 2.5]), ValueError, "MLP: sizes=2.5"),
        (lambda: nn.Dense(4, 2, seed=-1), ValueError, "seed=-1"),
        (lambda: nn.MLP([64]), ValueError, "at least input and output"),
        (lambda: nn.Dense(4, 2, nn.Dropout), ValueError, "activation=<class .*Dropout'> is unknown"),
        (lambda: nn.Sequential(nn.Dense(4, 2), nn.Flatten), TypeError, "layer 1 is the class Flatten"),
        (lambda: nn.Sequential([nn.tanh]), TypeError, "unpack it"),
        (lambda: nn.Conv2d(1, 2, 3)(np.zeros((2, 3, 8, 8))), ValueError, r"expected input of shape \(batch, 1, height, width\)"),
        (lambda: nn.Conv2d(1, 2, 9)(np.zeros((2, 1, 8, 8))), ValueError, "doesn't fit into"),
        (lambda: nn.Conv2d(1, 2, 2, padding="same"), ValueError, "odd windows"),
        (lambda: nn.MaxPool2d((1, 2, 3)), ValueError, "one number or two"),
        (lambda: nn.BatchNorm(2)(np.zeros((1, 2))), ValueError, "one value per feature"),
        (lambda: nn.BatchNorm(2)(np.zeros((4, 3))), ValueError, r"expected input of shape \(batch, 2, ...\)"),
        (lambda: nn.LayerNorm(2)(np.zeros((4, 3))), ValueError, r"expected input of shape \(..., 2\)"),
        (lambda: nn.Dropout(1.0), ValueError, "p=1.0"),
        (lambda: nn.Dropout("a"), TypeError, "Dropout: p='a' is str, expected a number in"),
        (lambda: nn.Dropout(np.nan), ValueError, "p=nan"),
        (lambda: nn.BatchNorm(2, momentum="a"), TypeError, "BatchNorm: momentum='a'"),
        (lambda: nn.LayerNorm(2, eps=-1), ValueError, "LayerNorm: eps=-1"),
        (lambda: nn.Embedding(5, 2)([0, -1]), IndexError, "index -1 is outside of 0..4"),
        (lambda: nn.Embedding(5, 2)([0.0]), TypeError, "dtype float64"),
        (lambda: nn.GRU(3, 2)(np.zeros((4, 3))), ValueError, r"\(batch, steps, 3\)"),
        (lambda: nn.GRU(3, 2)(np.zeros((2, 4, 3)), np.zeros((3, 2))), ValueError, r"a state of shape \(2, 2\), got \(3, 2\)"),
        (lambda: nn.MultiHeadAttention(5, 2), ValueError, "no multiple"),
        (lambda: ATTENTION(np.zeros((2, 3, 4)), mask=np.ones((3, 4), bool)), ValueError, r"mask of shape \(3, 4\) .* \(2, 2, 3, 3\)"),
        (lambda: ATTENTION(np.zeros((2, 3, 4)), mask=np.ones((1, 1, 1, 3, 3), bool)), ValueError, "mask of shape"),
        (lambda: ATTENTION(np.zeros((2, 3, 4)), mask=np.zeros((3, 3))), TypeError, "dtype float64, expected booleans"),
        (lambda: ATTENTION(np.zeros((2, 3, 4)), np.zeros((3, 3, 4))), ValueError, r"context of shape \(2, places, 4\)"),
        (lambda: nn.Residual(nn.Dense(3, 2))(np.zeros((1, 3))), ValueError, "must keep the shape"),
    ],
)  # fmt: skip
def test_bad_input_is_named(act: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        act()


def test_convolution_is_a_sum_over_windows(rng: np.random.Generator) -> None:
    layer = nn.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 0), seed=0)
    x = rng.normal(size=(2, 2, 5, 4))
    framed = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    W, b = layer.W.data, rng.normal(size=3)
    layer.b.data = b
    expected = np.empty((2, 3, 3, 3))
    for n, o, i, j in np.ndindex(expected.shape):
        expected[n, o, i, j] = (framed[n, :, 2 * i : 2 * i + 3, j : j + 2] * W[o]).sum() + b[o]
    np.testing.assert_allclose(layer(x).data, expected, rtol=1e-12)
    assert nn.Conv2d(2, 1, 3, padding="same")(x).shape == (2, 1, 5, 4)


def test_tied_maxima_share_the_gradient() -> None:
    x = mg.tensor(np.zeros((1, 1, 2, 2)), requires_grad=True)
    nn.MaxPool2d(2)(x).sum().backward()
    assert x.grad.ravel().tolist() == [0.25] * 4


def test_batchnorm_learns_running_statistics_and_uses_them(rng: np.random.Generator) -> None:
    layer = nn.BatchNorm(3, momentum=0.1)
    mean, var = np.zeros(3), np.ones(3)
    for _ in range(5):
        x = rng.normal(2, 3, size=(8, 3))
        y = layer(x).data
        np.testing.assert_allclose(y.mean(0), 0, atol=1e-12)
        mean, var = 0.9 * mean + 0.1 * x.mean(0), 0.9 * var + 0.1 * x.var(0, ddof=1)
    np.testing.assert_allclose(layer.running_mean, mean)
    np.testing.assert_allclose(layer.running_var, var)
    np.testing.assert_allclose(layer.eval()(x).data, (x - mean) / np.sqrt(var + 1e-5))
    assert [name for name, _ in layer.named_buffers()] == ["running_mean", "running_var"]


def test_dropout_keeps_the_mean_and_repeats_with_its_seed() -> None:
    x = np.ones((200, 200))
    y = nn.Dropout(0.25, seed=3)(x)
    assert set(np.unique(y)) == {0.0, 1 / 0.75}
    assert y.mean() == pytest.approx(1, abs=0.02)
    np.testing.assert_array_equal(y, nn.Dropout(0.25, seed=3)(x))


@pytest.mark.parametrize("order", [1, 2])
def test_gradients_of_embedded_words(order: int) -> None:
    model = nn.Sequential(nn.Embedding(5, 3, seed=0), nn.GRU(3, 2, last=True, seed=0))
    assert nn.gradcheck(model, nn.cross_entropy, np.array([[0, 1, 1], [4, 2, 0]]), np.array([0, 1]), order=order)


def test_embedding_adds_up_gradients_of_repeated_indices() -> None:
    layer = nn.Embedding(4, 2, seed=0)
    layer(np.array([[0, 0, 3]])).sum().backward()
    assert layer.W.grad.tolist() == [[2, 2], [0, 0], [0, 0], [1, 1]]


def test_gru_follows_its_formula_step_by_step(rng: np.random.Generator) -> None:
    layer, x = nn.GRU(2, 3, seed=0), rng.normal(size=(1, 4, 2))
    layer.c.data = rng.normal(size=9)
    h = np.zeros(3)
    for t in range(4):
        u, v = x[0, t] @ layer.W.data + layer.b.data, h @ layer.U.data + layer.c.data
        r, z = 1 / (1 + np.exp(-(u[:3] + v[:3]))), 1 / (1 + np.exp(-(u[3:6] + v[3:6])))
        h = (1 - z) * np.tanh(u[6:] + r * v[6:]) + z * h
        np.testing.assert_allclose(layer(x).data[0, t], h, rtol=1e-12)
    whole, start = layer(x).data[:, -1:], layer(x[:, :2]).data[:, -1]
    np.testing.assert_allclose(layer(x[:, 2:], start).data[:, -1:], whole, rtol=1e-12)


def test_attention_is_a_weighted_mean_and_respects_masks(rng: np.random.Generator) -> None:
    layer, x = nn.MultiHeadAttention(4, 1, seed=0), rng.normal(size=(1, 3, 4))
    q, k, v = (x[0] @ part.W.data for part in (layer.query, layer.key, layer.value))
    weights = np.exp(q @ k.T / 2)
    weights /= weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(layer(x).data[0], weights @ v @ layer.output.W.data, rtol=1e-12)
    causal = nn.MultiHeadAttention(4, 2, causal=True, seed=0)
    future = x.copy()
    future[0, 2] = 9
    np.testing.assert_array_equal(causal(x).data[0, :2], causal(future).data[0, :2])
    hidden = nn.MultiHeadAttention(4, 2, seed=0)
    np.testing.assert_allclose(hidden(x, mask=np.array([True, True, False])).data, hidden(x, x[:, :2]).data, rtol=1e-12)


def test_attention_ignores_what_is_added_to_all_keys(rng: np.random.Generator) -> None:
    layer = nn.MultiHeadAttention(4, 2, seed=0)
    (layer(rng.normal(size=(2, 3, 4))) ** 2).sum().backward()
    np.testing.assert_allclose(layer.key.b.grad, 0, atol=1e-15)
    assert (layer.query.b.grad != 0).all()


def test_seeds_repeat_and_leave_the_global_state_alone() -> None:
    before = np.random.get_state()[1].copy()
    for seed in (3, np.int64(3)):
        np.testing.assert_array_equal(nn.Dense(3, 2, seed=seed).W.data, nn.Dense(3, 2, seed=3).W.data)
    legacy = [nn.Dense(3, 2, seed=np.random.RandomState(3)).W.data for _ in range(2)]
    np.testing.assert_array_equal(*legacy)
    assert (nn.Dense(3, 2).W.data != nn.Dense(3, 2).W.data).any()
    assert (np.random.get_state()[1] == before).all()
