"""Replays: the numbers of an eager pass to the last bit, on other arrays; readable programs; what they refuse."""

import gc
import unicodedata
import weakref

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn

RNG = np.random.default_rng(0)


def leaf(values, name=None):
    return mg.tensor(values, requires_grad=True, name=name)


def same(a, b):
    assert type(a) is type(b) is np.ndarray
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    np.testing.assert_array_equal(a, b)


def eager_and_replayed(result, leaves, inputs=(), arrays=None):
    """Value and gradients of `backward`, and of a replay on `arrays`, by default those that were recorded."""
    for x in leaves:
        x.grad = None
    replay = mg.Replay(result, inputs)
    result.backward()
    found = []
    for x in leaves:
        found.append(None if x.grad is None else x.grad.copy())
        x.grad = None
    (value,) = replay(*(inputs if arrays is None else arrays))
    return (result.data, found), (value, [x.grad for x in leaves]), replay


OPS = {name: op for name, op in sorted(mg.OPS.items()) if op.samples and op.module.startswith("microgradnd")}


@pytest.mark.parametrize("name", OPS)
def test_every_op_replays_to_the_last_bit(name):
    op = OPS[name]
    for sample in op.samples(np.random.default_rng(0)):
        args = [
            leaf(x) if i not in op.blocked and np.asarray(x).dtype.kind == "f" else x for i, x in enumerate(sample.args)
        ]
        with np.errstate(all="ignore"):
            y = op(*args, **sample.options)
            parts = [part for part in (y if isinstance(y, tuple) else (y,)) if isinstance(part, mg.Tensor)]
            result = sum(np.sum(part * RNG.normal(size=part.shape)) for part in parts if part.requires_grad)
            if not isinstance(result, mg.Tensor):
                continue  # nothing is recorded
            leaves = [x for x in args if isinstance(x, mg.Tensor)]
            (value, gradients), (again, replayed), _ = eager_and_replayed(result, leaves)
        same(value, again)
        for a, b in zip(gradients, replayed, strict=True):
            assert (a is None) == (b is None)
            if a is not None:
                same(a, b)


def graphs():
    x, y = leaf([0.3, -0.7, 1.1]), leaf(2.0)
    yield "diamond", np.sum((x * x + x) * np.tanh(x) * x), [x]
    yield "scalars", y * y + 3 * y, [y]
    W, row = leaf(RNG.normal(size=(4, 3))), leaf(RNG.normal(size=(1, 3)))
    yield "broadcasting", np.mean((W + row) * row[0] * y), [W, row, y]
    half = leaf(np.float32([1.5, 2.5]))
    yield "dtypes", np.sum(half * np.float64(1.1) * leaf([0.1, 0.2])) + np.sum(half), [half]
    yield "pieces", np.sum(np.concatenate([x, x[::-1]]) * np.split(np.sin(W).ravel(), 2)[1]), [x, W]
    yield "decomposed", np.sum(np.linalg.svd(W, full_matrices=False)[0] * np.ones((4, 3))), [W]


@pytest.mark.parametrize(("name", "result", "leaves"), list(graphs()), ids=[name for name, *_ in graphs()])
def test_a_graph_replays_to_the_last_bit(name, result, leaves):
    (value, gradients), (again, replayed), _ = eager_and_replayed(result, leaves)
    same(value, again)
    for a, b in zip(gradients, replayed, strict=True):
        same(a, b)


def test_other_arrays_and_changed_parameters_give_what_they_give_eagerly():
    model = nn.MLP([3, 5, 4], activation="tanh", seed=0)
    X, t = RNG.normal(size=(6, 3)), RNG.integers(0, 4, 6)
    output = model(X)
    replay = mg.Replay(nn.cross_entropy(output, t), (X, t), (output,))
    assert replay.constants == []
    for _ in range(3):
        X, t = RNG.normal(size=(6, 3)), RNG.integers(0, 4, 6)
        for p in model.parameters():
            p.data -= 0.1 * RNG.normal(size=p.shape)
            p.touch()
        model.zero_grad()
        value, logits = replay(X, t)
        found = [p.grad for p in model.parameters()]
        model.zero_grad()
        output = model(X)
        loss = nn.cross_entropy(output, t)
        loss.backward()
        same(value, loss.data)
        same(logits, output.data)
        for p, g in zip(model.parameters(), found, strict=True):
            same(p.grad, g)


def test_gradients_add_up_and_each_leaf_owns_its_array():
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    replay = mg.Replay(np.sum(a + b), ())
    replay()
    assert not np.shares_memory(a.grad, b.grad)
    a.grad *= 5
    replay()
    np.testing.assert_array_equal(a.grad, [6.0, 6.0])
    np.testing.assert_array_equal(b.grad, [2.0, 2.0])


def test_what_is_done_with_is_let_go_and_the_graph_is_not_kept():
    x = leaf(np.ones(3))
    y = np.tanh(x)
    kept = weakref.ref(y)
    replay = mg.Replay(np.sum(y * 2), ())
    assert "del dv2, v2" in replay.source
    del y
    gc.collect()
    assert kept() is None
    replay()
    np.testing.assert_allclose(x.grad, 2 / np.cosh(1) ** 2)


@pytest.mark.parametrize(
    "name", ["x0", "v1", "dv1", "dx0", "leaves", "one", "sum", "class", "__debug__", "my w", "ü", "ﬁ", "4", "", None]
)
def test_names_never_clash(name):
    w, other = leaf([1.0, 2.0], name), leaf([3.0, 4.0], name and unicodedata.normalize("NFKC", name))
    X = np.array([0.5, 0.25])
    replay = mg.Replay(np.sum(np.sum(w * X) * other * w), [X])
    assert replay.source.count("def ") == 1
    replay(X)
    np.testing.assert_array_equal(other.grad, w.data)  # w · X is 1
    np.testing.assert_array_equal(w.grad, other.data + X * np.dot(other.data, w.data))


def test_what_else_went_in_is_told():
    x, frozen, mask = leaf([1.0, 2.0]), mg.tensor([2.0, 3.0]), np.array([1.0, 0.0])
    rows = np.array([1, 0, 1])
    replay = mg.Replay(np.sum((x * frozen * mask)[rows]), ())
    assert len(replay.constants) == 3
    for constant in (frozen, mask, rows):
        assert any(np.array_equal(constant, c) for c in replay.constants)
    frozen.data[:] = 10.0  # a tensor's data are looked at when it runs
    replay()
    np.testing.assert_array_equal(x.grad, [10.0, 0.0])


def test_options_are_written_as_they_were():
    x = leaf(np.arange(12.0).reshape(3, 4))
    picked = x[[0, 2], 1] * x[1, None, ..., :2] + np.sum(x, axis=(0, 1), keepdims=True) * x[-1, ::-2]
    (value, gradients), (again, replayed), replay = eager_and_replayed(np.sum(np.minimum(picked, float("inf"))), [x])
    same(value, again)
    same(gradients[0], replayed[0])
    assert "axis=(0, 1), keepdims=True" in replay.source


def test_a_joint_rule_and_a_checkpoint_replay():
    x, w = leaf([0.3, 0.4]), leaf(1.5)
    layer = mg.checkpoint(lambda x: np.tanh(x * w))
    (value, gradients), (again, replayed), _ = eager_and_replayed(np.sum(layer(x)), [x, w])
    same(value, again)
    for a, b in zip(gradients, replayed, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-15)


def recorded():
    x, X = leaf([1.0, 2.0]), np.array([3.0, 4.0])
    return np.sum(x * X), X


def doubled_and_its_data():
    x = leaf(1.0)
    return x * 2, [x.data]


def replay_of_recorded():
    y, X = recorded()
    return mg.Replay(y, [X])


def freed():
    y, X = recorded()
    y.backward(retain_graph=False)
    return y, X


REFUSED = [
    (lambda: mg.Replay(np.sum(leaf([1.0])), [np.ones(2)]), ValueError, "input 0 played no part.*give the very arrays"),
    (lambda: mg.Replay(*doubled_and_its_data()), ValueError, "input 0 played no part"),
    (lambda: mg.Replay(mg.tensor(1.0), ()), TypeError, "a replay is of recorded tensors, got .*tensor of shape"),
    (lambda: mg.Replay(3.0, ()), TypeError, "a replay is of recorded tensors, got 3.0"),
    (lambda: mg.Replay(leaf([1.0, 2.0]) * 2, ()), RuntimeError, "backward starts from one number"),
    (lambda: mg.Replay(recorded()[0], (), [leaf(1.0) * 2]), ValueError, "no part of what the result was computed from"),
    (lambda: mg.Replay(freed()[0], ()), RuntimeError, "was freed by an earlier backward"),
    (lambda: replay_of_recorded()(np.ones(3)), ValueError, r"array 0 has shape \(3,\)"),
    (lambda: replay_of_recorded()(np.ones(2, int)), ValueError, "dtype int64, but .*float64"),
    (lambda: replay_of_recorded()(), TypeError, "takes 1 arrays, got 0"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "match"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_replayed_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_data_changed_since_are_refused_and_debug_has_its_say():
    x = leaf([1.0, 2.0])
    y = np.sum(x * x)
    replay = mg.Replay(y, ())
    x.data = [3.0, 4.0]
    with pytest.raises(RuntimeError, match="was changed after it was used"):
        mg.Replay(y, ())
    with mg.debug(), pytest.raises(RuntimeError, match="compute eagerly inside of it"):
        replay()
    assert x.grad is None
    replay()
    np.testing.assert_array_equal(x.grad, [6.0, 8.0])
