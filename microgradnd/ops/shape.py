"""Ops that give an array another shape, dtype or order of elements, and change no value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..backward import sum_to
from ..core import Node, Op
from ..dispatch import any_tracked, as_tensors, implements, values
from ..messages import check_differentiable
from ._samples import calls, normal

__all__ = [
    "astype",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "broadcast_to",
    "copy",
    "empty_like",
    "expand_dims",
    "flip",
    "fliplr",
    "flipud",
    "full_like",
    "matrix_transpose",
    "meshgrid",
    "moveaxis",
    "ones_like",
    "permute_dims",
    "ravel",
    "reshape",
    "roll",
    "rollaxis",
    "rot90",
    "squeeze",
    "swapaxes",
    "transpose",
    "zeros_like",
]


def as_array(a: Any) -> Any:
    """Arrays and tensors as they are, anything else as an array."""
    return a if isinstance(a, np.ndarray | Node) else np.asarray(a)


# -- reshaping ---------------------------------------------------------------------------------

reshape_op: Op = Op(
    lambda x, shape, **copying: x.reshape(shape, **copying),
    lambda g, y, x, shape, **copying: g.reshape(x.shape),
    name="reshape",
    formula="reshape({0}, {shape})",
    samples=calls(normal((2, 3), shape=(3, 2)), normal((2, 3), shape=-1), normal((), shape=(1, 1))),
)


@implements(np.reshape)
def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
    """`np.reshape`: the same elements, read and laid out in C, Fortran ("F") or the array's own ("A") order.

    Shapes: any with as many elements. Gradient: ``g`` in the shape of `a`.

    Raises
    ------
    ValueError
        For an order other than "C", "F" and "A".

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.reshape(mg.tensor([[1.0, 2.0], [3.0, 4.0]]), -1, order="F").data
    array([1., 3., 2., 4.])
    """
    a = as_array(a)
    copying = {} if copy is None else {"copy": copy}
    if _reads_fortran(a, order):
        backwards = shape[::-1] if isinstance(shape, tuple | list) else shape
        return transpose(reshape_op(transpose(a), shape=backwards, **copying))
    return reshape_op(a, shape=shape, **copying)


def _reads_fortran(a: Any, order: str) -> bool:
    if order not in ("C", "F", "A"):
        raise ValueError(f"order is {order!r}; expected 'C', 'F' or 'A'")
    return order == "F" or (order == "A" and values(a).flags.fnc)


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """`np.ravel`: all elements along one axis; "K" takes them in the order of their memory.

    Shapes: any, of n elements, to ``(n,)``. Gradient: ``g`` in the shape of `a`.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.ravel(x)[1])(np.ones((2, 2)))
    array([[0., 1.],
           [0., 0.]])
    """
    a = as_array(a)
    if order == "K":
        a, order = transpose(a, _memory_order(values(a).strides)), "C"
    return reshape(a, -1, order)


def _memory_order(strides: tuple[int, ...]) -> list[int]:
    """Axes by falling stride, as NumPy's iterator sorts them: an axis of stride 0 fits wherever it stands."""
    inner_first: list[int] = []
    for axis in reversed(range(len(strides))):
        place = len(inner_first)
        for i in reversed(range(place)):
            if strides[axis] and strides[inner_first[i]]:
                if abs(strides[inner_first[i]]) <= abs(strides[axis]):
                    break
                place = i
        inner_first.insert(place, axis)
    return inner_first[::-1]


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    """`np.expand_dims`: insert axes of length one.

    Shapes: a 1 is put in at each `axis`. Gradient: ``g`` in the shape of `a`.

    >>> import microgradnd as mg
    >>> mg.expand_dims(mg.tensor([1.0, 2.0]), 0).shape
    (1, 2)
    """
    return reshape_op(a := as_array(a), shape=np.expand_dims(values(a), axis).shape)


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    """`np.squeeze`: remove axes of length one.

    Shapes: the 1 at each `axis`, by default all, are taken out. Gradient: ``g`` in the shape of `a`.

    >>> import microgradnd as mg
    >>> mg.squeeze(mg.tensor([[1.0, 2.0]])).shape
    (2,)
    """
    return reshape_op(a := as_array(a), shape=np.squeeze(values(a), axis).shape)


def _at_least(function: Callable[..., Any]) -> Any:
    """One of `np.atleast_1d`, `_2d`, `_3d`, for tensors."""

    @implements(function)
    def at_least(*arys: Any) -> Any:
        grown = tuple(reshape_op(a := as_array(ary), shape=function(values(a)).shape) for ary in arys)
        return grown[0] if len(grown) == 1 else grown

    at_least.__name__ = at_least.__qualname__ = function.__name__
    at_least.__doc__ = f"""`np.{function.__name__}`: add axes of length one where there are fewer.

    Shapes: ``()`` to ``{function(0).shape}``. Gradient: ``g`` in the shape it came in.

    >>> import microgradnd as mg
    >>> mg.{function.__name__}(mg.tensor(1.0)).shape
    {function(0).shape}
    """
    return at_least


atleast_1d = _at_least(np.atleast_1d)
atleast_2d = _at_least(np.atleast_2d)
atleast_3d = _at_least(np.atleast_3d)

# -- permuting axes ----------------------------------------------------------------------------

transpose_op: Op = Op(
    np.transpose,
    lambda g, y, x, axes=None: np.transpose(g, None if axes is None else np.argsort([a % x.ndim for a in axes])),
    name="transpose",
    formula="{0}ᵀ",
    samples=calls(normal((2, 3)), normal((2, 3, 4), axes=(2, 0, 1)), normal((2, 3, 4), axes=(-1, 0, 1))),
)


@implements(np.transpose)
def transpose(a: Any, axes: Any = None) -> Any:
    """`np.transpose`: permute the axes, by default reverse them.

    Shapes: the axes in the order `axes`. Gradient: ``g`` with its axes put back.

    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.transpose(A)[0, 1])(np.ones((2, 2)))
    array([[0., 0.],
           [1., 0.]])
    """
    a = as_array(a)
    return transpose_op(a) if axes is None else transpose_op(a, axes=tuple(axes))


permute_dims = transpose


def _permute(numpy_function: Callable[..., Any], a: Any, *where: Any) -> Any:
    """Permute the axes as a NumPy function does, seen on an empty array whose axis `i` has length `i`."""
    a = as_array(a)
    return transpose_op(a, axes=numpy_function(np.empty(tuple(range(a.ndim))), *where).shape)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """`np.swapaxes`: exchange two axes.

    Shapes: the two lengths change places. Gradient: ``swapaxes(g, axis1, axis2)``.

    >>> import microgradnd as mg
    >>> mg.swapaxes(mg.tensor([[1.0, 2.0]]), 0, 1).shape
    (2, 1)
    """
    return _permute(np.swapaxes, a, axis1, axis2)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """`np.moveaxis`: move axes to new positions, the others keep their order.

    Shapes: the lengths move with their axes. Gradient: ``moveaxis(g, destination, source)``.

    >>> import microgradnd as mg
    >>> mg.moveaxis(mg.tensor([[[1.0, 2.0]]]), -1, 0).shape
    (2, 1, 1)
    """
    return _permute(np.moveaxis, a, source, destination)


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """`np.rollaxis`: move one axis to just before another.

    Shapes: the length moves with its axis. Gradient: ``g`` with its axes put back.

    >>> import microgradnd as mg
    >>> mg.rollaxis(mg.tensor([[[1.0, 2.0]]]), 2).shape
    (2, 1, 1)
    """
    return _permute(np.rollaxis, a, axis, start)


@implements(np.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """`np.matrix_transpose`: exchange the last two axes.

    Shapes: ``(..., m, n)`` to ``(..., n, m)``. Gradient: ``matrix_transpose(g)``.

    >>> import microgradnd as mg
    >>> mg.matrix_transpose(mg.tensor([[1.0, 2.0]])).shape
    (2, 1)
    """
    return _permute(np.matrix_transpose, x)


# -- mirroring and rolling ---------------------------------------------------------------------


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """`np.flip`: reverse the order along axes, by default all.

    Shapes: that of `m`. Gradient: ``flip(g, axis)``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.flip(x)[0])(np.ones(3))
    array([0., 0., 1.])
    """
    m = as_array(m)
    axes = range(m.ndim) if axis is None else normalize_axis_tuple(axis, m.ndim)
    return m[tuple(slice(None, None, -1 if i in axes else None) for i in range(m.ndim))]


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    """`np.fliplr`: reverse the columns.

    Shapes: that of `m`. Gradient: ``fliplr(g)``.

    Raises
    ------
    ValueError
        If `m` has fewer than two axes.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.fliplr(x)[0, 0])(np.ones((1, 3)))
    array([[0., 0., 1.]])
    """
    if np.ndim(m) < 2:
        raise ValueError(f"fliplr reverses axis 1; the input, of shape {np.shape(m)}, has none")
    return flip(m, 1)


@implements(np.flipud)
def flipud(m: Any) -> Any:
    """`np.flipud`: reverse the rows.

    Shapes: that of `m`. Gradient: ``flipud(g)``.

    Raises
    ------
    ValueError
        If `m` has no axis.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.flipud(x)[0])(np.ones(3))
    array([0., 0., 1.])
    """
    if np.ndim(m) < 1:
        raise ValueError("flipud reverses axis 0; the input is zero-dimensional and has none")
    return flip(m, 0)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """`np.rot90`: turn by `k` times 90 degrees in the plane of two axes, from the first towards the second.

    Shapes: the lengths of the two axes change places if `k` is odd. Gradient: ``rot90(g, -k, axes)``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.rot90(A)[0, 0])(np.ones((2, 2)))
    array([[0., 1.],
           [0., 0.]])
    """
    first, second = axes
    np.rot90(values(m), k, axes)  # NumPy's errors for axes that are the same or out of range
    if k % 4 == 1:
        return swapaxes(flip(m, second), first, second)
    if k % 4 == 3:
        return flip(swapaxes(m, first, second), second)
    return flip(m, (first, second)) if k % 4 == 2 else flip(m, ())


roll_op: Op = Op(
    np.roll,
    lambda g, y, x, shift, axis=None: np.roll(g, np.negative(shift), axis),
    name="roll",
    formula="roll({0}, {shift})",
    samples=calls(
        normal((2, 3), shift=1),
        normal((2, 3), shift=-4, axis=1),
        normal((2, 3), shift=(1, 2), axis=(0, 1)),
        normal((3,), shift=(1, 1), axis=0),
        normal((0, 2), shift=1),
    ),
)


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """`np.roll`: shift elements along axes; what leaves at the end comes back at the beginning.

    Shapes: that of `a`. Gradient: ``roll(g, -shift, axis)``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.roll(x, 1)[0])(np.ones(3))
    array([0., 0., 1.])
    """
    return roll_op(as_array(a), shift=shift, axis=axis)


# -- broadcasting ------------------------------------------------------------------------------

broadcast_op: Op = Op(
    np.broadcast_to,
    lambda g, y, x, shape: sum_to(g, x.shape),
    name="broadcast_to",
    formula="broadcast({0}, {shape})",
    samples=calls(normal((3,), shape=(2, 3)), normal((2, 1), shape=(4, 2, 3)), normal((), shape=(2,))),
)


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """`np.broadcast_to`: repeat along new and length-one axes, without copying.

    Shapes: to `shape`. Gradient: ``g`` summed over the axes that were stretched.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.broadcast_to(x, (3, 2)).sum())(np.ones(2))
    array([3., 3.])
    """
    return broadcast_op(as_array(array), shape=shape)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """`np.broadcast_arrays`: all in the shape they broadcast to.

    Shapes: each to that of their sum. Gradient: as for `broadcast_to`.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.broadcast_arrays(x, np.ones(3))[0].sum())(2.0)
    array(3.)
    """
    arrays = [as_array(a) for a in args]
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    return tuple(a if a.shape == shape else broadcast_op(a, shape=shape) for a in arrays)


@implements(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Any, ...]:
    """`np.meshgrid`: coordinate arrays of the grid that coordinate vectors span.

    Shapes: ``(m,)`` and ``(n,)`` to two of ``(n, m)``, of ``(m, n)`` with indexing "ij". Gradient: ``g`` summed along
    the other axes.

    Raises
    ------
    ValueError
        For an indexing other than "xy" and "ij".

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.meshgrid(x, np.ones(3))[0].sum())(np.ones(2))
    array([3., 3.])
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"indexing is {indexing!r}; expected 'xy' or 'ij'")
    places = list(range(len(xi)))
    if indexing == "xy":
        places[:2] = places[:2][::-1]
    grids: Any = [
        reshape(x, tuple(-1 if i == place else 1 for i in range(len(xi)))) for x, place in zip(xi, places, strict=True)
    ]
    if not sparse:
        grids = broadcast_arrays(*grids)
    return tuple(copy_op(grid) for grid in grids) if copy else tuple(grids)


# -- dtype, copies and arrays alike ------------------------------------------------------------

astype_op: Op = Op(
    lambda x, dtype, **casting: x.astype(dtype, **casting),
    lambda g, y, x, dtype, **casting: g.astype(x.dtype),
    name="astype",
    formula="{0}",
    samples=calls(normal((2, 3), dtype=np.dtype(np.float64))),
)
copy_op: Op = Op(np.copy, lambda g, y, x, order="K": g, name="copy", formula="{0}", samples=calls(normal((2, 3))))


def astype(x: Any, dtype: Any, order: str = "K", casting: str = "unsafe", copy: bool = True) -> Any:
    """`x` in another dtype: a tensor if it is a floating one, an array of integers or booleans otherwise.

    Shapes: that of `x`. Gradient: ``g.astype(x.dtype)``.

    The gradient comes back in the dtype of `x`.

    Raises
    ------
    TypeError
        For a complex dtype.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.tensor([1.5], requires_grad=True).astype(np.float32).dtype
    dtype('float32')
    """
    x, dtype = as_array(x), np.dtype(dtype)
    if dtype.kind == "c":
        check_differentiable(dtype)
    if dtype.kind != "f":
        return values(x).astype(dtype, order, casting, copy=copy)
    if dtype == x.dtype and not copy and order == "K":
        return x
    how = {"order": order, "casting": casting, "copy": copy}
    usual = {"order": "K", "casting": "unsafe", "copy": True}
    return astype_op(x, dtype=dtype, **{key: given for key, given in how.items() if given != usual[key]})


@implements(np.astype)
def _astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    return astype(x, dtype, copy=copy)


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """`np.copy`: an array of its own; the gradient flows through.

    Shapes: that of `a`. Gradient: ``g``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.copy(x) * 3)(2.0)
    array(3.)
    """
    return copy_op(as_array(a)) if order == "K" else copy_op(as_array(a), order=order)


fill_op: Op = Op(
    lambda fill, shape, dtype, order: np.full(shape, fill, dtype, order),
    lambda g, y, fill, shape, dtype, order: sum_to(g, fill.shape),
    name="fill",
    formula="fill({shape}, {0})",
    samples=calls(
        normal((), shape=(2, 3), dtype=np.dtype(np.float64), order="C"),
        normal((3,), shape=(2, 3), dtype=np.dtype(np.float64), order="F"),
    ),
)


@implements(np.full_like)
def full_like(a: Any, fill_value: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
    """`np.full_like`: an array like `a`, filled with a value, whose gradient is kept if it is a tensor.

    Shapes: that of `a`. Gradient: ``sum(g)`` for a number as the value, none for `a`.

    Raises
    ------
    TypeError
        If the value requires a gradient and the result would hold integers.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda v: mg.full_like(np.ones((2, 3)), v).sum())(2.0)
    array(6.)
    """
    like = np.empty_like(values(a), dtype, *args, **kwargs)
    if any_tracked(fill_value):
        if like.dtype.kind != "f":
            raise TypeError(
                f"np.full_like into dtype {like.dtype} would lose the gradient of the fill value: pass dtype=float"
            )
        return fill_op(fill_value, shape=like.shape, dtype=like.dtype, order="F" if like.flags.fnc else "C")
    like[...] = np.asarray(values(fill_value)).astype(like.dtype)
    return as_tensors(like) if isinstance(a, Node) or isinstance(fill_value, Node) else like


def _constant_like(function: Callable[..., Any]) -> Any:
    """One of `np.zeros_like`, `np.ones_like`, `np.empty_like`, for tensors."""

    @implements(function)
    def alike(a: Any, *args: Any, **kwargs: Any) -> Any:
        result = function(values(a), *args, **kwargs)
        return as_tensors(result) if isinstance(a, Node) else result

    alike.__name__ = alike.__qualname__ = function.__name__
    alike.__doc__ = f"""`np.{function.__name__}`: a new array in the shape of `a`, which no gradient flows to.

    Shapes: that of `a`. Gradient: none, the values of `a` don't matter.

    >>> import microgradnd as mg
    >>> mg.{function.__name__}(mg.tensor([1.0, 2.0], requires_grad=True)).requires_grad
    False
    """
    return alike


zeros_like = _constant_like(np.zeros_like)
ones_like = _constant_like(np.ones_like)
empty_like = _constant_like(np.empty_like)
