"""Whose fault: each recorded op checked alone, at its recorded inputs, with random cotangents.

An error made in one op spreads to everything before it, and may be damped to nothing after it. Alone,
each op is either right or not, so that the one wrong op in a network of hundreds is found, and two are both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import tree
from ..checkpoint import Segment
from ..context import mode_switch
from ..core import Node, Op
from ..gradients import pull
from ..tensor import tensor
from .patterns import Context, find_pattern
from .problem import Problem, Recording, cotangent, second_order
from .report import InputResult
from .reproduce import smallest_call
from .search import Search
from .verdict import KINK, UNCLEAR, WRONG, Tolerance

_EXHAUSTIVE = 1000  # elements of a wrong gradient that are all looked at, for its pattern
_RANDOM = "its rule gives another result each time it is called"
_AT_A_KINK = 6  # random directions tried there


@dataclass
class Fault:
    """One op whose rule is wrong, and where that shows most."""

    op: str
    number: int  # in the order of recording, from 1
    site: str  # the user's line that recorded it
    argument: int
    shape: tuple[int, ...]
    message: str = ""  # if it isn't a matter of numbers
    result: InputResult | None = None
    pattern: str = ""
    reproduce: str = ""
    times: int = 1  # how many recordings of this op are wrong in this argument
    order: int = 1


class Alone:
    """One op as a function of those of its arguments that want a gradient.

    Parameters
    ----------
    op, given, options
        The call: positional values, of which narrow floats are widened to float64, and keyword options.
    arguments
        Which of the values to differentiate with respect to.
    widen
        False leaves narrow floats as they are.
    """

    def __init__(
        self, op: Op, given: Sequence[Any], options: dict[str, Any], arguments: Sequence[int], widen: bool = True
    ) -> None:
        self.op, self.options, self.arguments = op, options, list(arguments)
        self.given = [_wide(v) if widen else v for v in given]
        self.point = [np.asarray(self.given[i]) for i in self.arguments]
        self.out = np.asarray(self._compute(self.point))
        self.at = self.out.ravel().astype(np.float64)
        self.eps = float(np.finfo(self.out.dtype).eps) if self.out.dtype.kind == "f" else 2.0**-52
        self.whole = 0.0  # what is inside of an op is not seen

    @classmethod
    def of(cls, node: Node, widen: bool = True) -> Alone:
        """A recorded op, at its recorded inputs."""
        op: Any = node.op
        wanted = [i for i, x in enumerate(node.inputs or ()) if isinstance(x, Node) and x.tracked]
        return cls(op, node.values, node.options, wanted, widen)

    def at_values(self, given: Sequence[Any]) -> Alone:
        """The same op at other inputs."""
        return Alone(self.op, given, self.options, self.arguments)

    def search(self, tolerance: Tolerance, rng: np.random.Generator) -> Search:
        """Its own rules held against differences."""
        w = cotangent(self.at.shape, rng)
        return Search(self, w, self.pull(w), [f"argument {i}" for i in self.arguments], tolerance, rng)

    def _compute(self, arrays: Sequence[np.ndarray]) -> Any:
        with mode_switch(record=False, watch=None), np.errstate(all="ignore"):
            return self.op.compute(self._place(arrays), self.options)

    def _place(self, arrays: Sequence[Any]) -> list[Any]:
        given = list(self.given)
        for i, x in zip(self.arguments, arrays, strict=True):
            given[i] = x
        return given

    def values(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """The output at other arguments, flat; NaN where it can't be computed."""
        try:
            return np.ravel(self._compute(arrays))
        except (ArithmeticError, ValueError):
            return np.full(1, np.nan)

    def complex_values(self, arrays: Sequence[np.ndarray]) -> np.ndarray | None:
        """The output at complex arguments, or None where the op doesn't take them."""
        try:
            return np.ravel(self._compute(arrays))
        except Exception:
            return None

    def node(self, tensors: Sequence[Any]) -> Any:
        """The op recorded anew, on these tensors; the one node of all its outputs, if it has several."""
        with mode_switch(record=True, watch=None), np.errstate(all="ignore"):
            node = self.op(*self._place(tensors), **self.options)
        while isinstance(node, tuple) or node.op is not self.op:
            node = node[0] if isinstance(node, tuple) else node.inputs[0]
        return node

    def pull(self, w: np.ndarray) -> list[np.ndarray]:
        """The cotangents of the arguments, by the op's own rules."""
        node = self.node([tensor(x, requires_grad=True) for x in self.point])
        with mode_switch(record=False, watch=None), np.errstate(all="ignore"):
            return [c for _, c in pull(node, w.reshape(self.out.shape).astype(self.out.dtype))]

    def find_writing(self) -> str:
        """Which array the op's forward or its rules change in place, in words; "" if none."""
        fresh = [tensor(x.copy(), requires_grad=True) for x in self.point]
        arrays = {f"its argument {i}": x.value for i, x in zip(self.arguments, fresh, strict=True)}
        before = {name: x.copy() for name, x in arrays.items()}
        node = self.node(fresh)
        who = "forward"
        if all(np.array_equal(arrays[name], before[name], equal_nan=True) for name in arrays):
            who = "rule"
            g = np.full(self.out.shape, 0.75, dtype=self.out.dtype)
            arrays |= {"its output": np.asarray(node.value), "the cotangent": g}
            before |= {name: arrays[name].copy() for name in ("its output", "the cotangent")}
            with mode_switch(record=False, watch=None), np.errstate(all="ignore"):
                list(pull(node, g))
        changed = [name for name in arrays if not np.array_equal(arrays[name], before[name], equal_nan=True)]
        return (
            f"its {who} changes {changed[0]} in place; what else uses that array gets wrong numbers" if changed else ""
        )

    def as_problem(self) -> Problem:
        """The same for whatever takes functions: derivatives of derivatives, forward mode."""
        names = [f"argument {i}" for i in self.arguments]
        point = [tensor(x, name=name) for x, name in zip(self.point, names, strict=True)]
        return Problem(lambda *tensors: self.node(tensors), point, {})


def _wide(value: Any) -> Any:
    narrow = isinstance(value, np.ndarray | np.generic) and value.dtype.kind == "f" and value.dtype != np.float64
    return value.astype(np.float64) if narrow else value


class Inquest:
    """Every recorded op examined; what was found.

    Parameters
    ----------
    nodes
        The recorded graph, oldest first.
    """

    def __init__(self, nodes: Sequence[Node], tolerance: Tolerance, rng: np.random.Generator) -> None:
        self.nodes, self.tolerance, self.rng = nodes, tolerance, rng
        self.faults: list[Fault] = []
        self.kinked: list[str] = []  # ops that sit on a kink
        self.unclear: list[str] = []
        self.surrogates: list[str] = []
        for number, node in enumerate(nodes, 1):
            if node.op is not None and node.op.surrogate:
                self.surrogates.append(place(number, node))
            else:
                self._attempt(self._examine, number, node)

    def examine_rules(self) -> None:
        """Check the derivative of each op's rules, as order 2 needs them."""
        for number, node in enumerate(self.nodes, 1):
            if node.op is not None and not node.op.surrogate:
                self._attempt(self._examine_rules, number, node)

    def rough(self) -> list[str]:
        """Ops at a point where they are not smooth, or can't be judged: what is right there depends on what is near."""
        if not (self.kinked or self.unclear):
            for number, node in enumerate(self.nodes, 1):
                search = Alone.of(node).search(self.tolerance, self.rng)
                if not all(search.is_smooth(j) for j in range(len(search.results))):
                    self.kinked.append(place(number, node))
        return self.kinked or self.unclear

    def _attempt(self, examine: Callable[[int, Node], None], number: int, node: Node) -> None:
        try:
            examine(number, node)
        except Exception as error:  # whatever a rule raises is what is wrong with it
            self._add(Fault(_name(node), number, node.site, -1, (), message=str(error)))

    def _examine(self, number: int, node: Node) -> None:
        segment = node.options.get("segment")
        if isinstance(segment, Segment) and self._examine_within(number, node, segment):
            return
        alone = Alone.of(node)
        written = alone.find_writing()
        if written:
            self._add(Fault(_name(node), number, node.site, -1, (), message=written))
            return
        search = alone.search(self.tolerance, self.rng)
        for j, argument in enumerate(alone.arguments):
            if self._is_wrong(search, j, number, node):
                self._look_closer(search, j)
                if search.results[j].cleared:
                    self.unclear.append(f"{place(number, node)}: too much rounding, or too steep, for differences")
                    continue
                fault = Fault(_name(node), number, node.site, argument, alone.point[j].shape, result=search.results[j])
                same = np.array_equal(alone.pull(search.w)[j], search.results[j].analytic, equal_nan=True)
                fault.pattern = find_pattern(Context(alone, search, j)) if same else _RANDOM
                fault.reproduce = smallest_call(alone, j, search)
                self._add(fault)

    def _examine_within(self, number: int, node: Node, segment: Segment) -> bool:
        """Examine the ops that a checkpoint stands for; whether one of them is wrong."""
        inputs = [tensor(_wide(x), requires_grad=True) for x in node.values[: len(segment.tensors)]]
        with mode_switch(record=True, watch=None), np.errstate(all="ignore"):
            outputs = list(tree.leaves(segment.run(inputs)))
        within = Inquest(Recording(inputs, outputs, np.empty(0)).nodes(), self.tolerance, self.rng)
        for fault in within.faults:
            fault.number = number
            self._add(fault)
        self.kinked += within.kinked
        self.unclear += within.unclear
        self.surrogates += within.surrogates
        return bool(within.faults)

    def _examine_rules(self, number: int, node: Node) -> None:
        problem = second_order(Alone.of(node).as_problem(), self.rng)
        w = cotangent(problem.at.shape, self.rng)
        names = [leaf.name for leaf in problem.checked]
        search = Search(problem, w, problem.pull(problem.recorded, w), names, self.tolerance, self.rng)
        for j, x in enumerate(problem.point):
            if self._is_wrong(search, j, number, node):
                self._look_closer(search, j)
                if not search.results[j].cleared:
                    self._add(Fault(_name(node), number, node.site, j, x.shape, result=search.results[j], order=2))

    def _is_wrong(self, search: Search, j: int, number: int, node: Node) -> bool:
        """One random direction; more where there is a kink, and the elements where it can't tell.

        Ties that each take all pass many directions.
        """
        everything = np.arange(search.results[j].analytic.size)
        if not everything.size:
            return False
        verdict = search.along(j, everything)
        if verdict.kind == KINK:
            self.kinked.append(place(number, node))
            more = [search.along(j, everything, signs=np.ones(everything.size))]
            more += [search.along(j, everything) for _ in range(_AT_A_KINK)]
            return any(v.kind == WRONG for v in more)
        if verdict.kind == UNCLEAR:
            self.unclear.append(f"{place(number, node)}: {verdict.why}")
            if node.op is not None and node.op.elementwise:  # elsewhere an axis may be smooth where the whole is not
                self._look_closer(search, j)
                return bool(search.results[j].of(WRONG))
        return verdict.kind == WRONG

    def _look_closer(self, search: Search, j: int) -> None:
        size = search.results[j].analytic.size
        if size <= _EXHAUSTIVE:
            search.one_by_one(j, range(size))
        else:
            search.by_directions(j)

    def _add(self, fault: Fault) -> None:
        """Note it, once per op and argument."""
        for known in self.faults:
            if (known.op, known.argument, bool(known.message)) == (fault.op, fault.argument, bool(fault.message)):
                known.times += 1
                return
        self.faults.append(fault)


def _name(node: Node) -> str:
    return node.op.name if node.op is not None else ""


def place(number: int, node: Node) -> str:
    """What a recorded op is called in messages."""
    return f"op #{number} `{_name(node)}`" + (f" at {node.site[:90]}" if node.site else "")
