"""Ops in pickles and copies: an op is code, so only its name travels, and is looked up on arrival."""

from __future__ import annotations

import copyreg
from typing import Any

from .core import OPS, Op


def find_op(key: str) -> Op:
    """The op registered under this name.

    Raises
    ------
    LookupError
        If there is none: the module that defines it wasn't imported yet.
    """
    if key not in OPS:
        raise LookupError(f"op `{key}` isn't defined here: import the module that defines it before unpickling")
    return OPS[key]


def _reduce(op: Op) -> tuple[Any, tuple[str]]:
    return find_op, (next(key for key, known in OPS.items() if known is op),)


copyreg.pickle(Op, _reduce)  # copy and deepcopy ask here too
