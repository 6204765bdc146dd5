"""What a tensor remembers, and what an op is: the recording half of the engine.

A `Node` holds an array and, when a gradient is wanted, the op that made it and that
op's inputs. Those links, from a result to its inputs and never back, are the whole
graph. An `Op` is a value: how to compute, one vector-Jacobian product (vjp) per
argument, how it is written, inputs to test it on. Calling an op computes and records.

This module knows no rule and no operator: `ops` holds the entries, `tensor` gives a
node its operators, and `backward` walks what is recorded here.
"""

from __future__ import annotations

import itertools
import linecache
import os
import weakref
from collections.abc import Callable, Iterable
from sys import _getframe
from typing import Any, NamedTuple

import numpy as np

from .context import CALL, MODE, SCOPE, Origin, Scope, find_origin
from .memory import note, written
from .messages import as_output, brief, check_differentiable, describe, explain, refuse_mask

# One clock numbers nodes and changes of data alike. A node is younger than its inputs, so
# "youngest first" is a topological order; and an input that was changed after its consumer
# was recorded shows by comparing two numbers, which costs recording nothing.
clock = itertools.count(1)
latest_change = [0]  # when any data changed last: mostly before a node was recorded, and no more need be asked

_OPERANDS = frozenset({float, int, bool, type(None), np.float64, np.float32, np.float16})
_new = object.__new__
_ndarray = np.ndarray


class Node:
    """An array, its gradient, and where it came from.

    The slots are the engine's; a user meets them as `data`, `grad` and `requires_grad`.
    """

    __slots__ = (
        "__weakref__",
        "changed",  # when the clock last saw `value` changed; 0 for never
        "gradient",
        "inputs",  # what the op was called with: nodes, arrays, scalars; None once freed
        "name",
        "op",  # None for a leaf
        "options",
        "origin",  # the user's line that recorded this
        "saved",  # what the forward kept for the backward
        "scope",
        "serial",  # when this was made
        "tracked",  # does anything want a gradient through this?
        "value",
        "values",  # the arrays and scalars behind `inputs`
    )
    value: Any
    values: Any
    gradient: Any
    saved: Any
    inputs: tuple[Any, ...] | None
    options: dict[str, Any]
    name: str | None
    op: Op | None
    origin: Origin
    scope: Scope | None
    serial: int
    changed: int
    tracked: bool

    @property
    def data(self) -> np.ndarray:
        """The array itself, not a copy. Who writes into it says `touch()` afterwards."""
        return self.value  # type: ignore[no-any-return]

    @data.setter
    def data(self, new: Any) -> None:
        if new is not self.value:
            refuse_mask(new, "x.data = array")
            array = np.asarray(new)
            if array.shape != self.value.shape:
                raise ValueError(
                    f"data of {describe(self)} can't become an array of shape {array.shape}: "
                    "the shape stays; make a new tensor with mg.tensor(...)"
                )
            if array.dtype != self.value.dtype:
                raise TypeError(
                    f"data of {describe(self)} has dtype {self.value.dtype}, not {array.dtype}: "
                    f"convert first, with .astype(np.{self.value.dtype})"
                )
            self.value = array.copy()
        self.touch()

    def touch(self) -> None:
        """Say that the array was changed in place: graphs that used it can't run backward any more."""
        value = self.value
        latest_change[0] = self.changed = written[id(value)] = time = next(clock)
        if value.base is not None:
            note(value, time)

    @property
    def grad(self) -> np.ndarray | None:
        """The gradient, or None. A leaf's is its own array; an intermediate's is read-only."""
        g = self.gradient
        if g is not None and self.op is not None and g.flags.writeable:
            g = self.gradient = g.view()
            g.flags.writeable = False
        return g  # type: ignore[no-any-return]

    @grad.setter
    def grad(self, new: Any) -> None:
        if new is not None and new is not self.gradient:
            refuse_mask(new, "x.grad = array")
            new = np.array(new, dtype=self.value.dtype, order="C")
            if new.shape != self.value.shape:
                raise ValueError(f"grad has shape {new.shape}, but belongs to {describe(self)}: give that")
        self.gradient = new

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient is recorded for this tensor; can be set on leaves."""
        return self.tracked

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if self.op is not None:
            raise RuntimeError(
                f"requires_grad of {describe(self)} follows from what it was computed from; "
                "use .detach() for a tensor cut off from the graph"
            )
        if wanted:
            check_differentiable(self.value.dtype)
        self.tracked = bool(wanted)

    @property
    def site(self) -> str:
        """The user's line that recorded this, as ``file.py:12: y = np.tanh(x)``; empty if unknown."""
        file, line = self.site_line
        text = linecache.getline(file, line).strip()[:120] if line else ""
        return f"{os.path.basename(file)}:{line}{': ' if text else ''}{text}" if line else ""

    @property
    def site_line(self) -> tuple[str, int]:
        """File name and line number of the user's line that recorded this; ``("", 0)`` if unknown."""
        if self.origin is None:
            return "", 0
        code, offset = self.origin
        at = next(itertools.islice(code.co_positions(), offset // 2, None), (None,))
        return code.co_filename, at[0] or code.co_firstlineno


class Sample(NamedTuple):
    """Inputs to test an op on, as `sample` makes them.

    Attributes
    ----------
    args
        Positional arguments: arrays and numbers.
    options
        Keyword options.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.Sample((1.0,), {"axis": 0}).options
    {'axis': 0}
    """

    args: tuple[Any, ...]
    options: dict[str, Any]


def sample(*args: Any, **options: Any) -> Sample:
    """A `Sample`, written as the call it stands for.

    Parameters
    ----------
    *args, **options
        What the op is to be called with.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.sample(2.0, axis=0)
    Sample(args=(2.0,), options={'axis': 0})
    """
    return Sample(args, options)


Rule = Callable[..., Any]
OPS: weakref.WeakValueDictionary[str, Op] = weakref.WeakValueDictionary()


class Op:
    """One differentiable operation: computing, differentiating and writing it, side by side.

    Parameters
    ----------
    forward
        ``forward(*inputs, **options) -> array``, on plain arrays.
    *vjps
        One rule per positional argument, ``vjp(g, y, *inputs, **options)``: the cotangent of
        that argument from the cotangent `g` of the output `y`. None: not differentiable.
        A rule is plain NumPy, and runs on arrays and on tensors.
    name, formula
        How it is called and written; ``{0}``, ``{1}``, ``{option}`` stand for operands and options.
    elementwise
        The inputs broadcast together; cotangents are summed back over the broadcast axes.
    vjp
        In place of `vjps`, one joint rule that returns a cotangent per argument: for variadic
        ops and shared work.
    saves
        ``saves(*inputs, **options)``, plain NumPy: what a rule wants as ``saved=`` besides the output.
        `forward` then returns ``(output, saved)``; a recorded pass computes it anew, differentiably.
    several
        `forward` returns a tuple of arrays; a rule gets tuples for `g` and `y`.
    samples
        ``samples(rng) -> iterable of sample(*args, **options)``: what the registry test runs on.
    reference
        The same function composed of other ops, which the registry test compares with.
    domain
        Bounds of the inputs the op is defined on, for drawing test inputs.
    surrogate
        The rule is deliberately not the derivative (straight-through estimators): the gradient
        check reports it and doesn't fail.

    Raises
    ------
    TypeError
        If rules are given as `vjps` and as `vjp`, or not at all. When called: for an operand that isn't real
        numbers, or a tensor that requires a gradient where there is no rule.

    Examples
    --------
    >>> import numpy as np
    >>> import microgradnd as mg
    >>> softplus = mg.op(
    ...     lambda x: np.logaddexp(x, 0),
    ...     lambda g, y, x: g / (1 + np.exp(-x)),
    ...     name="docs_softplus", formula="log(1 + exp({0}))", elementwise=True)
    >>> mg.grad(softplus)(0.0)
    array(0.5)
    """

    __slots__ = (
        "__weakref__",
        "arity",
        "blocked",
        "domain",
        "elementwise",
        "formula",
        "forward",
        "joint",
        "module",
        "name",
        "packed",
        "reference",
        "samples",
        "saves",
        "several",
        "surrogate",
        "vjps",
    )

    def __init__(
        self,
        forward: Rule,
        *vjps: Rule | None,
        name: str | None = None,
        formula: str | None = None,
        elementwise: bool = False,
        vjp: Rule | None = None,
        saves: Rule | None = None,
        several: bool = False,
        samples: Callable[[np.random.Generator], Iterable[Sample]] | None = None,
        reference: Rule | None = None,
        domain: tuple[float, float] = (-np.inf, np.inf),
        surrogate: bool = False,
    ) -> None:
        if bool(vjps) == (vjp is not None):
            raise TypeError("an op takes one vjp per argument, or one joint rule as vjp=...: give exactly one of them")
        parts: list[tuple[str, Any]] = [("forward", forward), *(("rule", x) for x in (vjp, *vjps) if x is not None)]
        for role, function in parts:
            if not callable(function):
                raise TypeError(f"the {role} of an op is a function, got {function!r}")
        self.name = name or getattr(forward, "__name__", type(forward).__name__).strip("<>")
        self.forward, self.vjps, self.joint = forward, vjps, vjp
        self.formula, self.elementwise, self.samples = formula, elementwise, samples
        self.reference, self.domain, self.surrogate = reference, domain, surrogate
        self.saves, self.several = saves, several
        self.packed = several or saves is not None
        self.arity = len(vjps)
        # Whose rules these are tells the package's own ops from a user's.
        self.module = next((getattr(rule, "__module__", None) or "" for rule in (vjp, *vjps) if rule is not None), "")
        self.blocked = tuple(i for i, rule in enumerate(vjps) if rule is None)
        key = self.name
        while key in OPS:
            key += "'"
        OPS[key] = self

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Compute, and record when an input is a tensor that requires a gradient.

        Arrays in, an array out; a tensor among them, a tensor out.
        """
        plain: list[Any] = []
        tracked = False
        for x in inputs:
            if isinstance(x, Node):
                if x.tracked:
                    tracked = True
                plain.append(x.value)
            elif (x.__class__ is _ndarray and x.dtype.kind in "fiub") or x.__class__ in _OPERANDS:
                plain.append(x)
            else:
                plain.append(as_operand(x, self))
        values = tuple(plain)
        if tracked and (options or self.blocked or len(inputs) != self.arity):
            blocked = self.blocked
            if options or len(inputs) != self.arity or len(blocked) > 1 or isinstance(inputs[blocked[0]], Node):
                self.refuse_lost_gradients(inputs, options)
        saved: Any = None
        try:
            y = self.forward(*values, **options) if options else self.forward(*values)
            if self.packed:
                y, saved = self.pack(y) if self.several else y
        except Exception as error:
            raise explain(error, f"`{self.name}` of {', '.join(map(brief, values))}") from None
        if not tracked:
            node = constant(as_output(y, self.name)) if any(isinstance(x, Node) for x in inputs) else y
        elif (mode := MODE.get()).record:
            node = _new(result_type)
            node.value = y if type(y) is _ndarray and y.dtype.kind == "f" else as_output(y, self.name, "f")
            node.op, node.inputs, node.values = self, inputs, values
            node.options, node.saved = options, saved
            node.tracked, node.changed = True, 0
            node.gradient = node.name = None
            node.serial = next(clock)
            scope = node.scope = CALL.scope or SCOPE.get()
            node.origin = scope._origin if scope is not None and scope.opaque else find_origin(_getframe(1), scope)
            if mode.watch is not None:
                mode.watch.recorded(node)
        else:
            node = constant(y)
            node.inputs = ("no_grad",)
        return unpack(node, saved) if self.several else node

    def pack(self, y: Any) -> tuple[Any, Any]:
        """What `forward` returned, as the output in one array and what is saved for the backward pass."""
        if self.several:
            parts = [np.asarray(part) for part in y]
            return np.concatenate([part.ravel() for part in parts]), [part.shape for part in parts]
        output, saved = y
        return output, saved

    def compute(self, values: Iterable[Any], options: dict[str, Any]) -> Any:
        """The output as one array, from plain arrays and numbers; nothing is recorded."""
        y = self.forward(*values, **options)
        return np.asarray(self.pack(y)[0] if self.packed else y)

    def refuse_lost_gradients(self, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Raise TypeError where a gradient is wanted and there is no rule."""
        lost = []
        if self.joint is None:
            for i in (*self.blocked, *range(self.arity, len(inputs))):
                x = inputs[i]
                if isinstance(x, Node) and x.tracked:
                    lost.append(f"argument {i}")
        if options:
            lost += [f"{key}=" for key, x in options.items() if isinstance(x, Node) and x.tracked]
        if lost:
            raise TypeError(
                f"`{self.name}` has no gradient for {' and '.join(lost)}, which requires one: "
                "pass .detach() or .numpy() of it if none is meant to flow there"
            )

    def __repr__(self) -> str:
        return f"<op {self.name}: {self.formula or self.name}>"


def constant(value: Any, name: str | None = None) -> Node:
    """A tensor of an array, shared and not copied, that no gradient flows to."""
    node = _new(result_type)
    node.value = value if type(value) is np.ndarray else np.asarray(value)
    node.gradient = node.op = node.origin = node.scope = node.saved = node.values = None
    node.name, node.inputs, node.options = name, (), {}
    node.tracked, node.changed, node.serial = False, 0, next(clock)
    return node


result_type: type[Node] = Node  # tensor.py puts Tensor here


def unpack(flat: Any, shapes: list[tuple[int, ...]]) -> tuple[Any, ...]:
    """The outputs of an op with several, cut from the one array that holds them all."""
    ends = list(itertools.accumulate(int(np.prod(shape)) for shape in shapes))
    return tuple(flat[end - int(np.prod(shape)) : end].reshape(shape) for end, shape in zip(ends, shapes, strict=True))


def as_operand(x: Any, op: Op) -> Any:
    """An operand that is neither a tensor nor a plain number, as an array of real numbers."""
    made_of = ""
    if type(x) is not _ndarray and not isinstance(x, np.generic):
        refuse_mask(x, f"`{op.name}`")
        if isinstance(x, np.matrix):
            raise TypeError(f"`{op.name}` takes no np.matrix, whose * is a matrix product: give np.asarray(m), with @")
        made_of = f", made of a {type(x).__name__}"
        x = np.asarray(x)
    kind = x.dtype.kind
    if kind not in "fiub":
        raise TypeError(
            f"`{op.name}` can't compute with an operand of dtype {x.dtype}{made_of}: "
            + ("complex numbers are out of scope here" if kind == "c" else "give it real numbers")
        )
    return x
