"""What errors say: which tensor, which op and shapes, and the user's line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .core import Node


def describe(node: Node) -> str:
    """A few words that let a reader recognise a tensor in an error message."""
    what = (
        f"tensor `{node.name}`" if node.name else "a tensor" if node.op is None else f"the result of `{node.op.name}`"
    )
    site = node.site
    return f"{what} of shape {node.value.shape}" + (f" (recorded at {site})" if site else "")


def explain(error: Exception, where: str) -> Exception:
    """The same kind of error, its text preceded by where it happened."""
    try:
        told = type(error)(f"{where}: {error}")
    except Exception:
        error.add_note(where)
        return error
    return told.with_traceback(error.__traceback__)


def brief(value: Any) -> str:
    """An operand in a few words."""
    return f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else repr(value)
