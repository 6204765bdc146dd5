"""Watching a computation for what goes wrong silently: NaN, infinity, and arrays changed behind a tensor's back."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .context import mode_switch
from .core import Node


@contextmanager
def debug() -> Iterator[None]:
    """Stop at the first NaN or infinity, and at arrays changed in place: ``with mg.debug(): ...``.

    It sees what is recorded inside, in this thread or task, and each backward pass run inside. Each array that
    an op reads is summed up when it is recorded and again before its rule runs, which costs some time. NumPy's
    own warnings about the same things, which name no line of yours, are silent meanwhile.

    Raises
    ------
    FloatingPointError
        Where an op, or its rule in a backward pass, makes a NaN or an infinity of finite numbers. The message
        names the op, your line that recorded it, and the range of each input.
    RuntimeError
        In a backward pass, where an array that an op read, a mini-batch for example, or that it gave, was
        written into since: the gradient would be wrong.

    Examples
    --------
    >>> import microgradnd as mg, numpy as np
    >>> x = mg.tensor([1.0, 0.0], requires_grad=True, name="x")
    >>> with mg.debug():
    ...     np.log(x)
    Traceback (most recent call last):
        ...
    FloatingPointError: `log` gave -inf at [1] ...
    """
    with mode_switch(watch=_Watch()), np.errstate(all="ignore"):
        yield


class _Watch:
    """What the engine reports to while recording and pulling back."""

    def __init__(self) -> None:
        self.prints: dict[int, tuple[Any, list[int]]] = {}  # serial -> the node, weakly, and a hash of each array

    def recorded(self, node: Node) -> None:
        """Check the values of a node just made."""
        found = _first_bad(node.value)
        if found and not any(map(_first_bad, node.values)):
            op: Any = node.op
            raise FloatingPointError(f"`{op.name}` gave {found}{_circumstances(node)}")
        serial, prints = node.serial, self.prints
        prints[serial] = (
            weakref.ref(node, lambda _: prints.pop(serial, None)),
            [_fingerprint(array) for _, array in _arrays(node)],
        )

    def before_pull(self, node: Node) -> None:
        """Check that the arrays a rule is about to read are what they were."""
        if node.serial not in self.prints or node.inputs is None:
            return
        before = self.prints[node.serial][1]
        for (role, array), print_ in zip(_arrays(node), before, strict=True):
            if _fingerprint(array) != print_ and not _is_announced(node, array):
                raise RuntimeError(
                    f"{role} of `{node.op.name if node.op else ''}`, an array of shape {array.shape}, was written into "
                    f"after it was used{_at(node)}: backward needs its old values; give the op a copy, or compute "
                    "the result anew after changing data"
                )

    def after_pull(self, node: Node, g: Any, pairs: list[tuple[Node, Any]]) -> None:
        """Check the cotangents that a node's rules gave."""
        for x, c in pairs:
            found = _first_bad(c)
            if found and not any(map(_first_bad, (g, node.value, *node.values))):
                op: Any = node.op
                i = next(i for i, z in enumerate(node.inputs or ()) if z is x)
                raise FloatingPointError(
                    f"backward of `{op.name}` for argument {i} gave {found}, of a cotangent {_range(g)}{_circumstances(node)}"
                )


def _arrays(node: Node) -> list[tuple[str, np.ndarray]]:
    """The arrays a node's rules may read, and what they are to it."""
    read = [(f"input {i}", x) for i, x in enumerate(node.values)]
    read += [(f"option {key}=", x) for key, x in node.options.items()]
    return [(role, x) for role, x in [*read, ("the result", node.value)] if isinstance(x, np.ndarray)]


def _is_announced(node: Node, array: np.ndarray) -> bool:
    """Whether the change was told with touch(): then backward itself has more to say."""
    return any(
        isinstance(x, Node) and x.changed > node.serial and x.value is array for x in (node, *(node.inputs or ()))
    )


def _fingerprint(array: np.ndarray) -> int:
    return hash(array.tobytes())


def _values(x: Any) -> Any:
    return x.value if isinstance(x, Node) else x


def _first_bad(x: Any) -> str:
    """The first NaN or infinity in an array, and where; empty if all is finite."""
    array = np.asarray(_values(x))
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return ""
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    return f"{array[index]}" + (f" at {list(index)}" if index else "")


def _range(x: Any) -> str:
    """Shape, dtype, and between which numbers the finite elements lie."""
    array = np.asarray(_values(x))
    numbers = array[np.isfinite(array)] if array.dtype.kind in "fiu" else array[:0]
    text = f"{array.shape} {array.dtype}"
    return f"{text} in [{numbers.min():.6g}, {numbers.max():.6g}]" if numbers.size else text


def _circumstances(node: Node) -> str:
    names = [f"{i} `{x.name}`" if isinstance(x, Node) and x.name else str(i) for i, x in enumerate(node.inputs or ())]
    inputs = "; ".join(f"input {name} {_range(v)}" for name, v in zip(names, node.values, strict=True))
    return f" ({inputs}){_at(node)}"


def _at(node: Node) -> str:
    return f", recorded at {node.site}" if node.site else ""
