"""A function and its inputs as numbers in, numbers out: what a gradient check needs of them.

The function may take arrays, tensors, scalars and nested tuples, lists and dicts of them, and give
any of those back. Here its floating-point inputs become a list of float64 arrays, and its
floating-point outputs one flat vector, so that the rest of the check is plain numerics.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import tree
from ..context import mode_switch
from ..core import Node
from ..gradients import gradients, recorded
from ..tensor import tensor


class Leaf(NamedTuple):
    """One array among the inputs."""

    input: int  # which argument of the function it belongs to
    name: str  # how messages call it
    value: Any
    checked: bool


class Recording(NamedTuple):
    """One run of the function on tensors."""

    tensors: list[Any]  # one per checked leaf
    outputs: list[Any]  # the floating-point ones, nodes or arrays
    vector: np.ndarray  # all their numbers

    def nodes(self) -> list[Node]:
        """What this run recorded, oldest first."""
        return recorded(self.outputs, since=min(x.serial for x in self.tensors))


class Problem:
    """`f` at `inputs`, ready to be run at other points.

    Parameters
    ----------
    f, inputs, options
        What is called: ``f(*inputs, **options)``.
    wrt
        Indices or names of the inputs to check; None for every floating-point one.

    Raises
    ------
    TypeError
        If no input is floating-point, or `wrt` names one that is not.
    ValueError
        If `wrt` names an input that isn't there.
    """

    def __init__(self, f: Callable[..., Any], inputs: Sequence[Any], options: dict[str, Any], wrt: Any = None) -> None:
        self.f, self.inputs, self.options = f, tuple(inputs), options
        self.calls = 0
        names = _parameter_names(f, len(inputs))
        chosen = _choose(wrt, names)
        self.leaves = [
            Leaf(i, name, value, _is_float(value) and (chosen is None or i in chosen))
            for i, x in enumerate(inputs)
            for name, value in _named_leaves(x, names[i])
        ]
        self.checked = [leaf for leaf in self.leaves if leaf.checked]
        self._refuse_nothing(chosen, names)
        self.point = [np.array(_array(leaf.value), dtype=np.float64) for leaf in self.checked]
        self.recorded = self.record()
        self.at = self.recorded.vector
        inside = [float(np.abs(y.value).max(initial=0.0)) for y in self.recorded.nodes() if y.value.dtype.kind == "f"]
        self.whole = max((size for size in inside if np.isfinite(size)), default=0.0)
        widths = [y.value.dtype for y in (*self.recorded.nodes(), *self.recorded.outputs) if isinstance(y, Node)]
        # A function may compute in float32 whatever it is given.
        self.eps = max([2.0**-52, *(float(np.finfo(t).eps) for t in widths if t.kind == "f")])

    def _refuse_nothing(self, chosen: set[int] | None, names: list[str]) -> None:
        without = [names[i] for i in sorted(chosen or ()) if not any(leaf.input == i for leaf in self.checked)]
        if without or not self.checked:
            given = ", ".join(f"{leaf.name}: {_kind(leaf.value)}" for leaf in self.leaves) or "none"
            raise TypeError(
                f"there is no gradient to check{f' for {without[0]}' if without else ''}: it takes at least one "
                f"floating-point input, but these were given: {given}. Write 3.0 for 3, or .astype(float)"
            )

    def native_point(self) -> list[np.ndarray]:
        """The checked inputs in the dtypes they came in."""
        return [_array(leaf.value) for leaf in self.checked]

    def record(self, arrays: Sequence[np.ndarray] | None = None) -> Recording:
        """Run the function on tensors of these arrays, by default at the point itself."""
        return self.run(
            [
                tensor(a.copy(), requires_grad=True, name=leaf.name)
                for a, leaf in zip(self.point if arrays is None else arrays, self.checked, strict=True)
            ]
        )

    def overwritten(self) -> list[str]:
        """The inputs that the function changed in place."""
        pairs = zip(self.checked, self.recorded.tensors, self.point, strict=True)
        return [leaf.name for leaf, x, before in pairs if not np.array_equal(x.value, before, equal_nan=True)]

    def run(self, tensors: Sequence[Node]) -> Recording:
        """Run the function on these tensors in place of the checked inputs."""
        self.calls += 1
        rest = iter(tensors)
        wide = all(x.value.dtype == np.float64 for x in tensors)
        new = [next(rest) if leaf.checked else _fresh(leaf.value, wide) for leaf in self.leaves]
        with mode_switch(record=True, watch=None), np.errstate(all="ignore"):
            result = self.f(*tree.rebuild(self.inputs, new), **self.options)
        outputs = [y for _, y in _named_leaves(result, "") if _is_float(y)]
        if not outputs:
            raise TypeError(
                f"there is no gradient to check: the function gave {_kind(result)}, without a floating-point number "
                "in it; it has to return a float, an array, a tensor, or a tuple, list or dict of them"
            )
        vector = np.concatenate([np.ravel(_array(y)).astype(np.float64) for y in outputs])
        return Recording(list(tensors), outputs, vector)

    def values(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """The outputs at these inputs as one vector; NaN where the function can't be computed."""
        try:
            return self.record(arrays).vector
        except (ArithmeticError, ValueError):
            return np.full(1, np.nan)

    def pull(self, run: Recording, w: np.ndarray) -> list[np.ndarray]:
        """The gradient of ``w @ outputs`` for each checked leaf, by the engine's backward pass."""
        total = [np.zeros_like(x.value) for x in run.tensors]
        start = 0
        with np.errstate(all="ignore"):
            for y in run.outputs:
                size = np.size(_array(y))
                part, start = w[start : start + size], start + size
                if isinstance(y, Node) and y.tracked:
                    seed = part.reshape(y.value.shape).astype(y.value.dtype)
                    total = [g + c.value for g, c in zip(total, gradients(y, run.tensors, seed), strict=True)]
        return total

    def complex_values(self, arrays: Sequence[np.ndarray]) -> np.ndarray | None:
        """The outputs on plain complex arrays, or None where the function doesn't take them."""
        self.calls += 1
        rest = iter(arrays)
        new = [next(rest) if leaf.checked else _fresh(_array(leaf.value), True) for leaf in self.leaves]
        try:
            with mode_switch(record=False, watch=None), np.errstate(all="ignore"):
                result = self.f(*tree.rebuild(self.inputs, new), **self.options)
            parts = [np.ravel(_array(y)) for _, y in _named_leaves(result, "")]
            return np.concatenate([p.astype(complex) for p in parts if p.dtype.kind in "fc"])
        except Exception:
            return None  # a second opinion, never a reason to fail


def second_order(problem: Problem, rng: np.random.Generator) -> Problem:
    """The function (x, v) -> vjp(f, x)(v), as a problem of its own."""

    def vjp(point: list[Node], cotangents: list[Any]) -> list[Any]:
        total: list[Any] = []
        for y, v in zip(problem.run(point).outputs, cotangents, strict=True):
            if isinstance(y, Node) and y.tracked:
                part = gradients(y, point, v, create_graph=True)
                total = [a + b for a, b in zip(total, part, strict=True)] if total else part
        return total or [tensor(np.zeros(x.value.shape)) for x in point]

    seeds = [
        tensor(cotangent(_array(y).shape, rng), name=f"cotangent {i}" if i else "cotangent")
        for i, y in enumerate(problem.recorded.outputs)
    ]
    point = [tensor(x, name=leaf.name) for x, leaf in zip(problem.point, problem.checked, strict=True)]
    return Problem(vjp, (point, seeds), {})


def cotangent(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Random numbers of either sign, none near zero and no two alike: ones would hide what sums to zero."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def _named_leaves(nest: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Each array, tensor or scalar of a nested structure, with where it is."""
    if isinstance(nest, dict):
        for key, child in nest.items():
            yield from _named_leaves(child, f"{name}[{key!r}]" if name else repr(key))
    elif isinstance(nest, tuple | list):
        for i, child in enumerate(nest):
            yield from _named_leaves(child, f"{name}[{i}]")
    elif nest is not None:
        yield _name(nest) or name, nest


def _array(x: Any) -> np.ndarray:
    return np.asarray(x.value if isinstance(x, Node) else x)


def _is_float(x: Any) -> bool:
    return isinstance(x, Node | np.ndarray | np.generic | float) and _array(x).dtype.kind == "f"


def _name(x: Any) -> str | None:
    return x.name if isinstance(x, Node) else None


def _kind(x: Any) -> str:
    if isinstance(x, Node | np.ndarray):
        return f"{_array(x).dtype} of shape {_array(x).shape}"
    return "None" if x is None else type(x).__name__


def _fresh(x: Any, wide: bool) -> Any:
    """A copy of an input that is not checked, in float64 if the checked ones are."""
    if isinstance(x, Node):
        return tensor(x.value.astype(np.float64) if wide and x.value.dtype.kind == "f" else x.value, name=x.name)
    if isinstance(x, np.ndarray):
        return x.astype(np.float64) if wide and x.dtype.kind == "f" else x.copy()
    return x


def _parameter_names(f: Callable[..., Any], n: int) -> list[str]:
    """What the function itself calls its arguments, as far as that can be found out."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    known = [p.name for p in parameters if p.kind in plain]
    return [known[i] if i < len(known) else f"input {i}" for i in range(n)]


def _choose(wrt: Any, names: list[str]) -> set[int] | None:
    if wrt is None:
        return None
    chosen = set()
    for which in [wrt] if isinstance(wrt, int | str) else list(wrt):
        if isinstance(which, str) and which in names:
            chosen.add(names.index(which))
        elif isinstance(which, int) and -len(names) <= which < len(names):
            chosen.add(which % len(names))
        else:
            raise ValueError(
                f"wrt={wrt!r}: there is no input {which!r}; there are {', '.join(names)} (0 to {len(names) - 1})"
            )
    if not chosen:
        raise ValueError(f"wrt={wrt!r} leaves no gradient to check: give indices or names of inputs")
    return chosen
