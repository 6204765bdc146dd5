"""The backward walk: order, accumulation, ownership, freeing, staleness, exceptions, memory."""

import copy
import gc
import pickle
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn
from microgradnd.context import MODE
from microgradnd.gradients import pull


def leaf(values=1.0, **options):
    return mg.tensor(values, requires_grad=True, **options)


def chain(n, x):
    for _ in range(n):
        x = x + 1.0
    return x


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


# -- size -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_chain_of_a_million_ops_runs_and_is_freed_by_reference_counts_alone(no_collector):
    x = leaf()
    before = sys.getallocatedblocks()
    y = chain(1_000_000, x)
    y.backward()
    assert x.grad == 1
    assert y.item() == 1_000_001
    assert sys.getallocatedblocks() - before > 1_000_000
    del y
    assert sys.getallocatedblocks() - before < 10_000


@pytest.mark.parametrize("keep", [True, False])
def test_a_chain_is_freed_on_the_way_and_leaves_no_cycle(no_collector, keep):
    x = leaf()
    y = chain(20_000, x)
    y.backward(retain_graph=keep)
    del y
    assert gc.collect() == 0


def test_a_rule_may_call_methods_of_an_input_that_is_an_array():
    times = mg.op(
        lambda x, w: x.dot(w), lambda g, y, x, w: g.dot(w.T), lambda g, y, x, w: x.T.dot(g), name="times_by_method"
    )
    x, w = np.array([[1.0, 2.0], [3.0, 5.0], [7.0, 11.0]]), np.array([[0.5], [-1.0]])
    hessian = mg.hessian(lambda w: np.sum(times(x, w) ** 2))(w)
    np.testing.assert_allclose(hessian.reshape(2, 2), 2 * x.T @ x)


@pytest.mark.parametrize(
    "act", [repr, str, copy.copy, copy.deepcopy, pickle.dumps, lambda y: y.backward()], ids="abcdef"
)
def test_nothing_recurses_along_a_long_chain(act):
    y = chain(100_000, leaf(2.0, name="x"))
    act(y)
    del y


def test_a_hundred_thousand_leaves_and_one_leaf_used_a_hundred_thousand_times():
    n = 100_000
    leaves = [leaf() for _ in range(n)]
    total = 0.0
    for x in leaves:
        total = total + x
    total.backward(retain_graph=False)
    assert all(x.grad == 1 for x in leaves)
    x, total = leaf(np.ones(3)), 0.0
    for _ in range(n):
        total = total + x
    total.sum().backward(retain_graph=False)
    assert x.grad.tolist() == [n] * 3


def test_joining_many_costs_a_backward_in_proportion():
    leaves = [leaf() for _ in range(40_000)]
    start = time.process_time()
    y = np.stack(leaves).sum()
    forward = time.process_time() - start
    y.backward(retain_graph=False)
    assert time.process_time() - start < 10 * forward
    assert leaves[-1].grad == 1


def test_the_ids_of_dead_temporaries_mix_nothing():
    x = leaf([1.0, 2.0])
    for i in range(2000):
        gone = leaf([1.0, 2.0])
        (gone * i).sum().backward()
        gone.touch()
        mg.tensor(gone.data)[0] = i
        del gone
        (x * mg.tensor([1.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [2000, 6000]


def test_forty_doublings_cost_forty_steps():
    steps = 0

    def rule(g, y, a, b):
        nonlocal steps
        steps += 1
        return g

    double = mg.op(np.add, rule, lambda g, y, a, b: g, name="counted_add", elementwise=True)
    x = y = leaf()
    for _ in range(40):
        y = double(y, y)
    y.backward()
    assert x.grad == 2.0**40
    assert steps == 40


def test_a_diamond_of_depth_sixty():
    x = h = leaf(0.5)
    for _ in range(60):
        h = 0.5 * np.sin(h) + 0.5 * h
    h.backward()
    slope, value = 1.0, 0.5
    for _ in range(60):
        slope *= 0.5 * np.cos(value) + 0.5
        value = 0.5 * np.sin(value) + 0.5 * value
    assert np.isclose(x.grad, slope)


def test_x_times_x_has_two_edges():
    x = leaf(3.0)
    (x * x).backward()
    assert x.grad == 6


@pytest.mark.parametrize("retain_graph", [True, False])
def test_three_hundred_training_steps_do_not_grow(no_collector, rng, retain_graph):
    model = nn.Sequential(nn.Dense(20, 30, "tanh", seed=0), nn.Dense(30, 5, seed=1))
    optimizer = nn.SGD(model.parameters(), lr=0.01)
    X, t = rng.normal(size=(16, 20)), rng.integers(0, 5, 16)

    def step():
        loss = nn.cross_entropy(model(X), t)
        optimizer.zero_grad()
        loss.backward(retain_graph=retain_graph)
        optimizer.step()

    step()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(300):
        step()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 1_000_000


def test_a_recorded_node_costs_at_most_600_bytes():
    n = 5_000
    x, keep = leaf(np.ones(1)), []
    keep.append(chain(10, x))
    tracemalloc.start()
    y = chain(n, x)
    ours = tracemalloc.get_traced_memory()[0]
    keep = [np.ones(1) + 1.0 for _ in range(n)]
    arrays = tracemalloc.get_traced_memory()[0] - ours
    tracemalloc.stop()
    assert (ours - arrays) / n <= 600
    assert y.shape == keep[0].shape


# -- once, twice, freed -----------------------------------------------------------------------


def test_leaves_accumulate_and_intermediates_hold_the_last_pass():
    x = leaf([1.0, 2.0])
    h = x * 3
    y = h.sum()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [6, 6]
    assert h.grad.tolist() == [1, 1]
    assert y.grad == 1
    with pytest.raises(ValueError, match=r"read-only"):
        h.grad[0] = 5
    x.zero_grad()
    assert x.grad is None


def test_a_freed_graph_says_so():
    x = leaf([1.0, 2.0])
    h = x * 3
    y = h.sum()
    y.backward(retain_graph=False)
    assert h.grad is None
    for again in (y.backward, (h * 2).sum().backward):
        with pytest.raises(RuntimeError, match=r"freed.*retain_graph"):
            again()
    assert x.grad.tolist() == [3, 3]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda x: mg.tensor(1.0), "requires_grad=True"),
        (lambda x: (x * 1).detach(), r"detach"),
        (lambda x: mg.no_grad()(lambda: x * 2)(), "under no_grad"),
        (lambda x: mg.no_grad()(lambda: x * 2)().sum(), "path went through no_grad"),
        (lambda x: mg.tensor(x.data * 2), r"\.data"),
    ],
    ids="abcde",
)
def test_nothing_to_differentiate_says_why(make, why):
    with pytest.raises(RuntimeError, match=f"requires no gradient.*{why}"):
        make(leaf()).backward()


@pytest.mark.parametrize(
    ("grad", "kind", "says"),
    [
        (None, RuntimeError, r"\(2,\).*\.sum\(\).*backward\(grad\)"),
        (np.ones(3), ValueError, r"\(3,\).*\(2,\)"),
        (1.0, ValueError, r"\(\).*\(2,\)"),
        (np.ones(2) * 1j, TypeError, r"complex128.*real"),
        ("ab", (TypeError, ValueError), "grad has"),
        ([None, None], TypeError, "object"),
    ],
    ids="abcdef",
)
def test_a_wrong_grad_is_refused_and_leaves_nothing_behind(grad, kind, says):
    x = leaf([1.0, 2.0])
    with pytest.raises(kind, match=says):
        (x * 2).backward(grad)
    assert x.grad is None


def test_a_grad_is_cast_and_nan_is_allowed():
    x = mg.tensor([1.0, 2.0], requires_grad=True, dtype=np.float32)
    (x * 2).backward([1, 3])
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [2, 6]
    x.zero_grad()
    (x * 2).backward(mg.tensor([np.nan, 1.0]))
    np.testing.assert_array_equal(x.grad, np.array([np.nan, 2], np.float32))


# -- ownership --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda x, z: x + z,
        lambda x, z: x - z,
        lambda x, z: x + x + z,
        lambda x, z: np.reshape(x, -1) + np.reshape(z, -1),
        lambda x, z: x.T + z.T,
        lambda x, z: np.concatenate([x, z]),
        lambda x, z: +x + np.maximum(z, -9),
        lambda x, z: x.sum() + z.mean(),
        lambda x, z: x[::-1] + z[:, ::-1],
        lambda x, z: np.broadcast_to(x, (4, 2, 3)) + z,
    ],
    ids="abcdefghij",
)
@pytest.mark.parametrize("retain_graph", [True, False])
def test_a_leafs_gradient_is_its_own(f, retain_graph):
    x, z = leaf(np.ones((2, 3))), leaf(np.ones((2, 3)))
    y = f(x, z)
    seed = np.ones(y.shape)
    y.backward(seed, retain_graph=retain_graph)
    others = [seed, x.data, z.data, y.data] + ([y.grad] if retain_graph else [])
    for g, rest in [(x.grad, [z.grad, *others]), (z.grad, [x.grad, *others])]:
        assert g.flags.writeable
        assert g.flags.c_contiguous
        assert g.shape == (2, 3)
        assert not any(np.shares_memory(g, other) for other in rest)


def test_a_rule_that_returns_a_cached_array_does_not_alias_the_gradient():
    cached = np.ones(3)
    op = mg.op(lambda x: x * 1, lambda g, y, x: cached, name="cached")
    x, z = leaf(np.zeros(3)), leaf(np.zeros(3))
    for _ in range(2):
        (op(x) + op(z)).sum().backward(retain_graph=False)
    assert cached.tolist() == [1, 1, 1]
    assert x.grad.tolist() == z.grad.tolist() == [2, 2, 2]
    assert not np.shares_memory(x.grad, cached)


def test_a_gradient_that_is_set_is_a_copy_and_checked():
    x, g = leaf([1.0, 2.0]), np.array([3, 4])
    x.grad = g
    assert x.grad.dtype == float
    assert not np.shares_memory(x.grad, g)
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        x.grad = np.ones(3)


# -- changed data -----------------------------------------------------------------------------


def _in_place(x):
    with mg.no_grad():
        x += 1


def _item(x):
    with mg.no_grad():
        x[0] = 5.0


def _data(x):
    x.data = np.array([5.0, 6.0])


def _touch(x):
    x.data[0] = 9
    x.touch()


@pytest.mark.parametrize("change", [_in_place, _item, _data, _touch])
@pytest.mark.parametrize("use", [lambda x: x * x, lambda x: np.exp(x + 1) * 2], ids="ab")
def test_a_changed_tensor_is_named(change, use):
    x = leaf([1.0, 2.0], name="theta")
    y = use(x).sum()
    change(x)
    for differentiate in (y.backward, lambda: mg.gradients(y, [x])):
        with pytest.raises(
            RuntimeError, match=r"tensor `theta` of shape \(2,\).*changed after it was used at test_back"
        ):
            differentiate()
    assert x.grad is None
    use(x).sum().backward()
    assert x.grad is not None


def test_an_intermediate_result_that_was_changed_is_named():
    x = leaf([1.0, 2.0])
    h = np.exp(x)
    y = h.sum()
    h.data[0] = 0
    h.touch()
    with pytest.raises(RuntimeError, match=r"the result of `exp`"):
        y.backward()


def _update(x):
    with mg.no_grad():
        x *= 2


def _set(x, index):
    with mg.no_grad():
        x[index] = 9.0


@pytest.mark.parametrize(
    ("use", "write"),
    [
        (lambda x, w: x * x, lambda x, y: _set(x.detach(), 0)),
        (lambda x, w: w * x.detach(), lambda x, y: _update(x)),
        (lambda x, w: w * x.detach()[1:], lambda x, y: _set(x, 1)),
        (lambda x, w: w * x.data, lambda x, y: _update(x)),
        (lambda x, w: w * x.numpy()[::-1], lambda x, y: _set(x, (..., 2))),
        (lambda x, w: x * x, lambda x, y: _set(mg.no_grad()(lambda: x[1:])(), slice(1))),
        (lambda x, w: x * x, lambda x, y: _set(mg.astensor(x.data), [0, 2])),
        (lambda x, w: np.exp(x), lambda x, y: _set(y.detach(), 0)),
    ],
    ids="abcdefgh",
)
def test_memory_written_under_another_name_is_noticed(use, write):
    x, w = leaf([1.0, 2.0, 3.0]), leaf(2.0)
    y = use(x, w)
    write(x, y)
    with pytest.raises(RuntimeError, match=r"memory of .*, under another name, after it was used at test_back"):
        y.sum().backward()
    assert x.grad is w.grad is None


def test_writing_beside_what_was_used_is_fine():
    w, buffer = leaf(np.ones(3)), mg.tensor(np.zeros((300, 3)))
    y = (buffer[:1] @ w).sum() + (w * buffer.data[1]).sum()
    for i in range(2, 300):
        buffer[i] = 1.0
        buffer[i, 0] = 2.0
    y.backward()
    assert w.grad.tolist() == [0, 0, 0]


def test_changing_after_backward_or_on_a_tensor_that_is_not_used_is_fine():
    x, other = leaf([1.0]), leaf([1.0])
    y = (x * x).sum()
    _in_place(other)
    y.backward()
    _in_place(x)
    (x * x).sum().backward()
    assert x.grad.tolist() == [6]  # 2 and 4


# -- exceptions -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ZeroDivisionError, KeyboardInterrupt, MemoryError])
def test_an_exception_in_a_rule_leaves_no_half_accumulated_gradient(kind):
    broken = True

    def rule(g, y, x):
        if broken:
            raise kind("out")
        return g

    op = mg.op(lambda x: x * 1, rule, name="breaks")
    w, x = leaf(), leaf()
    y = w * 2 + op(x * 3)
    before = MODE.get()
    for differentiate in (y.backward, lambda: mg.gradients(y, [x], create_graph=True), lambda: mg.grad(op)(1.0)):
        with pytest.raises(kind):
            differentiate()
        assert MODE.get() is before
    assert w.grad is x.grad is y.grad is None
    broken = False
    y.backward()
    assert (w.grad, x.grad) == (2, 3)


def test_an_exception_in_forward_restores_the_mode():
    for context in (mg.no_grad, mg.debug, lambda: mg.scope("s")):
        before = MODE.get()
        with pytest.raises(ValueError, match=r"matmul"), context():
            leaf(np.ones((2, 3))) @ np.ones((2, 3))
        assert MODE.get() is before


@pytest.mark.parametrize(
    ("gives", "kind", "says"),
    [
        (lambda g, y, x: None, TypeError, "gave None"),
        (lambda g, y, x: [1.0, 2.0], TypeError, "gave a list"),
        (lambda g, y, x: g * (1 + 2j), TypeError, r"complex128.*\.real"),
        (lambda g, y, x: g[:1], ValueError, r"\(1,\).*\(2,\)"),
        (lambda g, y, x: mg.tensor(g), TypeError, "Tensor"),
        (lambda g, y, x: 1 / 0, ZeroDivisionError, "division"),
    ],
    ids="abcdef",
)
def test_a_hostile_rule_is_named(gives, kind, says):
    op = mg.op(lambda x: x * 1, gives, name="hostile")
    x = leaf([1.0, 2.0])
    with pytest.raises(kind, match=f"backward of `hostile` for argument 0.*{says}") as caught:
        op(x).sum().backward()  # the line
    assert "test_backward.py" in str(caught.value)
    assert x.grad is None


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize(
    ("returns", "says"),
    [
        (lambda x: None, "returned None: it returns one array"),
        (lambda x: [x, x], r"returned a list.*several=True"),
        (lambda x: (x, x), r"returned a tuple.*several=True"),
        (lambda x: "x", "returned a str"),
        (lambda x: mg.tensor(x), "returned a Tensor"),
        (lambda x: x * 1j, r"complex128.*out of scope.*real"),
        (lambda x: x.astype(object), "dtype object"),
    ],
    ids="abcdefg",
)
def test_a_hostile_forward_is_named(returns, says, tracked):
    op = mg.op(returns, lambda g, y, x: g, name="hostile")
    with pytest.raises(TypeError, match=f"the forward of `hostile` {says}" if says[0] == "r" else f"`hostile`.*{says}"):
        op(mg.tensor([1.0, 2.0], requires_grad=tracked))


@pytest.mark.parametrize(
    "returns", [lambda x: x.astype(int), lambda x: x > 0, lambda x: 3, lambda x: np.int64(3)], ids="abcd"
)
def test_whole_numbers_for_what_requires_a_gradient_are_refused(returns):
    op = mg.op(returns, lambda g, y, x: g, name="count")
    with pytest.raises(TypeError, match=r"`count` returned numbers of dtype .*astype\(x.dtype\).*detach"):
        op(leaf([1.0, 2.0]))
    assert np.shape(op(np.array([1.0, 2.0]))) == np.shape(op(mg.tensor([1.0, 2.0]))) == np.shape(returns(np.ones(2)))


@pytest.mark.parametrize("returns", [lambda x: 2.5, lambda x: np.float64(2.5), lambda x: np.array(2.5)], ids="abc")
def test_a_scalar_of_a_forward_is_an_array_without_dimensions(returns):
    y = mg.op(returns, lambda g, y, x: np.zeros_like(x), name="half")(leaf([1.0, 2.0]))
    assert y.shape == ()
    assert y.item() == 2.5


@pytest.mark.parametrize("more", [{"several": True}, {"saves": lambda x: x}], ids="ab")
def test_a_forward_that_returns_too_little_is_named(more):
    op = mg.op(lambda x: None, vjp=lambda g, y, x, **_: (x,), name="short", **more)
    with pytest.raises(TypeError, match=r"`short` of \(2,\) float64"):
        op(leaf([1.0, 2.0]))


def test_a_rule_of_another_dtype_is_cast():
    op = mg.op(lambda x: x * 1, lambda g, y, x: g.astype(np.float64), name="wide")
    x = mg.tensor([1.0], requires_grad=True, dtype=np.float32)
    op(x).sum().backward()
    assert x.grad.dtype == np.float32


# -- threads ----------------------------------------------------------------------------------


def test_threads_that_share_a_leaf_add_up():
    x = leaf(np.zeros(1000))

    def work():
        for _ in range(50):
            (x * 1.0).sum().backward(retain_graph=False)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert (x.grad == 400).all()


@pytest.mark.parametrize("answer", [lambda g: (g,), lambda g: g], ids=["one of two", "no list"])
def test_a_joint_rule_that_forgets_an_argument_raises(answer):
    x = leaf(np.ones(2))
    forgetful = mg.op(lambda a, b: a + b, vjp=lambda g, y, a, b: answer(g), name="forgetful")
    with pytest.raises(ValueError, match="`forgetful`"):
        forgetful(x, x).sum().backward()
    assert x.grad is None


def test_one_step_of_the_chain_rule_alone_keeps_each_use_apart_and_the_recorded_values():
    x = leaf([2.0, 3.0])
    y = x * x
    x.data = np.zeros(2)  # backward of the whole refuses to go on from here
    passed = pull(y, np.array([1.0, 10.0]))
    assert [(i, c.tolist()) for i, c in passed] == [(0, [2.0, 30.0]), (1, [2.0, 30.0])]
    assert x.grad is None
    with pytest.raises(RuntimeError, match="was changed after"):
        y.sum().backward()


def test_only_what_was_broadcast_is_summed_back():
    rules = (lambda g, y, a, b: g[:1], lambda g, y, a, b: g)
    bad = mg.op(lambda a, b: a + b, *rules, name="cut_short", elementwise=True)
    a, b = leaf(np.ones((1, 1))), leaf(np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"`cut_short`.*\(1, 2\)"):
        bad(a, b).sum().backward()
