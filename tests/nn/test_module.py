"""Modules: what belongs to them, how state goes in and out, how they look, what goes wrong."""

import collections
import copy
import functools
import pickle
import sys
import traceback
from typing import Any

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn


class Everywhere(nn.Module):
    """Parts and parameters in all the places one may put them, without super().__init__()."""

    def __init__(self) -> None:
        self.scale = mg.tensor(2.0, requires_grad=True)
        self.blocks = [nn.Dense(2, 2, seed=0), (nn.Dense(2, 2, seed=1), {"deep": nn.Dense(2, 2, seed=2)})]
        self.by_name = {"a": nn.Dense(2, 1, seed=3), "free": mg.tensor([1.0], requires_grad=True)}
        self.count = np.zeros(3)
        self.note = "no part"

    def forward(self, x: Any) -> Any:
        for block in (self.blocks[0], self.blocks[1][0], self.blocks[1][1]["deep"], self.by_name["a"]):
            x = block(x)
        self.last = x * self.scale
        return self.last


def test_parts_are_found_in_lists_tuples_and_dicts_in_the_order_of_assignment() -> None:
    model = Everywhere()
    model(np.ones((1, 2)))
    assert [name for name, _ in model.named_parameters()] == [
        "scale",
        *(f"blocks.{place}.{p}" for place in ("0", "1.0", "1.1.deep") for p in "Wb"),
        "by_name.a.W",
        "by_name.a.b",
        "by_name.free",
    ], "a result kept as an attribute is no parameter"
    assert [name for name, _ in model.named_buffers()] == ["count"]


def test_shared_parts_and_tied_tensors_count_once() -> None:
    shared = nn.Dense(2, 2, seed=0)
    model = nn.Sequential(shared, nn.tanh, shared)
    assert len(model.parameters()) == 2
    assert list(model.state_dict()) == ["layers.0.W", "layers.0.b"]
    (model(np.ones((1, 2))) ** 2).sum().backward()
    assert shared.W.grad is not None
    model.zero_grad()
    assert shared.W.grad is None


def test_frozen_parameters_remain_parameters() -> None:
    model = nn.MLP([2, 2, 1], seed=0)
    model.layers[0].W.requires_grad = False
    assert len(model.parameters()) == 4
    model(np.ones((1, 2))).sum().backward()
    assert model.layers[0].W.grad is None


def test_a_module_that_contains_itself_is_an_error() -> None:
    model = nn.Sequential(nn.Dense(2, 2))
    model.layers.append(model)
    with pytest.raises(ValueError, match="contains itself"):
        model.parameters()
    assert "..." in repr(model)
    holder = nn.Module()
    holder.parts = []
    holder.parts.append(holder.parts)
    with pytest.raises(ValueError, match=r"parts\.0 contains itself"):
        holder.parameters()


def test_train_and_eval_reach_every_part() -> None:
    model = nn.Sequential(nn.Residual(nn.Dropout(0.5)), nn.BatchNorm(2))
    assert model.eval() is model
    assert not any(m.training for m in model.modules())
    assert all(m.training for m in model.train().modules())


def test_attributes_may_have_awkward_names() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            self.data = mg.tensor([1.0, 2.0], requires_grad=True)
            self.grad = mg.tensor([3.0, 4.0], requires_grad=True)
            self.forward = lambda x: x * self.data * self.grad  # type: ignore[method-assign]

    model = Odd()
    model(np.ones(2)).sum().backward()
    assert model.data.grad.tolist() == [3.0, 4.0]
    del model.grad
    assert [name for name, _ in model.named_parameters()] == ["data"]


def test_forgetting_super_init_says_so() -> None:
    class Mine(nn.Dense):
        def __init__(self) -> None:
            pass

    with pytest.raises(AttributeError, match=r"does it call super\(\).__init__"):
        Mine()(np.ones((1, 2)))
    with pytest.raises(AttributeError) as caught:
        _ = nn.MLP([2, 2]).layer
    assert caught.value.name == "layer"  # what Python's own hint, in the traceback, is made of
    if sys.version_info >= (3, 12):
        assert "Did you mean: 'layers'" in "".join(traceback.format_exception(caught.value))
    with pytest.raises(NotImplementedError, match="define forward"):
        nn.Module()(1)


def test_state_goes_round_and_shares_no_memory() -> None:
    one, two = (nn.Sequential(nn.Dense(3, 2, seed=s), nn.BatchNorm(2)) for s in (0, 1))
    one(np.random.default_rng(0).normal(size=(4, 3)))
    state = one.state_dict()
    two.load_state_dict(state)
    x = np.ones((2, 3))
    np.testing.assert_array_equal(one.eval()(x).data, two.eval()(x).data)
    state["layers.0.W"][:] = np.nan
    assert np.isfinite(one.layers[0].W.data).all()
    assert np.isfinite(two.layers[0].W.data).all()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.ma.masked_array(np.ones((3, 2)), np.eye(3, 2)), "layers.0.W: .* mask"),
        ([[1, 2], [3]], "layers.0.W: this data is no array of numbers"),
        (None, "layers.0.W: .* dtype object"),
        (np.full((3, 2), 1e300), "dtype of layers.0.W: its float64 numbers overflow float32"),
        (np.ones((3, 2), complex), "dtype of layers.0.W: complex128 given"),
    ],
)
def test_what_would_be_loaded_wrongly_is_listed_too(value: Any, text: str) -> None:
    model = nn.MLP([3, 2], seed=0, dtype=np.float32)
    before = model.state_dict()
    with pytest.raises(ValueError, match=rf"nothing was loaded:\n  {text}.*\n  missing: layers.0.b|{text}"):
        model.load_state_dict({"layers.0.W": value, "layers.0.b": np.ones(2)})
    assert all((before[name] == array).all() for name, array in model.state_dict().items())
    infinite = {"layers.0.W": np.full((3, 2), np.inf), "layers.0.b": np.zeros(2)}
    model.load_state_dict(infinite)  # an infinity is no overflow
    assert np.isinf(model.layers[0].W.data).all()


@pytest.mark.parametrize(
    "parts",
    [
        {1: nn.Dense(2, 2), "1": nn.Dense(2, 2)},
        {"b": {"c": nn.Dense(2, 2)}, "b.c": nn.Dense(2, 2)},
    ],
    ids=["1 and '1'", "a dot in a key"],
)
def test_two_parts_of_one_name_would_overwrite_each_other(parts: Any) -> None:
    model = nn.Module()
    model.parts = parts
    with pytest.raises(ValueError, match="two parts are called 'parts"):
        model.state_dict()


@pytest.mark.parametrize(
    "kept",
    [
        {nn.Dense(2, 2)},
        collections.deque([nn.Dense(2, 2)]),
        np.array([nn.Dense(2, 2)], dtype=object),
        functools.partial(nn.MultiHeadAttention(2, 1), mask=np.ones((2, 2), bool)),
        functools.partial(nn.leaky_relu, slope=mg.tensor(0.1, requires_grad=True)),
        mg.checkpoint(nn.Dense(2, 2)),
    ],
    ids=["set", "deque", "ndarray", "partial", "argument", "checkpoint"],
)
def test_parts_are_never_passed_over_in_silence(kept: Any) -> None:
    model = nn.Module()
    model.parts = [kept]
    for ask in (model.parameters, model.state_dict, model.eval):
        with pytest.raises(
            TypeError, match=r"parts.0 keeps a \w+ in a \w+, where it would not be found: keep it as an"
        ):
            ask()
    if isinstance(kept, set | collections.deque | np.ndarray):
        model.named = next(iter(kept))
        assert len(model.parameters()) == 2, "what is found elsewhere may be held there too"
        del model.named
    model.parts = [{1, 2}, collections.deque([nn.Dense(2, 1)(np.ones((1, 2)))])]  # numbers and results may be anywhere
    assert model.parameters() == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [("dense", "; did you mean 'Dense'?"), ("ReLU", "; did you mean 'relu'?"), ("MSELoss", "; did you mean 'mse_loss'?"),
     ("MultiheadAttention", "; did you mean 'MultiHeadAttention'?"), ("_private", ""), ("xyz", "")],
)  # fmt: skip
def test_a_name_that_is_not_there_is_told_with_one_that_is(name: str, hint: str) -> None:
    with pytest.raises(AttributeError) as error:
        getattr(nn, name)
    assert str(error.value) == f"module 'microgradnd.nn' has no attribute {name!r}{hint}"


def test_an_error_inside_a_property_is_told() -> None:
    class Net(nn.Module):
        @property
        def width(self) -> int:
            return int(self.dense.n_inn)

        def __init__(self) -> None:
            self.dense = nn.Dense(2, 3)

    with pytest.raises(AttributeError, match="'Dense' object has no attribute 'n_inn'"):
        _ = Net().width


def test_loading_lists_everything_wrong_and_loads_nothing() -> None:
    model = nn.MLP([3, 2, 1], seed=0)
    before = model.state_dict()
    state = model.state_dict() | {
        "layers.0.W": np.ones((2, 2)),
        "layers.1.b": np.array(["a"]),
        "layers.1.w": np.ones(1),
    }
    del state["layers.0.b"]
    with pytest.raises(ValueError, match="nothing was loaded") as error:
        model.load_state_dict(state)
    for part in (
        "missing: layers.0.b (2,)",
        "unexpected: layers.1.w (1,); did you mean 'layers.1.W'?",
        "shape of layers.0.W: (2, 2) given, (3, 2) expected",
        "dtype of layers.1.b: <U1 given, float64 expected",
    ):
        assert part in str(error.value)
    assert all((before[name] == value).all() for name, value in model.state_dict().items())


def test_a_state_is_a_mapping() -> None:
    with pytest.raises(TypeError, match="the state is NoneType, expected arrays by name"):
        nn.Dense(2, 2).load_state_dict(None)  # type: ignore[arg-type]


def test_loading_casts_floats_and_counts_as_a_change() -> None:
    model = nn.Dense(2, 1, seed=0)
    loss = (model(np.ones((1, 2))) ** 2).sum()
    model.load_state_dict({name: v.astype(np.float32) + 1 for name, v in model.state_dict().items()})
    assert model.W.dtype == np.float64
    with pytest.raises(RuntimeError, match="changed after it was used"):
        loss.backward()


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_of_a_model_compute_the_same_and_share_nothing(clone: Any) -> None:
    model = nn.Sequential(
        nn.Dense(3, 4, nn.relu, seed=0), nn.Residual(nn.Dense(4, 4, "gelu", seed=1)), nn.tanh, nn.Dropout(0.5, seed=2)
    )
    x = np.ones((2, 3))
    model(x)
    twin = clone(model.eval())
    np.testing.assert_array_equal(model(x).data, twin(x).data)
    twin.layers[0].W.data[:] = 0
    twin.layers[0].W.touch()
    assert model.layers[0].W.data.any()


def test_a_model_that_keeps_a_result_can_be_copied() -> None:
    class Keeping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.last = nn.Dense(3, 2, seed=0), None

        def forward(self, x: Any) -> Any:
            self.last = self.dense(x)
            return self.last

    model = Keeping()
    model(np.ones((2, 3)))
    twin = copy.deepcopy(model)
    np.testing.assert_array_equal(twin.last.data, model.last.data)
    assert twin.last.op is None
    twin(np.ones((2, 3))).sum().backward()
    assert model.dense.W.grad is None


def test_what_is_recorded_is_grouped_by_place_and_reported_at_the_users_line() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            self.hidden = nn.Dense(2, 2, seed=0)

        def forward(self, x: Any) -> Any:
            return self.hidden(x) * 2  # here

    y = Net()(np.ones((1, 2)))
    assert y.scope.path == "Net"
    inner = y.inputs[0]
    assert inner.scope.path == "Net.hidden (Dense)"
    assert inner.site.endswith("# here")


def test_the_structure_is_printed() -> None:
    slope = functools.partial(nn.leaky_relu, slope=0.3)
    model = nn.Sequential(
        nn.Dense(4, 3, "relu", bias=False), slope, np.tanh, nn.Residual(nn.Dense(3, 3, slope), nn.relu)
    )
    assert repr(model) == (
        "Sequential(\n"
        "  layers.0: Dense(4, 3, activation='relu', bias=False)\n"
        "  layers.1: partial(leaky_relu, slope=0.3)\n"
        "  layers.2: tanh\n"
        "  layers.3: Residual(\n"
        "    layers.0: Dense(3, 3, activation=partial(leaky_relu, slope=0.3))\n"
        "    layers.1: relu\n"
        "  )\n"
        ")"
    )
    assert repr(nn.Sequential()) == "Sequential()"
    assert repr(nn.Conv2d(1, 2, 3, padding=1)) == "Conv2d(1, 2, (3, 3), padding=(1, 1))"
    del model.layers
    assert repr(model) == "Sequential()"


def test_arguments_that_compare_element_by_element_are_printed_too() -> None:
    class Frame:
        def __ne__(self, other: object) -> Any:
            return np.array([True, False])

        def __repr__(self) -> str:
            return "a frame"

    class Net(nn.Module):
        def __init__(self, table: Any = None) -> None:
            self.table = table

    assert repr(Net(Frame())) == "Net(table=a frame)"
    assert repr(Net((np.ones(2), 3))) == "Net(table=(array([1., 1.]), 3))"
    assert repr(Net()) == "Net()"


def test_sizes_come_from_the_first_batch() -> None:
    model = nn.Sequential(
        nn.Conv2d(None, 2, 3, "relu", seed=0), nn.BatchNorm(), nn.Flatten(), nn.Dense(None, 4, seed=1), nn.LayerNorm()
    )
    with pytest.raises(RuntimeError, match=r"run the model once, model\(X\[:1\]\)"):
        model.parameters()
    assert model(np.ones((2, 3, 5, 5))).shape == (2, 4)
    assert [tuple(p.shape) for p in model.parameters()][:2] == [(2, 3, 3, 3), (2,)]
    assert model.layers[3].n_in == 2 * 3 * 3


def test_ops_travel_by_name() -> None:
    assert pickle.loads(pickle.dumps(nn.relu)) is copy.deepcopy(nn.relu) is nn.relu
    mine = mg.op(np.cos, lambda g, y, x: -g * np.sin(x), name="my_cosine")
    sent = pickle.dumps(mine)
    del mine
    with pytest.raises(LookupError, match="op `my_cosine` isn't defined here"):
        pickle.loads(sent)
