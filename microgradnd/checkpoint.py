"""Memory for time: keep what went into a function, not what it recorded, and run it again in the backward pass."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .context import MODE, mode_switch
from .core import Node, Op, clock, constant, sample
from .gradients import lead_to
from .transforms import give_alias, new_leaf, pull_back

Function = Callable[..., Any]


class Segment:
    """One call of a function: what it takes to make it again with other tensors for its arguments."""

    def __init__(self, f: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.f, self.call = f, (args, kwargs)
        self.tensors = [x for x in tree.leaves(self.call) if _is_tracked(x)]
        self.closed: list[Node] = []  # the tensors that f closes over, a model's parameters for example
        self.outputs: Any = None  # what the first run gave, until the op takes it

    def run(self, stand_ins: Sequence[Any]) -> Any:
        """The call made again."""
        new = iter(stand_ins)
        args, kwargs = tree.rebuild(self.call, [next(new) if _is_tracked(x) else x for x in tree.leaves(self.call)])
        return self.f(*args, **kwargs)

    def replay(self, *inputs: Any) -> Any:
        """The outputs for these arrays, the closed-over tensors' among them: what the op's forward is."""
        if self.outputs is not None:
            outputs, self.outputs = self.outputs, None
            return outputs if len(outputs) > 1 else outputs[0]
        n = len(self.tensors)
        before = [c.value for c in self.closed]
        try:
            for c, array in zip(self.closed, inputs[n:], strict=True):
                c.value = array
            with mode_switch(record=False):
                outputs = tuple(y.value for y in tree.leaves(self.run([constant(x) for x in inputs[:n]])))
        finally:
            for c, array in zip(self.closed, before, strict=True):
                c.value = array
        return outputs if len(outputs) > 1 else outputs[0]

    def pull(self, g: Any, y: Any, *inputs: Any) -> list[Any]:
        """The cotangent of each input, from a fresh run; recorded, if tensors come in."""
        recorded = any(isinstance(x, Node) for x in inputs)
        with mode_switch(record=True):
            aliases = [give_alias(x, "input") for x in inputs[: len(self.tensors)]]
            since = next(clock)
            outputs = [out for out in tree.leaves(self.run(aliases)) if _is_tracked(out)]
        targets = [*aliases, *self.closed]
        leading, strangers = lead_to(outputs, targets, since)
        self.check(outputs, y if isinstance(y, tuple) else (y,), strangers)
        found = pull_back(outputs, g if isinstance(g, tuple) else (g,), targets, leading, since, recorded)
        return [np.zeros_like(t.value) if c is None else c for c, t in zip(found, targets, strict=True)]

    def check(self, outputs: list[Node], before: tuple[Any, ...], strangers: list[Node]) -> None:
        """Raise RuntimeError unless the second run gave what the first gave."""
        same = len(outputs) == len(before) and all(
            np.array_equal(out.value, y.value if isinstance(y, Node) else y, equal_nan=True)
            for out, y in zip(outputs, before, strict=True)
        )
        if strangers or not same:
            raise RuntimeError(
                "a checkpointed function gave another result when it was run again: it must depend on its arguments "
                "alone; draw random numbers, a dropout mask for example, outside and pass them in"
            )


def _is_tracked(x: Any) -> bool:
    return isinstance(x, Node) and x.tracked


def _samples(f: Function) -> Any:
    return lambda rng: [sample(x, segment=Segment(f, (new_leaf(x),), {})) for x in [rng.normal(size=(2, 3))]]


rerun: Op = Op(
    lambda *inputs, segment: segment.replay(*inputs),
    vjp=lambda g, y, *inputs, segment: segment.pull(g, y, *inputs),
    name="checkpoint",
    formula="checkpoint({0})",
    samples=_samples(lambda x: np.tanh(x) * x),
)
rerun_several: Op = Op(
    lambda *inputs, segment: segment.replay(*inputs),
    vjp=lambda g, y, *inputs, segment: segment.pull(g, y, *inputs),
    name="checkpoint_several",
    formula="checkpoint({0})",
    several=True,
    samples=_samples(lambda x: (np.tanh(x), x * x)),
)


def checkpoint(f: Function) -> Function:
    """`f`, remembering only what goes in and out: what is between is computed again in the backward pass.

    Parameters
    ----------
    f
        Any function of tensors, or of nested tuples, lists and dicts of them, that gives the same again when
        it is run again. It may use other tensors too, as a model does its parameters.

    Returns
    -------
    callable
        Called like `f`. Its gradients are those of `f`, to any order.

    Raises
    ------
    TypeError
        If `f` is no function, but what one returned.
    RuntimeError
        In the backward pass, if the second run gives another result than the first.

    Notes
    -----
    Chen, Xu, Zhang, Guestrin, "Training deep nets with sublinear memory cost", arXiv:1604.06174: with a
    chain of n steps in about sqrt(n) segments, memory grows as sqrt(n), for one more forward pass.

    Examples
    --------
    >>> import microgradnd as mg, numpy as np
    >>> x = mg.tensor(2.0, requires_grad=True)
    >>> mg.checkpoint(lambda x: np.exp(x) * x)(x).backward()
    >>> bool(np.isclose(x.grad, 3 * np.exp(2)))
    True
    """
    if not callable(f):
        raise TypeError(f"mg.checkpoint takes a function, got {type(f).__name__}: write mg.checkpoint(f)(x)")

    @functools.wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        if not MODE.get().record:
            return f(*args, **kwargs)
        segment = Segment(f, args, kwargs)
        aliases = [new_leaf(x.value) for x in segment.tensors]
        since = next(clock)
        value = segment.run(aliases)
        outputs = [y for y in tree.leaves(value) if _is_tracked(y)]
        _, segment.closed = lead_to(outputs, aliases, since)
        if not outputs:
            return value
        segment.outputs = tuple(y.value for y in outputs)
        kept = (rerun if len(outputs) == 1 else rerun_several)(*segment.tensors, *segment.closed, segment=segment)
        new = iter(kept if isinstance(kept, tuple) else (kept,))
        return tree.rebuild(value, [next(new) if _is_tracked(y) else y for y in tree.leaves(value)])

    return checkpointed
