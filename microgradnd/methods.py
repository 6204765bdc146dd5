"""What a tensor has because arrays have it: NumPy's attributes and methods, one line each.

Every method calls the op or function that NumPy's function of the same name reaches, with NumPy's
arguments; what gives integers or booleans asks the array. Methods that change an array in place
raise, and name the function that gives a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, NoReturn

import numpy as np

from .context import MODE
from .core import Node
from .dispatch import values
from .messages import describe
from .ops import arithmetic, cumulative, diagonals, elementwise, indexing, joining, products, reductions
from .ops import shape as shaping

_NO: Any = np._NoValue


def _augmented(ufunc: np.ufunc, sign: str) -> Callable[[Any, Any], Any]:
    """The operator ``x += ...`` or one of its kin: in place on a leaf outside the graph, else rebinding `x`."""

    def change(self: Node, other: Any) -> Any:
        if self.op is not None or not self.tracked:
            return NotImplemented  # Python goes on with the plain operator, and rebinds the name
        if MODE.get().record:
            raise RuntimeError(
                f"x {sign}= ... on a leaf that requires a gradient, {describe(self)}, would change what graphs "
                f"rely on: update inside `with mg.no_grad():`, or make a new tensor with x = x {sign} ..."
            )
        ufunc(self.value, values(other), out=self.value)
        self.touch()
        return self

    return change


def _bitwise(ufunc: np.ufunc) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """The operator of integers and booleans that a ufunc stands for, and the reflected one."""
    return lambda self, other: ufunc(self, other), lambda self, other: ufunc(other, self)


class ArrayMethods(Node):
    """A node with the attributes and methods of an ndarray."""

    __slots__ = ()

    shape = property(attrgetter("value.shape"), doc="The length of each axis.")
    ndim = property(attrgetter("value.ndim"), doc="The number of axes.")
    size = property(attrgetter("value.size"), doc="The number of elements.")
    dtype = property(attrgetter("value.dtype"), doc="NumPy's dtype of the elements.")
    itemsize = property(lambda self: self.value.itemsize, doc="Bytes per element.")
    nbytes = property(lambda self: self.value.nbytes, doc="Bytes of all elements.")
    strides = property(lambda self: self.value.strides, doc="Bytes from one element to the next, for each axis.")
    flags = property(lambda self: self.value.flags, doc="NumPy's account of the array's memory layout.")
    T = property(lambda self: shaping.transpose(self), doc="The transpose: all axes reversed.")
    mT = property(lambda self: shaping.matrix_transpose(self), doc="The transpose of the last two axes.")  # noqa: N815

    real = property(lambda self: self, doc="The tensor itself: its numbers are real.")
    imag = property(lambda self: elementwise.imag(self), doc="Zeros: its numbers are real.")

    @property
    def flat(self) -> NoReturn:
        """Refused: writing through it would escape the graph."""
        raise TypeError(
            "x.flat of a tensor would let writes escape the graph: use np.ravel(x), or mg.put(x, index, value)"
        )

    # -- changing in place -----------------------------------------------------------------
    __iadd__ = _augmented(np.add, "+")
    __isub__ = _augmented(np.subtract, "-")
    __imul__ = _augmented(np.multiply, "*")
    __itruediv__ = _augmented(np.divide, "/")
    __ifloordiv__ = _augmented(np.floor_divide, "//")
    __imod__ = _augmented(np.remainder, "%")
    __ipow__ = _augmented(np.power, "**")
    __imatmul__ = _augmented(np.matmul, "@")

    # -- bits, of tensors of integers or booleans ------------------------------------------
    __and__, __rand__ = _bitwise(np.bitwise_and)
    __or__, __ror__ = _bitwise(np.bitwise_or)
    __xor__, __rxor__ = _bitwise(np.bitwise_xor)
    __lshift__, __rlshift__ = _bitwise(np.left_shift)
    __rshift__, __rrshift__ = _bitwise(np.right_shift)

    def __invert__(self) -> Any:
        return ~self.value

    # -- to Python -------------------------------------------------------------------------
    def item(self, *args: Any) -> Any:
        """One element as a Python number: the only one, or that at an index."""
        return self.value.item(*args)

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self.value.tolist()

    # -- reductions ------------------------------------------------------------------------
    def sum(
        self,
        axis: Any = None,
        dtype: Any = None,
        out: None = None,
        keepdims: Any = False,
        initial: Any = _NO,
        where: Any = _NO,
    ) -> Any:
        """`np.sum` of this tensor."""
        return reductions.sum(self, axis, dtype, out, keepdims, initial, where)

    def prod(
        self,
        axis: Any = None,
        dtype: Any = None,
        out: None = None,
        keepdims: Any = False,
        initial: Any = _NO,
        where: Any = _NO,
    ) -> Any:
        """`np.prod` of this tensor."""
        return reductions.prod(self, axis, dtype, out, keepdims, initial, where)

    def mean(
        self, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False, *, where: Any = _NO
    ) -> Any:
        """`np.mean` of this tensor."""
        return reductions.mean(self, axis, dtype, out, keepdims, where=where)

    def var(
        self,
        axis: Any = None,
        dtype: Any = None,
        out: None = None,
        ddof: float = 0,
        keepdims: Any = False,
        *,
        where: Any = _NO,
        mean: Any = _NO,
    ) -> Any:
        """`np.var` of this tensor."""
        return reductions.var(self, axis, dtype, out, ddof, keepdims, where=where, mean=mean)

    def std(
        self,
        axis: Any = None,
        dtype: Any = None,
        out: None = None,
        ddof: float = 0,
        keepdims: Any = False,
        *,
        where: Any = _NO,
        mean: Any = _NO,
    ) -> Any:
        """`np.std` of this tensor."""
        return reductions.std(self, axis, dtype, out, ddof, keepdims, where=where, mean=mean)

    def max(
        self, axis: Any = None, out: None = None, keepdims: Any = False, initial: Any = _NO, where: Any = _NO
    ) -> Any:
        """`np.max` of this tensor."""
        return reductions.max(self, axis, out, keepdims, initial, where)

    def min(
        self, axis: Any = None, out: None = None, keepdims: Any = False, initial: Any = _NO, where: Any = _NO
    ) -> Any:
        """`np.min` of this tensor."""
        return reductions.min(self, axis, out, keepdims, initial, where)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None) -> Any:
        """`np.trace` of this tensor."""
        return diagonals.trace(self, offset, axis1, axis2, dtype, out)

    def dot(self, b: Any, out: None = None) -> Any:
        """`np.dot` of this tensor and another."""
        return products.dot(self, b, out)

    # -- element by element ----------------------------------------------------------------
    def cumsum(self, axis: Any = None, dtype: Any = None, out: None = None) -> Any:
        """`np.cumsum` of this tensor."""
        return cumulative.cumsum(self, axis, dtype, out)

    def cumprod(self, axis: Any = None, dtype: Any = None, out: None = None) -> Any:
        """`np.cumprod` of this tensor."""
        return cumulative.cumprod(self, axis, dtype, out)

    def clip(self, min: Any = None, max: Any = None, out: None = None, **kwargs: Any) -> Any:
        """`np.clip` of this tensor."""
        return arithmetic.clip(self, min, max, out, **kwargs)

    def round(self, decimals: int = 0, out: None = None) -> Any:
        """`np.round` of this tensor."""
        return elementwise.round(self, decimals, out)

    def conj(self) -> Any:
        """The tensor itself: its numbers are real."""
        return self

    conjugate = conj

    # -- shape -----------------------------------------------------------------------------
    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
        """`np.reshape` of this tensor; the shape as one tuple or several numbers."""
        return shaping.reshape(self, shape[0] if len(shape) == 1 else shape, order, copy=copy)

    def transpose(self, *axes: Any) -> Any:
        """`np.transpose` of this tensor; the axes as one tuple or several numbers."""
        return shaping.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """`np.swapaxes` of this tensor."""
        return shaping.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: Any = None) -> Any:
        """`np.squeeze` of this tensor."""
        return shaping.squeeze(self, axis)

    def ravel(self, order: str = "C") -> Any:
        """`np.ravel` of this tensor."""
        return shaping.ravel(self, order)

    def flatten(self, order: str = "C") -> Any:
        """All elements along one axis, as a copy."""
        return shaping.copy(shaping.ravel(self, order))

    def copy(self, order: str = "C") -> Any:
        """`np.copy` of this tensor: an array of its own, through which the gradient flows."""
        return shaping.copy(self, order)

    def astype(
        self, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True
    ) -> Any:
        """A tensor of another floating dtype, or an array of integers or booleans; the gradient comes back in ours."""
        return shaping.astype(self, dtype, order, casting, copy)

    # -- picking ---------------------------------------------------------------------------
    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """`np.diagonal` of this tensor."""
        return diagonals.diagonal(self, offset, axis1, axis2)

    def repeat(self, repeats: Any, axis: Any = None) -> Any:
        """`np.repeat` of this tensor."""
        return joining.repeat(self, repeats, axis)

    def take(self, indices: Any, axis: Any = None, out: None = None, mode: str = "raise") -> Any:
        """`np.take` from this tensor."""
        return indexing.take(self, indices, axis, out, mode)

    def compress(self, condition: Any, axis: Any = None, out: None = None) -> Any:
        """`np.compress` of this tensor."""
        return indexing.compress(condition, self, axis, out)

    def choose(self, choices: Any, out: None = None, mode: str = "raise") -> Any:
        """`np.choose` by this tensor of integers."""
        return indexing.choose(self, choices, out, mode)

    # -- integers and booleans -------------------------------------------------------------
    def all(self, axis: Any = None, out: None = None, keepdims: Any = False, *, where: Any = True) -> Any:
        """`np.all` of this tensor: booleans."""
        return np.all(self.value, axis, out, keepdims, where=where)

    def any(self, axis: Any = None, out: None = None, keepdims: Any = False, *, where: Any = True) -> Any:
        """`np.any` of this tensor: booleans."""
        return np.any(self.value, axis, out, keepdims, where=where)

    def argmax(self, axis: Any = None, out: None = None, *, keepdims: Any = False) -> Any:
        """`np.argmax` of this tensor: integers."""
        return self.value.argmax(axis, out, keepdims=keepdims)

    def argmin(self, axis: Any = None, out: None = None, *, keepdims: Any = False) -> Any:
        """`np.argmin` of this tensor: integers."""
        return self.value.argmin(axis, out, keepdims=keepdims)

    def argsort(self, axis: Any = -1, kind: Any = None, order: None = None, *, stable: bool | None = None) -> Any:
        """`np.argsort` of this tensor: integers."""
        return self.value.argsort(axis, kind, order, stable=stable)

    def argpartition(self, kth: Any, axis: Any = -1, kind: Any = "introselect", order: None = None) -> Any:
        """`np.argpartition` of this tensor: integers."""
        return self.value.argpartition(kth, axis, kind, order)

    def nonzero(self) -> Any:
        """`np.nonzero` of this tensor: one array of indices per axis."""
        return self.value.nonzero()

    def searchsorted(self, v: Any, side: Any = "left", sorter: Any = None) -> Any:
        """`np.searchsorted` in this tensor: integers."""
        return self.value.searchsorted(values(v), side, values(sorter))

    # -- in place: refused -----------------------------------------------------------------
    def sort(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: `np.sort` gives a new tensor."""
        self._refuse_in_place("sort", "np.sort(x)")

    def partition(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: `np.partition` gives a new tensor."""
        self._refuse_in_place("partition", "np.partition(x, kth)")

    def fill(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: `np.full_like` gives a new tensor."""
        self._refuse_in_place("fill", "np.full_like(x, value)")

    def put(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: `mg.put` gives a new tensor."""
        self._refuse_in_place("put", "mg.put(x, index, value)")

    def resize(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: `np.resize` gives a new tensor."""
        self._refuse_in_place("resize", "np.resize(x, shape)")

    def _refuse_in_place(self, method: str, way: str) -> NoReturn:
        raise TypeError(
            f"x.{method}() would change the tensor in place, and the graph would lose it: use y = {way}, which gives a new one"
        )
