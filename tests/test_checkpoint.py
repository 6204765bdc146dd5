"""Recomputing instead of keeping: the same gradients, to any order, for less memory."""

import gc
import tracemalloc

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn


def model_and_input(rng, depth=3, width=8, batch=4):
    layers = [nn.Dense(width, width, "tanh", seed=i) for i in range(depth)]
    return layers, rng.normal(size=(batch, width))


def test_gradients_are_those_of_the_function_parameters_in_closures_too(rng):
    layers, X = model_and_input(rng)
    parameters = [p for layer in layers for p in layer.parameters()]
    x = mg.tensor(X, requires_grad=True)

    def loss(wrap):
        h = x
        for layer in layers:
            h = wrap(lambda h, layer=layer: layer(h) * h)(h)
        return (h**2).sum()

    expected = mg.gradients(loss(lambda f: f), [x, *parameters])
    got = mg.gradients(loss(mg.checkpoint), [x, *parameters])
    for a, b in zip(expected, got, strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    loss(mg.checkpoint).backward(retain_graph=False)
    np.testing.assert_array_equal(x.grad, expected[0].data)
    for p, e in zip(parameters, expected[1:], strict=True):
        np.testing.assert_array_equal(p.grad, e.data)


def test_a_closed_over_intermediate_that_depends_on_another_is_not_counted_twice():
    w = mg.tensor(3.0, requires_grad=True)
    h = w * w
    f = mg.checkpoint(lambda x: x * h * w)
    assert mg.gradients(f(2.0 * w), [w])[0].item() == 2 * 4 * 27  # (2 w**4)'
    y = f(mg.tensor(2.0))
    y.backward()
    assert w.grad == 2 * 27  # (2 w**3)'


def test_containers_several_outputs_and_keywords():
    def f(p, *, scale):
        return {"a": p["x"] * p["y"][0] * scale, "n": 3, "b": [np.exp(p["x"])]}

    x, y = mg.tensor([1.0, 2.0], requires_grad=True), mg.tensor(5.0, requires_grad=True)
    out = mg.checkpoint(f)({"x": x, "y": (y,)}, scale=2.0)
    assert out["n"] == 3
    np.testing.assert_array_equal(out["a"].data, [10, 20])
    (out["a"].sum() + out["b"][0].sum()).backward()
    np.testing.assert_allclose(x.grad, 10 + np.exp([1, 2]))
    assert y.grad == 6


def test_twice_differentiable():
    f = mg.checkpoint(lambda x: np.exp(x) * x)
    assert np.isclose(mg.grad(mg.grad(f))(0.5), (0.5 + 2) * np.exp(0.5))
    np.testing.assert_allclose(mg.hessian(lambda x: f(x).sum())(np.array([0.5, 1.0])).diagonal(), [4.121803, 8.154845])
    w = mg.tensor(2.0, requires_grad=True)
    mg.grad(mg.checkpoint(lambda x: w**3 * x**2))(5.0).backward()
    assert w.grad == 3 * 4 * 2 * 5


def test_memory_is_really_lower():
    x = mg.tensor(np.zeros((250, 1000)), requires_grad=True)  # 2 MB

    def segment(h):
        for _ in range(10):
            h = np.tanh(h)
        return h

    def peak(f):
        gc.collect()
        tracemalloc.start()
        h = x
        for _ in range(5):
            h = f(h)
        h.sum().backward(retain_graph=False)
        _, high = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return high / x.data.nbytes

    plain, lean = peak(segment), peak(mg.checkpoint(segment))
    assert plain > 50  # 50 results of 2 MB
    assert lean < plain / 2  # 5 segments, and one of them in full


def test_nothing_recorded_nothing_kept():
    f = mg.checkpoint(lambda x: x * 2)
    assert not f(mg.tensor(1.0)).requires_grad
    with mg.no_grad():
        assert not f(mg.tensor(1.0, requires_grad=True)).requires_grad
    assert isinstance(mg.checkpoint(np.sum)(np.ones(2)), float)


def test_another_result_the_second_time_is_an_error(rng):
    x = mg.tensor(np.ones(3), requires_grad=True)
    with pytest.raises(RuntimeError, match=r"random numbers.*outside"):
        mg.checkpoint(lambda x: x * rng.random(3))(x).sum().backward()
    assert x.grad is None


@pytest.mark.parametrize("f", [3, mg.tensor(1.0)], ids=["number", "tensor"])
def test_what_is_no_function_is_refused_at_once(f):
    with pytest.raises(
        TypeError, match=r"checkpoint takes a function, got (int|Tensor): write mg\.checkpoint\(f\)\(x\)"
    ):
        mg.checkpoint(f)


def test_a_changed_closed_over_tensor_is_named():
    w, x = mg.tensor(2.0, requires_grad=True, name="w"), mg.tensor(3.0, requires_grad=True)
    y = mg.checkpoint(lambda x: w * x)(x)
    with mg.no_grad():
        w += 1
    with pytest.raises(RuntimeError, match=r"`w`.*changed"):
        y.backward()
