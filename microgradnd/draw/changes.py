"""What was written into arrays behind their tensors' backs: each op is computed again, and should give what it gave.

A tensor tells when its data was changed (`Node.changed`), unless someone wrote into the array itself. Then an op that
used it no longer gives the value that was recorded. Who is to blame is found as in a search for the faulty part:
the tensor or array that explains the most such ops; where several explain as many, all of them are suspects.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from ..context import mode_switch
from ..core import Node
from .trace import Operand, Trace, is_stale, key

ROUNDING = 64  # units in the last place by which computing again may differ


def unannounced(t: Trace, consumers: dict[int, list[Node]]) -> tuple[set[int], dict[int, list[Operand]]]:
    """What was changed without a word since it was used here.

    Parameters
    ----------
    consumers
        Who uses each operand, by its `key`.

    Returns
    -------
    set, dict
        The `key` of each tensor and array that was surely changed; and by serial the ops that no longer give
        their recorded value, with the operands of which at least one was changed.
    """
    with mode_switch(record=False, watch=None), np.errstate(all="ignore"):
        wrong = {x.serial: x for x in t.nodes if not _gives_again(x)}
    told = {x.serial for x in t.nodes if is_stale(x, consumers[x.serial])}
    explains: dict[int, set[int]] = defaultdict(set)
    operands: dict[int, Operand] = {}
    for serial, node in wrong.items():
        suspects = [_source(x) for x in node.inputs or () if isinstance(x, Operand)]
        suspects = [x for x in suspects if not isinstance(x, Node) or x.op is None or x.serial in wrong]
        if not suspects or any(c.serial in wrong for c in consumers[serial]):
            suspects.append(node)
        for x in suspects:
            operands[key(x)] = x
            explains[key(x)].add(serial)
    left = set(wrong)
    for k in told & explains.keys():
        left -= explains[k]
    surely: set[int] = set()
    unsure: dict[int, list[Operand]] = {}
    while left:
        innocence = {
            k: (-len(ops & left), sum(c.serial not in wrong for c in consumers[k]))
            for k, ops in explains.items()
            if ops & left
        }
        best = min(innocence.values())
        found = [k for k, score in innocence.items() if score == best]
        if len(found) == 1:
            surely.add(found[0])
        else:
            serial = min(explains[found[0]] & left)
            unsure[serial] = [operands[k] for k in found if serial in explains[k]]
        left -= explains[found[0]]
    return surely, unsure


def _gives_again(node: Node) -> bool:
    """Whether an op still gives what it gave; True too for one that can't be asked.

    That is one that was freed, or one without samples of its own: only those are known to have no side effects
    and no randomness.
    """
    op: Any = node.op
    if op is None or node.inputs is None or node.values is None or op.samples is None:
        return True
    try:
        again = op.compute(node.values, node.options)
    except Exception:
        return True  # what it was given can't be put in again
    read = [x for x in node.values if isinstance(x, np.ndarray) and x.dtype.kind == "f"]
    return _alike(np.asarray(again), node.value, max(map(_largest, [node.value, *read]), default=0.0))


def _alike(a: np.ndarray, b: np.ndarray, largest: float) -> bool:
    """Whether two arrays are equal but for rounding, which goes by the `largest` of the numbers they were made from."""
    if a.shape != b.shape or np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
        return True
    if a.dtype.kind != "f" or b.dtype.kind != "f":
        return False
    finite = np.isfinite(a) & np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return False
    return bool(np.abs(a - b)[finite].max(initial=0.0) <= ROUNDING * np.finfo(b.dtype).eps * largest)


def _largest(x: np.ndarray) -> float:
    return float(np.abs(x[np.isfinite(x)]).max(initial=0.0)) if x.dtype.kind == "f" else 0.0


def _source(x: Operand) -> Operand:
    """The tensor or array that `x` is a view of; or `x`."""
    while isinstance(x, Node) and x.op is not None and x.value.base is not None:
        inner = next(
            (
                i
                for i, v in zip(x.inputs or (), x.values or (), strict=False)
                if isinstance(i, Operand) and isinstance(v, np.ndarray) and np.may_share_memory(x.value, v)
            ),
            None,
        )
        if inner is None:
            break
        x = inner
    return x
