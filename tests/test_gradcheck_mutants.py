"""The checker is tested by sabotage: for every registered op wrong rules are planted in a network, and it has to name them."""

from typing import Any

import numpy as np
import pytest

import microgradnd as mg
import microgradnd.nn

DIFFERENTIABLE = {
    name: op
    for name, op in sorted(mg.OPS.items())
    if op.samples and not op.surrogate and op.module.startswith("microgradnd.")
}
# Every sixth op by day, all of them where there is time.
NAMES = [pytest.param(name, marks=pytest.mark.slow if i % 6 else ()) for i, name in enumerate(DIFFERENTIABLE)]
FAULTS = {
    "a factor": lambda c: c * (1 + 2e-4),
    "the sign": lambda c: -c,
    "a transposition": lambda c: c.T if c.ndim > 1 and c.shape == c.T.shape else np.reshape(np.ravel(c)[::-1], c.shape),
    "a dropped term": lambda c: c * np.reshape(np.arange(c.size) != c.size - 1, c.shape),
    "a term too many": lambda c: c + 0.1,
}


def points(op: Any) -> list[tuple[list[Any], dict[str, Any]]]:
    """Inputs of an op that have something to differentiate, the ones with most elements of those that are quickly checked."""
    found = [(list(args), options) for args, options in op.samples(np.random.default_rng(7))]
    size = [sum(np.size(x) for x in args if is_float(x)) for args, _ in found]
    return [found[max(range(len(found)), key=lambda i: size[i] if size[i] <= 24 else 1 / size[i])]] if found else []


def is_float(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f" and x.size > 0


def wanted(op: Any, args: list[Any]) -> list[int]:
    return [i for i, x in enumerate(args) if is_float(x) and (op.joint or op.vjps[i])]


def sabotage(op: Any, argument: int, fault: Any) -> Any:
    """The same op, its rule for one argument made wrong."""
    how = {"name": f"{op.name}_mutant", "elementwise": op.elementwise, "saves": op.saves, "several": op.several}
    if op.joint:

        def joint(*args: Any, **options: Any) -> Any:
            parts = list(op.joint(*args, **options))
            parts[argument] = fault(np.asarray(parts[argument]))
            return parts

        return mg.op(op.forward, vjp=joint, **how)
    rules = list(op.vjps)
    right = rules[argument]
    rules[argument] = lambda *args, **options: fault(np.asarray(right(*args, **options)))
    return mg.op(op.forward, *rules, **how)


def network(op: Any, args: list[Any], options: dict[str, Any]) -> tuple[Any, list[np.ndarray]]:
    """The op between others: what comes in is computed, and what comes out goes on."""
    chosen = wanted(op, args)
    shift = {i: np.tanh(args[i]) / 8 for i in chosen}

    def f(*leaves: Any) -> Any:
        inner = list(args)
        for i, x in zip(chosen, leaves, strict=True):
            inner[i] = x + np.tanh(x) / 8 - shift[i]
        result = op(*inner, **options)
        parts = result if isinstance(result, tuple) else (result,)
        return [np.sum(np.sin(0.7 * y + 0.3)) for y in parts]

    return f, [args[i] for i in chosen]


def changes(op: Any, mutant: Any, args: list[Any], options: dict[str, Any]) -> bool:
    """Whether the fault shows at all: a flat op shows no factor, and one element no order."""

    def gradients(which: Any) -> list[np.ndarray]:
        leaves = {i: mg.tensor(args[i], requires_grad=True) for i in wanted(op, args)}
        y = which(*(leaves.get(i, x) for i, x in enumerate(args)), **options)
        parts = y if isinstance(y, tuple) else (y,)
        rng = np.random.default_rng(0)
        total = sum(np.sum(part * rng.uniform(0.5, 1.5, part.shape)) for part in parts)
        return [g.data for g in mg.gradients(total, list(leaves.values()))]

    return any(
        np.abs(a - b).max(initial=0) > 1e-4 * np.abs(a).max(initial=0)
        for a, b in zip(gradients(op), gradients(mutant), strict=True)
    )


def mutants(op: Any) -> Any:
    for args, options in points(op):
        for argument in wanted(op, args):
            kinds = (
                list(FAULTS) if argument == wanted(op, args)[0] else ["a factor", "a term too many"]
            )  # all once is enough
            shown = 0
            for kind in kinds:
                if kind == "a term too many" and shown:
                    continue  # it's for rules of zero, as of steps and signs, that no factor changes
                mutant = sabotage(op, argument, FAULTS[kind])
                if changes(op, mutant, args, options):
                    shown += 1
                    yield f"{kind} in argument {argument}", mutant, args, options


@pytest.mark.parametrize("name", NAMES)
def test_every_planted_fault_is_blamed_on_the_op_that_has_it(name: str) -> None:
    op = DIFFERENTIABLE[name]
    for kind, mutant, args, options in mutants(op):
        f, leaves = network(mutant, args, options)
        report = mg.gradcheck(f, *leaves, raises=False, exhaustive=False)
        blamed = {fault.op for fault in report.blame}
        assert blamed == {mutant.name}, f"{kind}: blamed {blamed or 'nobody'}\n{report}"


@pytest.mark.parametrize("name", NAMES)
def test_no_right_op_is_blamed(name: str) -> None:
    op = DIFFERENTIABLE[name]
    for args, options in points(op):
        if wanted(op, args):
            f, leaves = network(op, args, options)
            report = mg.gradcheck(f, *leaves, raises=False)
            assert report, str(report)


def test_the_faults_reach_every_op() -> None:
    assert len(DIFFERENTIABLE) >= 40
    assert [name for name, op in DIFFERENTIABLE.items() if next(mutants(op), None) is None] == []
