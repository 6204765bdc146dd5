"""The gradient in the inputs' own, narrower dtype, held against the same formula in float64.

The formula is checked in float64, where differences are sharp. What is left to go wrong in float32 or float16 is
rounding (cancellation, overflow), an op that silently widens its result, and a rule that is another one there. Each op is
looked at by itself first, at the values it got; what no op does alone, they do together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..backward import walk
from ..context import mode_switch
from ..core import Node
from .blame import Alone
from .problem import Problem, Recording, cotangent

# Relative to each element, and to the largest of its input.
_ALLOWED = {np.dtype(np.float32): (1e-4, 1e-6), np.dtype(np.float16): (3e-2, 1e-2)}
_TERMS = 16  # as many cotangents' rounding may add up in one element


def find_narrow_trouble(
    problem: Problem, w: np.ndarray, wide: Sequence[np.ndarray], rng: np.random.Generator
) -> list[str]:
    """Say what goes wrong in the inputs' own dtype; nothing for float64 inputs.

    Parameters
    ----------
    problem, w
        The function, and the cotangent of its outputs.
    wide
        The gradients computed in float64.
    rng
        For the cotangents of ops by themselves.
    """
    given = problem.native_point()
    if all(x.dtype not in _ALLOWED for x in given):
        return []
    run = problem.record(given)
    found = list(_widened(run)) + list(_inaccurate(run, rng))
    if found:
        return found[:3]
    rounding, gradients = _TERMS * _largest_cotangent(run, w), problem.pull(run, w)

    def apart(slack: Sequence[Any]) -> list[str]:
        """Where gradients differ by more than rounding and this slack, one per input."""
        told = []
        for leaf, x, g, right, more in zip(problem.checked, given, gradients, wide, slack, strict=True):
            if x.dtype in _ALLOWED:
                numbers = _disagreement(g, right, more + rounding * float(np.finfo(x.dtype).eps))
                if numbers:
                    told.append(
                        f"in {x.dtype} the gradient of {leaf.name} at {numbers}: the formula is right, "
                        "and loses its digits to cancellation or overflow"
                    )
        return told

    if not apart([0.0] * len(given)) or _on_another_step(run, problem.recorded, rng):
        return []
    beside = _at_next_numbers(problem, given, w, wide, rng)  # what rounding of the inputs alone would do
    return apart([_TERMS * np.nan_to_num(np.abs(g - right)) for g, right in zip(beside, wide, strict=True)])[:3]


def _widened(run: Recording) -> Iterator[str]:
    """Ops that give more digits than they got."""
    for number, node in enumerate(run.nodes(), 1):
        x = np.result_type(*(v.dtype for v in node.values if hasattr(v, "dtype") and v.dtype.kind == "f"))
        if x.itemsize < node.value.dtype.itemsize and "dtype" not in node.options:
            name = node.op.name if node.op else ""
            yield f"{x} in, float64 out: op #{number} `{name}` widens its input, recorded at {node.site}"


def _inaccurate(run: Recording, rng: np.random.Generator) -> Iterator[str]:
    """Ops whose own rule gives something else in their narrow dtype than in float64."""
    for number, node in enumerate(run.nodes(), 1):
        if node.value.dtype in _ALLOWED and node.op is not None and not node.op.surrogate:
            place = _worst_argument(node, rng)
            if place:
                yield (
                    f"op #{number} `{node.op.name}` is right in float64 and not in {node.value.dtype}: its vjp for "
                    f"{place}, recorded at {node.site}"
                )


def _on_another_step(narrow: Recording, wide: Recording, rng: np.random.Generator) -> bool:
    """Whether rounding took a flat op, such as floor_divide, to another value: two functions then, of two gradients."""
    for n, m in zip(narrow.nodes(), wide.nodes(), strict=False):
        if n.value.shape == m.value.shape and not np.allclose(n.value, m.value, rtol=1e-3, equal_nan=True):
            alone = Alone.of(m)
            if not any(np.any(g) for g in alone.pull(cotangent(alone.at.shape, rng))):
                return True
    return False


def _worst_argument(node: Node, rng: np.random.Generator) -> str:
    try:
        narrow, wide = Alone.of(node, widen=False), Alone.of(node)
        w = cotangent(wide.at.shape, rng)
        pairs = zip(narrow.arguments, narrow.pull(w), wide.pull(w), strict=True)
    except Exception:
        return ""  # what a rule raises is said where it is checked in float64
    rounding = _TERMS * float(np.finfo(node.value.dtype).eps) * float(np.abs(w).max(initial=0.0))
    wrong = [f"argument {i} at {numbers}" for i, g, right in pairs if (numbers := _disagreement(g, right, rounding))]
    return wrong[0] if wrong else ""


def _at_next_numbers(
    problem: Problem,
    given: Sequence[np.ndarray],
    w: np.ndarray,
    wide: Sequence[np.ndarray],
    rng: np.random.Generator,
) -> Sequence[np.ndarray]:
    """The gradients in float64 where each narrow input is one rounding off; those at the point where that can't be had."""
    eps = [float(np.finfo(x.dtype).eps) if x.dtype in _ALLOWED else 0.0 for x in given]
    moved = [x * (1 + e * rng.choice([-1.0, 1.0], x.shape)) for x, e in zip(problem.point, eps, strict=True)]
    try:
        return problem.pull(problem.record(moved), w)
    except Exception:  # the function takes no such numbers, or gives outputs of another shape
        return wide


def _largest_cotangent(run: Recording, w: np.ndarray) -> float:
    largest, start = 0.0, 0
    with mode_switch(record=False, watch=None), np.errstate(all="ignore"):
        for y in run.outputs:
            size = np.size(y.value if isinstance(y, Node) else y)
            part, start = w[start : start + size], start + size
            if isinstance(y, Node) and y.tracked:
                seed: Any = part.reshape(y.value.shape).astype(y.value.dtype)
                sizes = [float(np.abs(g).max(initial=0.0)) for _, g in walk(y, seed)]
                largest = max([largest, *(size for size in sizes if np.isfinite(size))])
    return largest


def _disagreement(g: np.ndarray, right: np.ndarray, rounding: Any) -> str:
    """The place and the values where a narrow gradient is worst; "" if it is as good as its dtype allows."""
    if g.dtype not in _ALLOWED:
        return ""
    relative, absolute = _ALLOWED[g.dtype]
    with np.errstate(all="ignore"):
        limit = relative * np.abs(right) + absolute * np.abs(right).max(initial=0.0) + rounding
        apart = np.abs(g.astype(np.float64) - right)
    wrong = ~(apart <= limit) & np.isfinite(right)
    if not wrong.any():
        return ""
    k = int(np.argmax(np.where(wrong, np.nan_to_num(apart, nan=np.inf), -1)))
    place = [int(i) for i in np.unravel_index(k, right.shape)]
    return f"{place} is {g.flat[k]:.6g}, in float64 it is {right.flat[k]:.6g}"
