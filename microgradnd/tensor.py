"""What a user holds: a node with operators, NumPy's protocols and a repr. No mathematics.

Each operator is one line that calls an op; NumPy's functions arrive at the same ops through
`dispatch`. What would lose a gradient silently raises here, and says which way to go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import core, dispatch
from .backward import run_backward
from .context import MODE
from .core import clock, constant, latest_change
from .memory import note, part_at
from .messages import check_differentiable, describe, refuse_mask
from .methods import ArrayMethods
from .ops import arithmetic, elementwise, indexing, products
from .real_arrays import as_real_array


class Tensor(ArrayMethods):
    """An array that remembers how it was computed, so that gradients can be taken.

    Parameters
    ----------
    data
        Anything NumPy makes an array of real numbers of; it is copied.
    requires_grad
        Whether gradients are recorded for it.
    dtype
        NumPy dtype; by default the data's own.
    name
        What drawings and errors call it.

    Raises
    ------
    TypeError
        For complex numbers, text or objects; if a gradient is asked of integers; if a tensor among the data requires one.
    ValueError
        For rows of unequal length.

    Examples
    --------
    >>> import microgradnd as mg
    >>> x = mg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4.])
    """

    __slots__ = ()

    def __new__(cls, data: Any, requires_grad: bool = False, dtype: Any = None, name: str | None = None) -> Tensor:  # noqa: D102
        return _make(np.array(as_real_array(data, dtype), order="C"), requires_grad, name)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Everything happens in `__new__`; a tensor is not initialised twice."""

    # -- what it is ------------------------------------------------------------------------

    def numpy(self) -> np.ndarray:
        """The array, shared with this tensor; no gradient flows through it."""
        return self.data

    def detach(self) -> Tensor:
        """A tensor on the same array, cut off from the graph."""
        return _make(self.value, False, self.name)

    def backward(self, grad: Any = None, *, retain_graph: bool = True) -> None:
        """Compute the gradient with respect to every tensor this one was computed from.

        Parameters
        ----------
        grad
            Cotangent to start from, of this tensor's shape; may be left out for a single element.
        retain_graph
            True: the graph stays, and intermediate tensors get their `.grad` too. False: the graph is
            freed on the way and only leaves get one, which is what a training loop wants.

        Raises
        ------
        RuntimeError
            If there is nothing to differentiate, the graph was freed, or data changed since.
        """
        run_backward(self, grad, retain_graph)

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.gradient = None

    # -- operators -------------------------------------------------------------------------
    def __add__(self, other: Any) -> Any:
        return arithmetic.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return arithmetic.add(other, self)

    def __sub__(self, other: Any) -> Any:
        return arithmetic.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return arithmetic.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return arithmetic.multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return arithmetic.multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return arithmetic.divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return arithmetic.divide(other, self)

    def __pow__(self, other: Any) -> Any:
        return arithmetic.power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return arithmetic.power(other, self)

    def __matmul__(self, other: Any) -> Any:
        return products.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return products.matmul(other, self)

    def __neg__(self) -> Any:
        return arithmetic.negative(self)

    def __pos__(self) -> Any:
        return arithmetic.positive(self)

    def __abs__(self) -> Any:
        return arithmetic.absolute(self)

    def __mod__(self, other: Any) -> Any:
        return np.remainder(self, other)

    def __rmod__(self, other: Any) -> Any:
        return np.remainder(other, self)

    def __floordiv__(self, other: Any) -> Any:
        return np.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return np.floor_divide(other, self)

    def __divmod__(self, other: Any) -> Any:
        return elementwise.divmod(self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return elementwise.divmod(other, self)

    def __lt__(self, other: Any) -> Any:
        return self.value < dispatch.values(other)

    def __le__(self, other: Any) -> Any:
        return self.value <= dispatch.values(other)

    def __gt__(self, other: Any) -> Any:
        return self.value > dispatch.values(other)

    def __ge__(self, other: Any) -> Any:
        return self.value >= dispatch.values(other)

    def __eq__(self, other: Any) -> Any:
        return self.value == dispatch.values(other)

    def __ne__(self, other: Any) -> Any:
        return self.value != dispatch.values(other)

    __hash__ = object.__hash__  # by identity: == compares elements

    def __getitem__(self, index: Any) -> Any:
        return indexing.read(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        if self.op is not None or (self.tracked and MODE.get().record) or dispatch.any_tracked(value):
            raise RuntimeError(
                f"{describe(self)} can't be assigned to by index, the graph would lose it: "
                "use y = mg.put(x, index, value), which gives a new tensor"
            )
        refuse_mask(value, "x[index] = array")
        array, index = self.value, dispatch.values(index)
        array[index] = dispatch.values(value)
        latest_change[0] = self.changed = time = next(clock)
        note(part_at(array, index), time)

    def __iter__(self) -> Iterator[Any]:
        if not self.value.ndim:
            raise TypeError("a zero-dimensional tensor can't be iterated over: use .item() for its number")
        return (self[i] for i in range(len(self.value)))

    def __len__(self) -> int:
        return len(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __contains__(self, element: Any) -> bool:
        return dispatch.values(element) in self.value

    # -- NumPy's protocols and Python's ----------------------------------------------------
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        self._refuse(
            "np.asarray", ".numpy() for its array without gradient, or np.stack, np.concatenate to join tensors"
        )
        return np.array(self.value, dtype=dtype, copy=copy)

    def __float__(self) -> float:
        self._refuse("float", ".item(), or np.stack to make an array of tensors and mg.put to write into one")
        return float(self.value)

    def __int__(self) -> int:
        self._refuse("int", ".item()")
        return int(self.value)

    def __complex__(self) -> complex:
        self._refuse("complex", ".item()")
        return complex(self.value)

    def __index__(self) -> int:
        return self.value.__index__()  # type: ignore[no-any-return]

    def _refuse(self, function: str, way: str) -> None:
        if self.tracked:
            raise TypeError(f"{function}() of {describe(self)}, which requires a gradient, would lose it: use {way}")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return dispatch.call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return dispatch.call_function(function, args, kwargs)

    def __repr__(self) -> str:
        text = np.array2string(self.value, separator=", ", prefix="tensor(", threshold=200)
        marks = [f"shape={self.shape}"] if not self.size and self.ndim > 1 else []
        marks += [f"dtype={self.dtype}"] if self.dtype != np.float64 else []
        marks += [f"op={self.op.name}"] if self.op else ["requires_grad=True"] if self.tracked else []
        marks += [f"name={self.name!r}"] if self.name else []
        return f"tensor({', '.join([text, *marks])})"

    def __format__(self, spec: str) -> str:
        return format(self.value.item() if self.value.size == 1 else self.value, spec) if spec else repr(self)

    def __reduce__(self) -> Any:
        return _make, (self.value.copy(), self.tracked, self.name)

    def __copy__(self) -> Tensor:
        return _make(self.value.copy(), self.tracked, self.name)

    def __deepcopy__(self, memo: Any) -> Tensor:
        return _make(self.value.copy(), self.tracked, self.name)


def _make(array: np.ndarray, requires_grad: bool, name: str | None) -> Tensor:
    if requires_grad:
        check_differentiable(array.dtype)
    node: Any = constant(array, name)
    node.tracked = bool(requires_grad)
    return node  # type: ignore[no-any-return]


def tensor(data: Any, requires_grad: bool = False, dtype: Any = None, name: str | None = None) -> Tensor:
    """A new tensor from a copy of `data`.

    Parameters
    ----------
    data
        Anything NumPy makes an array of real numbers of: numbers, nested lists, arrays, data frames.
    requires_grad
        Whether gradients are recorded for it; floating-point dtypes only.
    dtype
        NumPy dtype; by default the data's own.
    name
        What drawings and errors call it.

    Raises
    ------
    TypeError
        For data that is not real numbers, or an integer tensor that should require a gradient.
    ValueError
        For rows of different lengths.

    Examples
    --------
    >>> import microgradnd as mg
    >>> x = mg.tensor([[1.0, 2.0]], requires_grad=True, name="x")
    >>> y = (3 * x).sum()
    >>> y.backward()
    >>> x.grad
    array([[3., 3.]])
    """
    return Tensor(data, requires_grad, dtype, name)


def astensor(data: Any, requires_grad: bool = False, dtype: Any = None, name: str | None = None) -> Tensor:
    """A tensor that shares memory with `data` where it can; a tensor comes back as it is.

    Parameters
    ----------
    data, requires_grad, dtype, name
        As for `tensor`. The array behind is not copied: whoever changes it calls `touch()`.

    Examples
    --------
    >>> import microgradnd as mg, numpy as np
    >>> a = np.zeros(2)
    >>> mg.astensor(a).data is a
    True
    """
    if (
        isinstance(data, Tensor)
        and requires_grad <= data.tracked
        and name is None
        and (dtype is None or data.dtype == dtype)
    ):
        return data
    return _make(as_real_array(data, dtype), requires_grad, name)


core.result_type = Tensor
