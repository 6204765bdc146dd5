"""Tensors with names, on which a rule is run to be read: what they record and what they are compared to is kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Node, constant
from ..tensor import Tensor
from .expression import brief


class Compared(np.ndarray):
    """What comparing named tensors gives: an array that remembers how it was made."""

    made: tuple[str, tuple[Any, ...]] | None

    def __array_finalize__(self, parent: Any) -> None:
        """Views and results of other operations have no story to tell."""
        self.made = None

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Compute on plain arrays, and remember operators."""
        if any(isinstance(x, Node) for x in inputs):
            return NotImplemented  # the tensor's turn
        plain = [x.view(np.ndarray) if isinstance(x, Compared) else x for x in inputs]
        if "out" in kwargs:
            kwargs["out"] = tuple(x.view(np.ndarray) if isinstance(x, Compared) else x for x in kwargs["out"])
        result = getattr(ufunc, method)(*plain, **kwargs)
        sign = SIGNS.get(ufunc)
        return compared(result, sign, inputs) if method == "__call__" and sign else result

    def __getitem__(self, index: Any) -> Any:
        """The same story where only axes of length one are added: a column of `target` is `target`."""
        parts = index if isinstance(index, tuple) else (index,)
        picked = super().__getitem__(index)
        whole = all(p is None or p is Ellipsis or p == slice(None) for p in parts if not isinstance(p, np.ndarray))
        same = whole and not any(isinstance(p, np.ndarray) for p in parts)
        return compared(np.asarray(picked), "{0}", (self,)) if same else picked

    def astype(self, *args: Any, **kwargs: Any) -> Any:
        """The same numbers in another dtype: the same story."""
        return compared(super().astype(*args, **kwargs).view(np.ndarray), "{0}", (self,))

    def sum(self, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
        """The count, remembered as such."""
        where = "" if axis is None else f", axis={brief(axis)}"
        return compared(self.view(np.ndarray).sum(axis, *args, **kwargs), f"count({{0}}{where})", (self,))


SIGNS: dict[Any, str] = {
    np.greater: "{0} > {1}",
    np.greater_equal: "{0} >= {1}",
    np.less: "{0} < {1}",
    np.less_equal: "{0} <= {1}",
    np.equal: "{0} == {1}",
    np.not_equal: "{0} != {1}",
    np.logical_and: "{0} and {1}",
    np.bitwise_and: "{0} and {1}",
    np.logical_or: "{0} or {1}",
    np.bitwise_or: "{0} or {1}",
    np.logical_not: "not {0}",
    np.invert: "not {0}",
    np.multiply: "{0} * {1}",
    np.add: "{0} + {1}",
    np.subtract: "{0} - {1}",
    np.true_divide: "{0} / {1}",
    np.isnan: "isnan({0})",
    np.isfinite: "isfinite({0})",
    np.isinf: "isinf({0})",
}


def compared(array: Any, sign: str, operands: tuple[Any, ...]) -> Compared:
    """An array that remembers the comparison or arithmetic that it came from."""
    result = np.asarray(array).view(Compared)
    result.made = sign, operands
    return result


class Symbol(Tensor):
    """A tensor in a rule that is being read: comparisons of it are remembered."""

    __slots__ = ()

    def __lt__(self, other: Any) -> Any:
        return self._compare(np.less, other)

    def __le__(self, other: Any) -> Any:
        return self._compare(np.less_equal, other)

    def __gt__(self, other: Any) -> Any:
        return self._compare(np.greater, other)

    def __ge__(self, other: Any) -> Any:
        return self._compare(np.greater_equal, other)

    def __eq__(self, other: Any) -> Any:
        return self._compare(np.equal, other)

    def __ne__(self, other: Any) -> Any:
        return self._compare(np.not_equal, other)

    __hash__ = object.__hash__

    def _compare(self, ufunc: np.ufunc, other: Any) -> Any:
        plain = [np.asarray(x.value if isinstance(x, Node) else x).view(np.ndarray) for x in (self, other)]
        if self is other and ufunc is np.not_equal:
            return compared(np.isnan(plain[0]), "isnan({0})", (self,))
        return compared(ufunc(*plain), SIGNS[ufunc], (self, other))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        sign = SIGNS.get(ufunc)
        if sign and method == "__call__" and not kwargs and ufunc.types[0].endswith("?"):
            plain = [np.asarray(x.value if isinstance(x, Node) else x).view(np.ndarray) for x in inputs]
            return compared(ufunc(*plain), sign, inputs)
        return super().__array_ufunc__(ufunc, method, *inputs, **kwargs)


class Naming:
    """The watcher under which a rule is read: what it records is a symbol, too."""

    def recorded(self, node: Node) -> None:
        """Make what was recorded a symbol."""
        node.__class__ = Symbol

    def before_pull(self, node: Node) -> None:
        """Nothing is pulled back here."""

    def after_pull(self, node: Node, pairs: Any) -> None:
        """Nothing is pulled back here."""


def symbol(name: str, value: Any) -> Symbol:
    """A tensor that prints as `name`."""
    node: Any = constant(np.asarray(value), name)
    node.__class__ = Symbol
    node.tracked = node.value.dtype.kind == "f"
    return node  # type: ignore[no-any-return]
