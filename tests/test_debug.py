"""Debug mode: the first NaN or infinity, and arrays changed behind a tensor's back, are named with op and line."""

import gc
import threading

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn
from microgradnd.context import MODE


def leaf(values, **options):
    return mg.tensor(values, requires_grad=True, **options)


# -- NaN and infinity -------------------------------------------------------------------------


def test_forward_names_op_index_inputs_and_line():
    x = leaf([[1.0, 2.0], [-3.0, 4.0]], name="x")
    with mg.debug(), pytest.raises(FloatingPointError) as caught:
        np.exp(np.log(x))  # this line
    said = str(caught.value)
    assert said.startswith("`log` gave nan at [1, 0] (input 0 `x` (2, 2) float64 in [-3, 4])")
    assert "test_debug.py:" in said
    assert said.endswith("np.exp(np.log(x))  # this line")


def test_infinity_from_two_operands():
    x = leaf(1.0)
    with mg.debug(), pytest.raises(FloatingPointError, match=r"`divide` gave inf \(input 0 .*input 1 .*in \[0, 0\]"):
        x / np.zeros(())


def test_backward_names_op_argument_and_cotangent():
    x = leaf([4.0, 0.0])
    with mg.debug():
        y = np.sqrt(x).sum()  # that line
        with pytest.raises(FloatingPointError) as caught:
            y.backward()
    said = str(caught.value)
    assert said.startswith("backward of `sqrt` for argument 0 gave inf at [1], of a cotangent (2,) float64 in [1, 1]")
    assert "that line" in said
    assert x.grad is None


def test_recorded_backward_is_watched_too():
    with mg.debug(), pytest.raises(FloatingPointError, match=r"sqrt"):
        mg.grad(mg.grad(np.sqrt))(0.0)


def test_what_came_in_broken_blames_no_op():
    x = leaf([np.nan, np.inf, 1.0])
    with mg.debug():
        y = (np.exp(x) * np.array([1.0, 2.0, np.inf])).sum()
        y.backward()
        z = (leaf([1.0, 2.0]) * 2).sum()
        z.backward(np.array(np.inf))
    assert np.isnan(y.item())


def test_all_finite_is_silent(rng):
    model = nn.Sequential(nn.Dense(4, 8, "tanh", seed=0), nn.Dense(8, 3, seed=1))
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    X, t = rng.normal(size=(6, 4)), np.array([0, 1, 2, 0, 1, 2])
    with mg.debug():
        for _ in range(3):
            loss = nn.cross_entropy(model(X), t)
            optimizer.zero_grad()
            loss.backward(retain_graph=False)
            optimizer.step()
    assert np.isfinite(loss.item())


# -- mutation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("retain", [True, False])
def test_a_raw_operand_that_was_changed(retain):
    w, batch = leaf([1.0, 2.0]), np.array([3.0, 4.0])
    with mg.debug():
        y = (w * batch).sum()  # here
        batch[:] = 0
        with pytest.raises(RuntimeError, match=r"input 1 of `multiply`, an array of shape \(2,\).*# here"):
            y.backward(retain_graph=retain)
    assert w.grad is None


def test_a_tensors_own_array_changed_without_touch():
    x = leaf([1.0, 2.0])
    with mg.debug():
        y = (x * x).sum()
        x.data[0] = 7
        with pytest.raises(RuntimeError, match=r"input 0 of `multiply`"):
            y.backward()


def test_a_result_changed_and_a_condition_changed():
    x, condition = leaf([1.0, 2.0]), np.array([True, False])
    with mg.debug():
        y = np.exp(x)
        z = y * 2
        y.data[0] = 0
        with pytest.raises(RuntimeError, match=r"input 0 of `multiply`|result of `exp`"):
            z.sum().backward()
        z = np.where(condition, x, 0.0)
        condition[0] = False
        with pytest.raises(RuntimeError, match=r"input 0 of `where`"):
            z.sum().backward()


def test_an_option_changed():
    weigh = mg.op(lambda x, w: x * w, lambda g, y, x, w: g * w, name="weigh")
    x, w = leaf([1.0, 2.0]), np.array([3.0, 4.0])
    with mg.debug():
        y = weigh(x, w=w).sum()
        w[0] = 1
        with pytest.raises(RuntimeError, match=r"option w= of `weigh`"):
            y.backward()


def test_an_index_that_is_changed_afterwards_makes_no_difference():
    x, index = leaf([1.0, 2.0]), np.array([0, 0, 1])
    y = x[index].sum()
    index[:] = 1
    y.backward()
    assert x.grad.tolist() == [2, 1]


def test_a_touched_tensor_is_reported_by_name_as_ever():
    w = leaf([1.0], name="w")
    with mg.debug():
        y = (w * w).sum()
        w.data[0] = 2
        w.touch()
        with pytest.raises(RuntimeError, match=r"tensor `w`.*was changed after it was used"):
            y.backward()


# -- the context ------------------------------------------------------------------------------


def test_it_belongs_to_this_thread_and_ends():
    seen = []
    with mg.debug():
        thread = threading.Thread(target=lambda: seen.append(MODE.get().watch))
        thread.start()
        thread.join()
        watch = MODE.get().watch
        assert watch is not None
        y = leaf([1.0]) * 2
        assert len(watch.prints) == 1
        del y
        gc.collect()
        assert not watch.prints  # nothing of a dropped graph is kept
    assert seen == [None]
    assert MODE.get().watch is None


def test_it_also_decorates():
    @mg.debug()
    def step(x):
        return np.log(x)

    for _ in range(2):
        with pytest.raises(FloatingPointError, match=r"`log`"):
            step(leaf(0.0))
