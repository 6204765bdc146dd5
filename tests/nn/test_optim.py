"""Optimisers: trajectories against PyTorch's formulas written out plainly, allocation, state, bad settings."""

import copy
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn

START = np.array([[1.0, -2.0, 0.5], [3.0, 0.1, -0.7]])
Trajectory = list[np.ndarray]


def slope(x: np.ndarray, t: int) -> np.ndarray:
    """The gradient of a tilted valley that sways from step to step."""
    return np.array([[1.0, 10.0, 0.3]]) * x + np.sin(x + 0.3 * t)


def sgd(lr: float, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0) -> Any:
    def run(x: Any) -> Any:
        buffer = None
        for t in range(50):
            g = slope(x, t) + weight_decay * x
            if momentum:
                buffer = g if buffer is None else momentum * buffer + g
                g = g + momentum * buffer if nesterov else buffer
            x = x - lr * g
            yield x

    return run


def adam(
    lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8, weight_decay: float = 0.0, decoupled: bool = False
) -> Any:  # fmt: skip
    def run(x: Any) -> Any:
        m = v = 0.0
        for t in range(50):
            g = slope(x, t)
            if decoupled:
                x = x - lr * weight_decay * x
            else:
                g = g + weight_decay * x
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g**2
            x = x - lr * (m / (1 - beta1 ** (t + 1))) / (np.sqrt(v / (1 - beta2 ** (t + 1))) + eps)
            yield x

    return run


def rmsprop(
    lr: float, alpha: float = 0.99, eps: float = 1e-8, momentum: float = 0.0, centered: bool = False, weight_decay: float = 0.0
) -> Any:  # fmt: skip
    def run(x: Any) -> Any:
        v = mean = buffer = 0.0
        for t in range(50):
            g = slope(x, t) + weight_decay * x
            v = alpha * v + (1 - alpha) * g**2
            mean = alpha * mean + (1 - alpha) * g
            root = np.sqrt(v - mean**2 if centered else v) + eps
            buffer = momentum * buffer + g / root
            x = x - lr * buffer
            yield x

    return run


RULES: list[tuple[Any, Any, dict[str, Any]]] = [
    (nn.SGD, sgd, {"lr": 0.05}),
    (nn.SGD, sgd, {"lr": 0.05, "weight_decay": 0.1}),
    (nn.SGD, sgd, {"lr": 0.02, "momentum": 0.9}),
    (nn.SGD, sgd, {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (nn.Adam, adam, {"lr": 0.05}),
    (nn.Adam, adam, {"lr": 0.05, "beta1": 0.8, "beta2": 0.95, "eps": 1e-3, "weight_decay": 0.1}),
    (nn.RMSprop, rmsprop, {"lr": 0.02}),
    (nn.RMSprop, rmsprop, {"lr": 0.02, "alpha": 0.9, "momentum": 0.5, "centered": True, "weight_decay": 0.1}),
]
ALL = [*RULES, (nn.AdamW, lambda **kw: adam(**kw, decoupled=True), {"lr": 0.05, "weight_decay": 0.1})]
IDS = [f"{rule.__name__} {i}" for i, (rule, _, _) in enumerate(ALL)]


def advance(optimizer: nn.Optimizer, x: mg.Tensor, steps: range) -> Trajectory:
    passed = []
    for t in steps:
        x.grad = slope(x.data, t)
        optimizer.step()
        passed.append(x.data.copy())
    return passed


@pytest.mark.parametrize(("rule", "formula", "settings"), ALL, ids=IDS)
def test_fifty_steps_follow_the_formula(rule: Any, formula: Any, settings: Any) -> None:
    x = mg.tensor(START, requires_grad=True)
    array = x.data
    passed = advance(rule([x], **settings), x, range(50))
    for mine, expected in zip(passed, formula(**settings)(START), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-12, atol=1e-12)
    assert x.data is array, "updates are in place"


@pytest.mark.parametrize(("rule", "formula", "settings"), ALL, ids=IDS)
def test_a_resumed_optimiser_goes_on_exactly(rule: Any, formula: Any, settings: Any) -> None:
    x = mg.tensor(START, requires_grad=True)
    first = rule([x], **settings)
    advance(first, x, range(20))
    y = mg.tensor(x.data, requires_grad=True)
    second = rule([y], lr=1.0)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for a, b in zip(advance(first, x, range(20, 30)), advance(second, y, range(20, 30)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("rule", "formula", "settings"), ALL, ids=IDS)
def test_a_step_allocates_no_arrays_and_keeps_float32(rule: Any, formula: Any, settings: Any) -> None:
    x = mg.tensor(np.ones((100, 100)), requires_grad=True, dtype=np.float32)
    x.grad = np.full((100, 100), 0.1)
    optimizer = rule([x], **settings)
    optimizer.step()
    tracemalloc.start()
    optimizer.step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000, "an array of the parameter's size has 40,000 bytes"
    kept = optimizer.state_dict()["state"][0]
    assert all(v.dtype == np.float32 for v in [x.data, *kept.values()] if isinstance(v, np.ndarray))


def test_groups_have_settings_of_their_own() -> None:
    a, b = mg.tensor([1.0], requires_grad=True), mg.tensor([1.0, 1.0], requires_grad=True)
    optimizer = nn.SGD([{"params": [a]}, {"params": [b], "lr": 0.5, "weight_decay": 1.0}], lr=0.1)
    a.grad, b.grad = [1.0], [1.0, 0.0]
    optimizer.step()
    assert (a.data.tolist(), b.data.tolist()) == ([0.9], [0.0, 0.5])
    optimizer.zero_grad()
    assert a.grad is b.grad is None


def test_parameters_of_all_shapes_and_those_without_gradient() -> None:
    ps = [mg.tensor(np.ones(shape), requires_grad=True) for shape in [(), (0,), (2, 3)]]
    optimizer = nn.Adam(ps, lr=0.1)
    (ps[0] * 2 + ps[1].sum()).backward()
    optimizer.step()
    assert ps[0].item() == pytest.approx(0.9)
    assert (ps[2].data == 1).all()
    assert [s["step"] for s in optimizer.state_dict()["state"]] == [1, 1, 0]


def test_a_step_counts_as_a_change() -> None:
    x = mg.tensor([1.0], requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    nn.SGD([x], lr=0.1).step()
    with pytest.raises(RuntimeError, match="changed after it was used"):
        loss.backward()


X = mg.tensor([1.0], requires_grad=True, name="W")


@pytest.mark.parametrize(
    ("act", "kind", "text"),
    [
        (lambda: nn.SGD([X], lr=0), ValueError, r"lr=0, expected a number in \(0, inf\)"),
        (lambda: nn.SGD([X], lr=-0.1), ValueError, "lr=-0.1"),
        (lambda: nn.Adam([X], lr=math.nan), ValueError, "lr=nan"),
        (lambda: nn.Adam([X], lr=math.inf), ValueError, "lr=inf"),
        (lambda: nn.SGD([X], lr="0.1"), TypeError, "lr='0.1' is str, expected a number"),
        (lambda: nn.SGD([X], lr=True), TypeError, "lr=True"),
        (lambda: nn.SGD([X], lr=0.1, momentum=-1), ValueError, "momentum=-1"),
        (lambda: nn.SGD([X], lr=0.1, nesterov=True), ValueError, "without momentum"),
        (lambda: nn.Adam([X], beta1=1), ValueError, r"beta1=1, expected a number in \[0, 1\)"),
        (lambda: nn.SGD([{"lr": 0.1}], lr=0.1), TypeError, r"a group is \{'lr': 0.1\}, expected"),
        (lambda: nn.SGD([{"params": X}], lr=0.1), TypeError, "a group is"),
        (lambda: nn.SGD([], lr=0.1), ValueError, "the list is empty"),
        (lambda: nn.SGD([X, X], lr=0.1), ValueError, r"parameter 1 \(W\) is given twice"),
        (lambda: nn.SGD([{"params": [X]}, {"params": [X]}], lr=0.1), ValueError, "given twice"),
        (lambda: nn.SGD(nn.Dense(2, 2), lr=0.1), TypeError, r"pass model.parameters\(\)"),
        (lambda: nn.SGD([np.ones(2)], lr=0.1), TypeError, "parameter 0 is ndarray"),
        (lambda: nn.SGD([X * 2], lr=0.1), ValueError, "parameter 0 is the result of `multiply`"),
        (lambda: nn.SGD([mg.tensor([1, 2])], lr=0.1), ValueError, "parameter 0 is of dtype int64"),
        (lambda: nn.SGD([{"params": [X], "learning": 1}], lr=0.1), TypeError, "'learning' is no setting"),
        (lambda: nn.SGD(None, lr=0.1), TypeError, "not a NoneType"),
        (
            lambda: nn.clip_grad_norm(X, 1.0),
            TypeError,
            r"expected a list of tensors, not a Tensor: pass model.parameters\(\)",
        ),
        (lambda: nn.clip_grad_value(nn.Dense(2, 2), 1.0), TypeError, "expected a list of tensors, not a Dense"),
        (lambda: nn.clip_grad_norm([X], "1"), TypeError, "limit='1'"),
        (lambda: nn.clip_grad_norm([X], math.nan), ValueError, "limit=nan"),
        (lambda: nn.SGD([X], lr=0.1).load_state_dict({}), ValueError, "expected what state_dict"),
        (lambda: nn.SGD([X], lr=0.1).load_state_dict(None), ValueError, "NoneType without param_groups"),
        (
            lambda: nn.SGD([mg.astensor(np.broadcast_to(1.0, 3))], lr=0.1),
            ValueError,
            r"parameter 0 \(\(3,\)\) is a read-only",
        ),
        (lambda: nn.clip_grad_norm([X], 0), ValueError, "limit=0"),
        (lambda: nn.clip_grad_value([X], -1), ValueError, "limit=-1"),
    ],
)
def test_bad_settings_are_named(act: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        act()


def test_foreign_state_is_refused_whole() -> None:
    x, y = (mg.tensor(np.ones(n), requires_grad=True) for n in (2, 3))
    one, other = nn.Adam([x], lr=0.1), nn.Adam([y], lr=0.2)
    x.grad = [1.0, 1.0]
    one.step()
    with pytest.raises(ValueError, match=r"first: \(2,\) given, \(3,\) expected"):
        other.load_state_dict(one.state_dict())
    with pytest.raises(ValueError, match="setting beta1 is of another optimiser"):
        nn.SGD([x], lr=0.1).load_state_dict(one.state_dict())
    with pytest.raises(ValueError, match=r"groups of \[1\] parameters"):
        nn.Adam([x, y]).load_state_dict(one.state_dict())
    assert other.param_groups[0]["lr"] == 0.2
    state = one.state_dict()
    state["param_groups"][0]["lr"] = 0.0  # where a cosine ends
    one.load_state_dict(state)
    state["param_groups"][0] |= {"lr": 0.5, "beta1": math.nan}
    with pytest.raises(ValueError, match="beta1=nan"):
        one.load_state_dict(state)
    assert one.param_groups[0]["lr"] == 0.0


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"step": -3}, ValueError, "step=-3, expected a whole number from 0 on"),
        ({"step": 1.5}, ValueError, "step=1.5"),
        ({"step": None}, TypeError, "step=None"),
        ({"first": np.array(["1", "2"])}, TypeError, "dtype <U1"),
        (None, ValueError, r"of groups of \[1\] parameters, and of 0 in all"),
    ],
)
def test_no_half_of_a_state_is_loaded(change: Any, kind: type[Exception], text: str) -> None:
    x = mg.tensor(np.ones(2), requires_grad=True)
    optimizer = nn.Adam([x], lr=0.1)
    x.grad = [1.0, 1.0]
    optimizer.step()
    before, state = optimizer.state_dict(), optimizer.state_dict()
    state["param_groups"][0]["lr"] = 0.7
    state["state"] = [] if change is None else [state["state"][0] | change]
    with pytest.raises(kind, match=text):
        optimizer.load_state_dict(state)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    assert after["state"][0]["step"] == 1
    np.testing.assert_array_equal(after["state"][0]["first"], before["state"][0]["first"])


def test_what_an_own_optimiser_remembers_has_to_be_named() -> None:
    class Heavy(nn.Optimizer):
        def update(self, x: Any, g: Any, state: Any, group: Any) -> None:
            state["speed"] = 0.9 * state.get("speed", 0) + g
            x -= group["lr"] * state["speed"]

    class Named(Heavy):
        keeps = ("speed",)

    x = mg.tensor([1.0], requires_grad=True)
    for rule in (Heavy, Named):
        optimizer = rule([x], lr=0.1)
        x.grad = [1.0]
        optimizer.step()
        if rule is Heavy:
            with pytest.raises(
                ValueError, match=r"Heavy remembers speed, which would be lost: .* keeps = \('speed',\)"
            ):
                optimizer.state_dict()
    assert optimizer.state_dict()["state"][0]["speed"].tolist() == [1.0]


def test_clipping() -> None:
    a, b, c = (mg.tensor(np.zeros(2), requires_grad=True) for _ in range(3))
    a.grad, b.grad = [3.0, 0.0], [0.0, -4.0]
    assert nn.clip_grad_norm([a, b, c], 10.0) == 5
    assert a.grad.tolist() == [3, 0]
    assert nn.clip_grad_norm([a, b, c], 2.5) == 5
    np.testing.assert_allclose([a.grad, b.grad], [[1.5, 0], [0, -2]], rtol=1e-6)
    nn.clip_grad_value([a, b, c], 1.0)
    np.testing.assert_allclose([a.grad, b.grad], [[1, 0], [0, -1]])
    assert c.grad is None


@pytest.mark.parametrize(("dtype", "large"), [(np.float32, 1e30), (np.float64, 1e200)])
def test_gradients_whose_squares_overflow_are_clipped_too(dtype: Any, large: float) -> None:
    a = mg.tensor(np.zeros(2), requires_grad=True, dtype=dtype)
    a.grad = [3 * large, -4 * large]
    assert nn.clip_grad_norm([a], 1.0) == pytest.approx(5 * large)
    np.testing.assert_allclose(a.grad, [0.6, -0.8], rtol=1e-6)


@pytest.mark.parametrize("make", [nn.SGD, nn.Adam, nn.AdamW, nn.RMSprop])
def test_parameters_of_no_size_are_stepped_over_and_those_of_no_axes_stepped(make: Any) -> None:
    nothing, number = (mg.tensor(a, requires_grad=True) for a in (np.zeros((0, 3)), np.array(2.0)))
    optimizer = make([nothing, number], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        ((nothing * 2).sum() + number * number).backward()
        optimizer.step()
    assert nothing.shape == (0, 3)
    assert number.item() < 2.0
