"""What errors say: which tensor, which op and shapes, and the user's line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

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
    return f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else shorten(repr(value))


def shorten(text: str, length: int = 60) -> str:
    """The beginning of a text that is too long for a message."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def refuse_mask(x: Any, who: str) -> None:
    """Raise TypeError for a masked array: its mask would be lost."""
    ma = sys.modules.get("numpy.ma")  # who has masked arrays has imported it, which takes a while
    if ma is not None and isinstance(x, ma.MaskedArray):
        raise TypeError(f"{who} would lose the mask of a masked array: fill it first, with .filled(value)")


def check_differentiable(dtype: np.dtype[Any]) -> None:
    """Raise TypeError unless a tensor of this dtype may require a gradient."""
    if dtype.kind == "c":
        raise TypeError(f"complex numbers ({dtype}) are out of scope here: differentiate real and imaginary parts")
    if dtype.kind != "f":
        raise TypeError(
            f"a tensor of dtype {dtype} can't require a gradient: only floating-point values can be "
            "changed a little; make it mg.tensor(..., dtype=float, requires_grad=True)"
        )


def as_output(y: Any, name: str, kinds: str = "fiub") -> np.ndarray:
    """What an op's forward returned, as an array of one of these kinds of numbers, or a TypeError that says what to return."""
    if not isinstance(y, _NUMBERS):
        raise TypeError(
            f"the forward of `{name}` returned {_a(y)}: it returns one array"
            + (", or several with mg.op(..., several=True)" if isinstance(y, tuple | list) else "")
        )
    array = np.asarray(y)
    if array.dtype.kind not in kinds:
        way = (
            "and complex numbers are out of scope here: return real and imaginary part, with several=True"
            if array.dtype.kind == "c"
            else "but an input requires a gradient: return floating-point numbers, as y.astype(x.dtype) makes them, "
            "or give the op x.detach() if no gradient is meant to flow"
        )
        raise TypeError(f"the forward of `{name}` returned numbers of dtype {array.dtype}, {way}")
    return array


def locate(error: Exception, node: Node, rule: Any, x: Any) -> Exception:
    """The error of a rule, with the op, argument, shapes and line it belongs to."""
    name, rules = (node.op.name, node.op.vjps) if node.op else ("", ())
    at = [i for i, (r, z) in enumerate(zip(rules, node.inputs or (), strict=False)) if r is rule and z is x]
    which = f" for argument {at[0]}" if at else ""
    shapes = ", ".join(str(np.shape(v)) for v in node.values)
    site = f", recorded at {node.site}" if node.site else ""
    return explain(error, f"backward of `{name}`{which} (inputs {shapes}, output {node.value.shape}{site})")


def refuse_freed(node: Node) -> NoReturn:
    """Raise RuntimeError: this node's links are gone."""
    raise RuntimeError(
        f"the graph behind {describe(node)} was freed by an earlier backward with retain_graph=False: "
        "compute the result anew, or keep the graph with retain_graph=True"
    )


def misshapen(given: tuple[int, ...], wanted: tuple[int, ...]) -> ValueError:
    """The error for a cotangent that hasn't its argument's shape, and what to do if that was broadcast."""
    stretched = len(given) >= len(wanted) and all(n in (1, m) for n, m in zip(wanted[::-1], given[::-1], strict=False))
    way = ": sum over the axes that broadcasting stretched, or say elementwise=True" if stretched else ""
    return ValueError(f"the rule gave a cotangent of shape {given} for an argument of shape {wanted}{way}")


def as_cotangent(c: Any) -> np.ndarray:
    """What a rule gave, as an array, which NumPy may have made a scalar, or a TypeError."""
    if not isinstance(c, _NUMBERS):
        raise TypeError(f"the rule gave {_a(c)}; a rule is plain NumPy and gives an array")
    array = np.asarray(c)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"the rule gave numbers of dtype {array.dtype}; a cotangent of real numbers is real: give its .real"
        )
    return array


_NUMBERS = np.ndarray | np.generic | float | int | complex


def _a(thing: Any) -> str:
    return "None" if thing is None else f"a {type(thing).__name__}"
