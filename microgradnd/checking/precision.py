"""The gradient in the inputs' own, narrower dtype, held against the same formula in float64.

The formula is checked in float64, where differences are sharp. What is left to go wrong in float32 or float16 is
rounding (cancellation, overflow) and an op that silently widens its result.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .problem import Problem

# Relative to each element, and to the largest of its input.
_ALLOWED = {np.dtype(np.float32): (1e-4, 1e-6), np.dtype(np.float16): (3e-2, 1e-2)}


def find_narrow_trouble(problem: Problem, w: np.ndarray, wide: Sequence[np.ndarray]) -> list[str]:
    """Say what goes wrong in the inputs' own dtype; nothing for float64 inputs.

    Parameters
    ----------
    problem, w
        The function, and the cotangent of its outputs.
    wide
        The gradients computed in float64.
    """
    given = problem.native_point()
    if all(x.dtype not in _ALLOWED for x in given):
        return []
    run = problem.record(given)
    found = [
        f"{x} in, float64 out: op #{number} `{node.op.name if node.op else ''}` widens its input, recorded at {node.site}"
        for number, node in enumerate(run.nodes(), 1)
        for x in [np.result_type(*(v.dtype for v in node.values if hasattr(v, "dtype") and v.dtype.kind == "f"))]
        if x.itemsize < node.value.dtype.itemsize and "dtype" not in node.options
    ]
    for leaf, x, g, right in zip(problem.checked, given, problem.pull(run, w), wide, strict=True):
        if x.dtype in _ALLOWED:
            relative, absolute = _ALLOWED[x.dtype]
            limit = relative * np.abs(right) + absolute * np.abs(right).max(initial=0.0)
            apart = np.abs(g.astype(np.float64) - right)
            wrong = ~(apart <= limit) & np.isfinite(right)
            if wrong.any():
                k = int(np.argmax(np.where(wrong, np.nan_to_num(apart, nan=np.inf), -1)))
                place = [int(i) for i in np.unravel_index(k, right.shape)]
                found.append(
                    f"in {x.dtype} the gradient of {leaf.name} at {place} is {g.flat[k]:.6g}, in float64 it is "
                    f"{right.flat[k]:.6g}: the formula is right, and loses its digits to cancellation or overflow"
                )
    return found[:3]
