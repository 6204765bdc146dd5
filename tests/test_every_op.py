"""Every op of the registry on the inputs it brings: values, rules at orders 1 and 2, linearity, dtypes, layouts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import microgradnd as mg
import microgradnd.nn
from microgradnd.core import Node

OPS = {name: op for name, op in sorted(mg.OPS.items()) if op.module.startswith("microgradnd.")}  # not those of tests
SAMPLES = {name: list(op.samples(np.random.default_rng(7))) if op.samples else [] for name, op in OPS.items()}
CASES = [pytest.param(name, i, id=f"{name}-{i}") for name in OPS for i in range(len(SAMPLES[name]))]
# A surrogate's rule is deliberately not the derivative, so numbers can't confirm it.
TRUE_CASES = [case for case in CASES if not OPS[case.values[0]].surrogate]


class Case:
    """One op at one of its samples, with random cotangents and directions."""

    def __init__(self, name: str, index: int, dtype: Any = np.float64) -> None:
        self.op = OPS[name]
        args, self.options = SAMPLES[name][index]
        self.rng = np.random.default_rng(index)
        self.args = [self.cast(a, dtype) for a in args]
        self.wrt = [
            i
            for i, a in enumerate(self.args)
            if isinstance(a, np.ndarray) and a.dtype.kind == "f" and (self.op.joint or self.op.vjps[i])
        ]

    @staticmethod
    def cast(a: Any, dtype: Any) -> Any:
        return a.astype(dtype) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a

    def call(self, xs: list[Any]) -> Any:
        """The op, its several outputs joined into one array or tensor."""
        return (
            join(self.op(*self.place(xs), **self.options))
            if self.op.several
            else self.op(*self.place(xs), **self.options)
        )

    def place(self, xs: list[Any]) -> list[Any]:
        args = list(self.args)
        for i, x in zip(self.wrt, xs, strict=True):
            args[i] = x
        return args

    def inputs(self) -> list[np.ndarray]:
        return [self.args[i] for i in self.wrt]

    def cotangent(self) -> np.ndarray:
        y = np.asarray(self.call(self.inputs()))
        return self.away_from_zero(y.shape).astype(y.dtype)

    def directions(self) -> list[np.ndarray]:
        return [self.away_from_zero(x.shape).astype(x.dtype) for x in self.inputs()]

    def away_from_zero(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.asarray(self.rng.uniform(0.5, 1.5, shape) * self.rng.choice([-1, 1], shape))

    def pull(self, xs: list[Any], w: Any) -> list[np.ndarray]:
        """The plain backward pass: the cotangent of each input."""
        tensors = leaves(xs)
        return [g.data for g in mg.gradients(self.call(tensors), tensors, w)]


def join(parts: Any) -> Any:
    flat = [part.reshape(-1) for part in parts]
    return np.concatenate(flat)


def leaves(arrays: list[np.ndarray]) -> list[mg.Tensor]:
    return [mg.tensor(a, requires_grad=True) for a in arrays]


def dot(left: list[Any], right: list[Any]) -> Any:
    total: Any = 0.0
    for a, b in zip(left, right, strict=True):
        total = total + (a * b).sum()
    return total


def slope(phi: Any, step: float = 2e-3) -> float:
    """phi'(0) of a function of one number: central differences, extrapolated twice (Richardson)."""
    first, second, third = ((phi(h) - phi(-h)) / (2 * h) for h in (step, step / 2, step / 4))
    finer, finest = (4 * second - first) / 3, (4 * third - second) / 3
    return float((16 * finest - finer) / 15)


def moved(arrays: list[np.ndarray], directions: list[np.ndarray], t: float) -> list[np.ndarray]:
    return [a + t * u for a, u in zip(arrays, directions, strict=True)]


def recorded(case: Case, xs: list[mg.Tensor], w: mg.Tensor) -> list[Any]:
    return mg.gradients(case.call(xs), xs, w, create_graph=True)


def graph(roots: list[Node]) -> Iterator[Node]:
    seen: set[int] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if isinstance(node, Node) and node.serial not in seen:
            seen.add(node.serial)
            yield node
            stack.extend(node.inputs or ())


@pytest.mark.parametrize("name", OPS)
def test_the_op_brings_samples(name: str) -> None:
    assert SAMPLES[name], f"op `{name}` has no samples: an op that can't be tested can't be trusted"


@pytest.mark.parametrize(("name", "index"), CASES)
def test_tensors_give_the_value_that_arrays_give(name: str, index: int) -> None:
    case = Case(name, index)
    plain = case.call(case.inputs())
    y = case.call(leaves(case.inputs()))
    np.testing.assert_array_equal(y.data, plain, strict=True)
    assert isinstance(plain, np.ndarray | np.generic)
    assert y.requires_grad == bool(case.wrt)


@pytest.mark.parametrize(("name", "index"), TRUE_CASES)
def test_order_1_against_differences(name: str, index: int) -> None:
    case = Case(name, index)
    w, xs = case.cotangent(), case.inputs()
    for k, g in enumerate(case.pull(xs, w)):
        u = [d if j == k else 0 * d for j, d in enumerate(case.directions())]
        numeric = slope(lambda t, u=u: np.vdot(w, case.call(moved(xs, u, t))))
        assert np.vdot(g, u[k]) == pytest.approx(numeric, rel=1e-7, abs=1e-8), f"argument {case.wrt[k]}"


@pytest.mark.parametrize(("name", "index"), TRUE_CASES)
def test_order_2_against_differences(name: str, index: int) -> None:
    case = Case(name, index)
    w, xs, v = case.cotangent(), case.inputs(), case.directions()
    uw, u = case.away_from_zero(w.shape), case.directions()

    tensors, wt = leaves(xs), mg.tensor(w, requires_grad=True)
    second = mg.gradients(dot(recorded(case, tensors, wt), v) + 0 * wt.sum(), [wt, *tensors])
    numeric = slope(lambda t: dot(case.pull(moved(xs, u, t), w + t * uw), v))
    assert dot([g.data for g in second], [uw, *u]) == pytest.approx(numeric, rel=1e-6, abs=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in OPS if SAMPLES[name] and not OPS[name].surrogate])
def test_the_gradient_check_agrees_at_both_orders(name: str) -> None:
    """The checker that users have, on every op: it must not cry wolf."""
    case = Case(name, 0)
    assert mg.gradcheck(lambda *xs: case.call(list(xs)), *case.inputs(), order=2)


@pytest.mark.parametrize(("name", "index"), CASES)
def test_the_recorded_pass_gives_what_the_plain_one_gives(name: str, index: int) -> None:
    case = Case(name, index)
    w, xs = case.cotangent(), case.inputs()
    for plain, tensor in zip(case.pull(xs, w), recorded(case, leaves(xs), mg.tensor(w)), strict=True):
        np.testing.assert_allclose(tensor.data, plain, rtol=1e-13, atol=1e-13, strict=True)


@pytest.mark.parametrize(("name", "index"), CASES)
def test_rules_are_linear_in_the_cotangent(name: str, index: int) -> None:
    case = Case(name, index)
    w1, w2, xs = case.cotangent(), case.cotangent(), case.inputs()
    for both, one, other in zip(case.pull(xs, 2 * w1 - 3 * w2), case.pull(xs, w1), case.pull(xs, w2), strict=True):
        np.testing.assert_allclose(both, 2 * one - 3 * other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("name", "index"), CASES)
def test_forward_mode_by_transposing_agrees_with_reverse(name: str, index: int) -> None:
    """The transpose of w -> Jᵀw is v -> Jv, whatever w it is recorded at: <w, Jv> = <Jᵀw, v>."""
    case = Case(name, index)
    w, xs, v = case.cotangent(), case.inputs(), case.directions()
    dummy = mg.tensor(np.ones_like(w), requires_grad=True)
    (tangent,) = mg.gradients(dot(recorded(case, leaves(xs), dummy), v) + 0 * dummy.sum(), [dummy])
    assert np.vdot(w, tangent.data) == pytest.approx(dot(case.pull(xs, w), v), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(
    ("name", "index"), [c for c in CASES if "dtype" not in SAMPLES[c.values[0]][c.values[1]].options]
)
def test_narrow_floats_stay_narrow_through_both_passes(name: str, index: int, dtype: Any) -> None:
    case = Case(name, index, dtype)
    try:
        y = case.call(case.inputs())
    except TypeError:
        assert dtype is np.float16, "only NumPy's LAPACK functions lack a dtype, and only float16"
        return
    w, xs = case.cotangent(), case.inputs()
    assert np.asarray(y).dtype == dtype
    with np.errstate(over="ignore", under="ignore"):
        for i, rule in enumerate(case.op.vjps if not case.op.packed else ()):
            if i in case.wrt:
                assert np.asarray(rule(w, y, *case.args, **case.options)).dtype == dtype, f"the rule of argument {i}"
        gradients = recorded(case, leaves(xs), mg.tensor(w, requires_grad=True))
    fitting = {np.dtype(dtype), np.dtype(np.float32)}  # float16 is summed in float32
    wide = {n.op.name for n in graph(gradients) if n.op and n.dtype.kind == "f" and n.dtype not in fitting}
    assert not wide, f"computed in another dtype on the way: {wide}"


@pytest.mark.parametrize(("name", "index"), CASES)
def test_cotangents_of_zero_and_infinity(name: str, index: int) -> None:
    case = Case(name, index)
    w, xs = case.cotangent(), case.inputs()
    for g in case.pull(xs, np.zeros_like(w)):
        np.testing.assert_array_equal(g, 0 * g)
    with np.errstate(invalid="ignore"):
        for g, x in zip(case.pull(xs, np.full_like(w, np.inf)), xs, strict=True):
            assert g.shape == x.shape


@pytest.mark.parametrize(("name", "index"), CASES)
def test_strides_and_read_only_memory_make_no_difference(name: str, index: int) -> None:
    case = Case(name, index)
    w = case.cotangent()
    views = [np.asarray(np.flip(np.array(np.flip(x), order="F"))) for x in case.inputs()]
    for view in views:
        view.flags.writeable = False
    w.flags.writeable = False
    tensors = [mg.astensor(view, requires_grad=True) for view in views]
    gradients = mg.gradients(case.call(tensors), tensors, w)
    for g, plain in zip(gradients, case.pull(case.inputs(), w), strict=True):
        np.testing.assert_allclose(g.data, plain, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("name", "index"), [c for c in CASES if OPS[c.values[0]].reference])
def test_the_op_agrees_with_its_reference_composition(name: str, index: int) -> None:
    case = Case(name, index)
    w, v = case.cotangent(), case.directions()

    def orders(f: Any) -> list[np.ndarray]:
        xs, wt = leaves(case.inputs()), mg.tensor(w, requires_grad=True)
        y = f(*case.place(xs), **case.options)
        first = mg.gradients(y, xs, wt, create_graph=True)
        second = mg.gradients(dot(first, v) + 0 * wt.sum(), [wt, *xs])
        return [t.data for t in (y, *first, *second)]

    for ours, theirs in zip(orders(case.op), orders(case.op.reference), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "index"), CASES)
def test_the_formula_can_be_written(name: str, index: int) -> None:
    case = Case(name, index)
    names = [f"<{i}>" for i in range(len(case.args))]
    text = (case.op.formula or f"{case.op.name}({', '.join(names)})").format(*names, **case.options)
    assert all(name in text for name in names)
