"""A recorded computation written out as a plain function, forward and backward, to run again on other arrays.

Recording is what lets one differentiate any Python code; on small arrays it is also a third of the time. Where the
same computation is made over and over, as in training, its graph need be recorded only once: `Replay` writes it down
as the lines that a person would write by hand, a call per op and one per edge, and runs those. They are the same
calls on the same arrays, so that the numbers are the same to the last bit.
"""

from __future__ import annotations

import functools
import itertools
import keyword
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .backward import as_seed, conform, joint_rules, store, sum_to, unpacked
from .context import MODE
from .core import Node, latest_change, unpack
from .gradients import recorded
from .memory import refuse_stale
from .messages import describe, refuse_freed


class Replay:
    """A recorded computation, to run again on other arrays: its value, and the gradients of what it depends on.

    Parameters
    ----------
    result
        The recorded tensor that gradients are taken of; it has one element.
    inputs
        The arrays, handed to ops as they are or in tensors without gradient, that a run replaces by others.
    outputs
        More tensors that were recorded on the way, whose values a run gives as well.

    Attributes
    ----------
    source : str
        The program: what was recorded, and its backward pass, as a function in Python.
    constants : list of arrays and tensors
        What else went into the computation and needs no gradient: it is used as it is.

    Raises
    ------
    TypeError, ValueError
        If an input played no part, or `result` hasn't one element or isn't recorded. When called: for arrays
        of other shapes or dtypes.
    RuntimeError
        Where `backward` would raise it: no gradient is required, the graph was freed; or under `mg.debug`, which
        has nothing to see here.

    Notes
    -----
    Only what ops recorded is run again. What Python did besides (a branch taken, a number drawn at random, a
    statistic updated) is not: it is as it was.

    Examples
    --------
    >>> import numpy as np
    >>> import microgradnd as mg
    >>> w = mg.tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> replay = mg.Replay(np.tanh(X @ w).sum(), [X])
    >>> print(replay.source)
    def step(x0, w):
        v1 = matmul(x0, w)
        v2 = tanh(v1)
        v3 = asarray(sum(v2))
        dv3 = one
        dv2 = sum_vjp0(dv3, v3, v2)
        del dv3
        dv1 = tanh_vjp0(dv2, v2, v1)
        del dv2, v2
        dw = matmul_vjp1(dv1, v1, x0, w)
        del dv1, v1
        return (v3,), (dw,)
    >>> value, = replay(np.array([[0.0, 0.0], [3.0, 0.0]]))
    >>> round(float(value), 4)
    0.9951
    >>> w.grad.round(4)
    array([0.0296, 0.    ])
    """

    def __init__(self, result: Node, inputs: Sequence[Any], outputs: Sequence[Node] = ()) -> None:
        _refuse_debug()
        program = _Program(result, inputs, outputs)
        self.source, self.constants = program.write(), program.constants
        self._leaves = program.leaves
        self._kinds = [(x.shape, x.dtype) for x in program.inputs]
        names: dict[str, Any] = {}
        exec(_compiled(self.source), program.bound, names)  # noqa: S102 - what was written here, from checked names
        self._step = names["step"]

    def __call__(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run forward and backward: the values of result and outputs; gradients are added to ``.grad``."""
        _refuse_debug()
        if len(arrays) != len(self._kinds):
            raise TypeError(f"the replay takes {len(self._kinds)} arrays, got {len(arrays)}")
        for i, (x, (shape, dtype)) in enumerate(zip(arrays, self._kinds, strict=True)):
            if x.shape != shape or x.dtype != dtype:
                raise ValueError(
                    f"array {i} has shape {x.shape} and dtype {x.dtype}, but {shape} and {dtype} were recorded: "
                    "compute eagerly, or record another replay"
                )
        values, cotangents = self._step(*arrays, *[x.value for x in self._leaves])
        found: list[list[Any]] = [[x, g, False] for x, g in zip(self._leaves, cotangents, strict=True)]
        del cotangents  # each array is held once now: it can be a leaf's own
        store(found)
        return values  # type: ignore[no-any-return]


def _refuse_debug() -> None:
    if MODE.get().watch is not None:
        raise RuntimeError("mg.debug() has nothing to see in a replay: compute eagerly inside of it")


@functools.lru_cache(maxsize=64)
def _compiled(source: str) -> Any:
    return compile(source, "<replay>", "exec")


class _Program:
    """The text of a replay, line by line, and what its names stand for."""

    def __init__(self, result: Node, inputs: Sequence[Any], outputs: Sequence[Node]) -> None:
        for y in (result, *outputs):
            if not (isinstance(y, Node) and y.op is not None):  # type: ignore[redundant-expr]
                raise TypeError(f"a replay is of recorded tensors, got {describe(y) if isinstance(y, Node) else y!r}")  # type: ignore[redundant-expr]
        self.inputs = [x.value if isinstance(x, Node) else np.asarray(x) for x in inputs]
        self.unused = set(range(len(inputs)))
        self.results = [result, *outputs]
        self.kept = {y.serial for y in self.results}
        self.nodes = recorded([result])
        for node in self.nodes:
            if node.inputs is None:
                refuse_freed(node)
        for y in outputs:
            if all(y is not node for node in self.nodes):
                raise ValueError(f"{describe(y)} is no part of what the result was computed from")
        self.bound: dict[str, Any] = {"asarray": np.asarray, "sum_to": sum_to, "unpack": unpack}
        self.bound |= {"one": as_seed(result, None), "tuple": tuple}
        self.taken = {*self.bound, "step", "answers", *(f"x{i}" for i in range(len(inputs)))}
        self.names = {id(y): self.fresh(f"v{k}") for k, y in enumerate(self.nodes, 1)}
        self.cotangents: dict[int, str] = {}
        self.leaves: list[Node] = []
        self.constants: list[Any] = []
        self.lines: list[str] = []

    def write(self) -> str:
        """The whole function: forward, then backward, youngest first."""
        calls = [self.forward(y) for y in self.nodes]
        if self.unused:
            raise ValueError(
                f"input {min(self.unused)} played no part in what was recorded: give the very arrays that did"
            )
        grads = {id(self.results[0]): self.bound["one"]}
        self.lines.append(f"{self.cotangent(self.results[0])} = one")
        for y, call in zip(reversed(self.nodes), reversed(calls), strict=True):
            self.backward(y, call, grads)
        arguments = [f"x{i}" for i in range(len(self.inputs))] + [self.name(x) for x in self.leaves]
        values, found = (_tuple(names) for names in (map(self.name, self.results), map(self.cotangent, self.leaves)))
        body = [f"def step({', '.join(arguments)}):", *self.lines, f"return {values}, {found}"]
        return "\n    ".join(body)

    def forward(self, y: Node) -> list[str]:
        """Write the call of the op that made `y`; gives its arguments as they are written."""
        op: Any = y.op
        positional = [self.operand(x) for x in y.inputs or ()]
        named = [f"{key}={self.operand(x)}" for key, x in y.options.items()]
        call = f"{self.bind(op.name, op.forward)}({', '.join(positional + named)})"
        v = self.name(y)
        if op.several:
            call = f"{self.bind(f'{op.name}_packed', op.pack)}({call})"
        if op.packed:
            self.lines.append(f"{v}, saved_{v} = {call}")
            call = v
        if not y.value.ndim:
            call = f"asarray({call})"
        if call != v:
            self.lines.append(f"{v} = {call}")
        return positional + named

    def backward(self, y: Node, written: list[str], grads: dict[int, Any]) -> None:
        """Write what each argument of the op that made `y` gets, and do it, to see what is to be made to fit."""
        op: Any = y.op
        g, v = grads.pop(id(y)), self.name(y)
        if y.serial < latest_change[0]:
            refuse_stale(y)
        args, options = (g, y.value, *y.values), y.options
        texts = [self.cotangent(y), v, *written]
        if op.packed:
            args, options = unpacked(op, y, args, False)
            if op.several:
                texts[:2] = [f"unpack({text}, saved_{v})" for text in texts[:2]]
            else:
                texts.append(f"saved=saved_{v}")
        rules: Any = op.vjps
        if op.joint is not None:
            rules = list(joint_rules(op.joint, args, options))
            args, options = (), {}
            self.lines.append(f"answers = tuple({self.bind(f'{op.name}_vjp', op.joint)}({', '.join(texts)}))")
        for i, (rule, x) in enumerate(zip(rules, y.inputs or (), strict=False)):
            if isinstance(x, Node) and x.tracked:
                text = f"answers[{i}]" if op.joint else f"{self.bind(f'{op.name}_vjp{i}', rule)}({', '.join(texts)})"
                self.add(x, rule(*args, **options), text, y, grads)
        gone = [self.cotangent(y), *([f"saved_{v}"] if op.packed else ()), *(() if y.serial in self.kept else [v])]
        self.lines.append(f"del {', '.join(gone)}")

    def add(self, x: Node, c: Any, text: str, y: Node, grads: dict[int, Any]) -> None:
        """Write that `x` gets the cotangent `c`, made to fit as `backward` would, besides what it got before."""
        fitting = conform(c, x, y, False)
        if not isinstance(c, np.ndarray):
            text = f"asarray({text})"
        if np.shape(c) != fitting.shape:
            text = f"sum_to({text}, {fitting.shape})"
        if np.asarray(c).dtype != fitting.dtype:
            text = f"{text}.astype({fitting.dtype.name!r})"
        d = self.cotangent(x)
        if id(x) in grads:
            fitting = np.asarray(grads[id(x)] + fitting)
            text = f"{d} + {text}" if fitting.ndim else f"asarray({d} + {text})"
        grads[id(x)] = fitting
        self.lines.append(f"{d} = {text}")

    # -- names -------------------------------------------------------------------------------
    def fresh(self, name: str) -> str:
        """A name like this one that nothing has yet."""
        name = re.sub(r"\W", "_", unicodedata.normalize("NFKC", name))  # as Python reads identifiers
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("__"):
            name = f"_{name}"
        found = next(
            n for n in itertools.chain([name], (f"{name}_{k}" for k in itertools.count(2))) if n not in self.taken
        )
        self.taken.add(found)
        return found

    def bind(self, name: str, thing: Any) -> str:
        """The name of something that the program uses."""
        if id(thing) not in self.names:
            self.names[id(thing)] = found = self.fresh(name)
            self.bound[found] = thing
        return self.names[id(thing)]

    def name(self, x: Node) -> str:
        return self.names[id(x)]

    def cotangent(self, x: Node) -> str:
        if id(x) not in self.cotangents:
            self.cotangents[id(x)] = self.fresh(f"d{self.name(x)}")
        return self.cotangents[id(x)]

    def operand(self, x: Any) -> str:
        """How an operand or option is written."""
        if isinstance(x, Node) and x.tracked:
            if id(x) not in self.names:
                self.names[id(x)] = self.fresh(x.name or "p")
                self.leaves.append(x)
            return self.name(x)
        array = x.value if isinstance(x, Node) else x
        for i, given in enumerate(self.inputs):
            if array is given:
                self.unused.discard(i)
                return f"x{i}"
        if type(x) in (tuple, list):
            parts = map(self.operand, x)
            return f"[{', '.join(parts)}]" if type(x) is list else _tuple(parts)
        if x is None or type(x) in (bool, int, str) or (type(x) is float and math.isfinite(x)):
            return repr(x)
        if not isinstance(x, _INERT):
            self.constants.append(x)
        return self.bind("c", x) + (".value" if isinstance(x, Node) else "")


_INERT = (float, slice, type(Ellipsis), np.generic, np.dtype, type)  # what can't hold an array


def _tuple(parts: Iterable[str]) -> str:
    parts = list(parts)
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
