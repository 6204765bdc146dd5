"""Strategies for hypothesis: arrays an op is defined on, layouts of memory, shapes that broadcast together, axes, indices.

hypothesis is imported when a strategy is asked for, so that the package does without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .core import OPS, Op, Sample, sample
from .gradcheck import gradcheck

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def _hypothesis() -> tuple[Any, Any]:
    try:
        from hypothesis import strategies
        from hypothesis.extra import numpy as arrays_of
    except ImportError:
        raise ImportError('microgradnd.strategies draws with hypothesis: pip install "microgradnd[test]"') from None
    return strategies, arrays_of


def arrays(
    shape: Any = None,
    *,
    low: float = -10.0,
    high: float = 10.0,
    dtype: Any = np.float64,
    apart: float = 0.0,
) -> SearchStrategy[np.ndarray]:
    """Finite arrays without subnormal numbers.

    Parameters
    ----------
    shape
        A shape or a strategy of shapes; by default of up to three axes of up to four elements.
    low, high
        Bounds of the elements, included.
    dtype
        A floating-point dtype.
    apart
        Least distance between any two elements, and of each from zero: no ties and no kinks there.

    Raises
    ------
    ImportError
        Without hypothesis.
    ValueError
        If so many elements can't be `apart` within the bounds.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(arrays((2,)), lambda a: a[0] > 1).shape
    (2,)
    """
    st, xn = _hypothesis()
    dtype = np.dtype(dtype)
    shapes = xn.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4) if shape is None else shape
    if apart:
        fixed = shapes if hasattr(shapes, "flatmap") else st.just(shapes)
        return fixed.flatmap(lambda s: _apart(st, s, low, high, dtype, apart))  # type: ignore[no-any-return]
    elements = xn.from_dtype(
        dtype, min_value=_inside(low, dtype), max_value=_inside(high, dtype), allow_nan=False, allow_subnormal=False
    )
    return xn.arrays(dtype, shapes, elements=elements)  # type: ignore[no-any-return]


def _inside(bound: float, dtype: np.dtype[Any]) -> float:
    """The bound as a number of this dtype, towards zero if it has to be rounded."""
    rounded = dtype.type(bound)
    if abs(float(rounded)) > abs(bound):
        rounded = np.nextafter(rounded, dtype.type(0))
    return float(rounded)


def _apart(st: Any, shape: Any, low: float, high: float, dtype: np.dtype[Any], apart: float) -> Any:
    """Distinct places of a grid of double the spacing, each shifted by less than half of it."""
    n = int(np.prod(shape))
    first, last = int(np.ceil(low / (2 * apart))), int(np.floor(high / (2 * apart))) - 1
    if last - first + 1 < n:
        raise ValueError(f"{n} elements can't be {apart} apart from each other and from zero between {low} and {high}")
    places = st.lists(st.integers(first, last), min_size=n, max_size=n, unique=True)
    return places.map(lambda at: ((np.array(at, dtype=float) + 0.5) * 2 * apart).reshape(shape).astype(dtype))


def _backwards(a: np.ndarray) -> np.ndarray:
    turn = (slice(None, None, -1),) * a.ndim
    return a[turn].copy()[turn] if a.ndim else a.copy()


def _sliced(a: np.ndarray) -> np.ndarray:
    among = np.full([2 * n + 1 for n in a.shape], np.nan, a.dtype)
    view = among[(slice(1, None, 2),) * a.ndim + (...,)]
    view[...] = a
    return view


def _read_only(a: np.ndarray) -> np.ndarray:
    locked = a.copy()
    locked.flags.writeable = False
    return locked


# The simplest first: hypothesis shrinks towards it.
_LAYOUTS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (np.copy, np.asfortranarray, _backwards, _sliced, _read_only)


def layouts(source: SearchStrategy[np.ndarray] | None = None) -> SearchStrategy[np.ndarray]:
    """Arrays in each layout that memory may have: C, Fortran, negative strides, sliced from among NaNs, read-only.

    Parameters
    ----------
    source
        What draws the numbers; by default `arrays` of up to three axes, empty and zero-dimensional ones among them.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(layouts(arrays((2, 3))), lambda a: a.strides[0] < 0).strides
    (-24, -8)
    """
    st, xn = _hypothesis()
    source = arrays(xn.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)) if source is None else source
    return st.builds(lambda a, lay_out: lay_out(a), source, st.sampled_from(_LAYOUTS))  # type: ignore[no-any-return]


def broadcastable(n: int = 2, *, max_dims: int = 3, max_side: int = 4) -> SearchStrategy[tuple[tuple[int, ...], ...]]:
    """Tuples of `n` shapes that broadcast together, empty and zero-dimensional ones among them.

    Parameters
    ----------
    n
        How many shapes.
    max_dims, max_side
        The most axes, and the longest axis.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(broadcastable(2), lambda shapes: len(shapes[0]) == 2 > len(shapes[1]))
    ((0, 0), ())
    """
    _, xn = _hypothesis()
    shapes = xn.mutually_broadcastable_shapes(num_shapes=n, min_side=0, max_side=max_side, max_dims=max_dims)
    return shapes.map(lambda drawn: tuple(drawn.input_shapes))  # type: ignore[no-any-return]


def axes(ndim: int, *, several: bool = True) -> SearchStrategy[int | tuple[int, ...] | None]:
    """What `axis=` may be for an array of `ndim` axes: None, an int of either sign, a tuple.

    Parameters
    ----------
    ndim
        Of the array.
    several
        Whether tuples of axes are among them.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(axes(2), lambda axis: isinstance(axis, tuple) and len(axis) == 2)
    (0, 1)
    """
    st, xn = _hypothesis()
    ways = [st.none()]
    if ndim:
        ways.append(st.integers(-ndim, ndim - 1))
        if several:
            ways.append(xn.valid_tuple_axes(ndim, min_size=1))
    return st.one_of(ways)  # type: ignore[no-any-return]


def indices(shape: tuple[int, ...]) -> SearchStrategy[Any]:
    """What an array of this shape may be indexed with: ints, slices, None, Ellipsis, integer and boolean arrays.

    Parameters
    ----------
    shape
        Of the array.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(indices((3, 2)), lambda index: isinstance(index, np.ndarray) and index.dtype == bool).shape
    (3, 2)
    """
    st, xn = _hypothesis()
    ways = [xn.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True)]
    if shape and all(shape):
        ways += [xn.integer_array_indices(shape), xn.arrays(bool, shape)]
    return st.one_of(ways)  # type: ignore[no-any-return]


def operands(op: Op | str, n: int | None = None) -> SearchStrategy[tuple[np.ndarray, ...]]:
    """Arrays in the domain of an elementwise op, of shapes that broadcast together.

    Parameters
    ----------
    op
        An op, or its name in `microgradnd.OPS`.
    n
        How many arguments; by default as many as the op has rules.

    Raises
    ------
    ValueError
        For an op that is not elementwise: its arguments have to fit in ways of its own.

    Examples
    --------
    >>> from hypothesis import find
    >>> bool(find(operands("log"), lambda xs: xs[0].size > 2)[0].min() > 0)
    True
    """
    op = OPS[op] if isinstance(op, str) else op
    if not op.elementwise:
        raise ValueError(f"`{op.name}` is not elementwise: draw its arguments with arrays(shape)")
    low, high = (float(np.clip(bound, -3.0, 3.0)) for bound in op.domain)
    edge = (high - low) / 16  # off the edge of the domain, where slopes are unbounded
    st, _ = _hypothesis()
    count = len(op.vjps) if n is None else n

    def draw(shapes: tuple[tuple[int, ...], ...]) -> Any:
        return st.tuples(*(arrays(shape, low=low + edge, high=high - edge) for shape in shapes))

    return broadcastable(count).flatmap(draw)


def given(op: Op | str, *, settings: Any = None, **options: Any) -> Callable[[], None]:
    """Make a test of an op's gradient for pytest to find; as `microgradnd.gradcheck.given` too.

    An elementwise op is checked at `operands` of it, in all `layouts`; another one at its own samples, with seeds
    that hypothesis draws.

    Parameters
    ----------
    op
        An op, or its name in `microgradnd.OPS`.
    settings
        A ``hypothesis.settings``; by default the usual ones, without a deadline.
    **options
        As for `microgradnd.gradcheck`: ``order=2``, ``rtol=1e-7``, ...

    Returns
    -------
    callable
        A test without arguments.

    Raises
    ------
    ImportError
        Without hypothesis.
    ValueError
        For an op that is not elementwise and has no samples.

    Examples
    --------
    >>> test_tanh = given("tanh", order=2)
    >>> test_tanh()
    """
    op = OPS[op] if isinstance(op, str) else op
    st, _ = _hypothesis()
    import hypothesis

    def test(call: Sample) -> None:
        __tracebackhide__ = True
        gradcheck(lambda *inputs: op(*inputs, **call.options), *call.args, **options)

    test.__name__ = test.__qualname__ = f"test_{op.name}"
    chosen = hypothesis.settings(deadline=None) if settings is None else settings
    return chosen(hypothesis.given(call=_calls(st, op))(test))


def _calls(st: Any, op: Op) -> Any:
    if op.elementwise:
        drawn = operands(op).flatmap(lambda xs: st.tuples(*(layouts(st.just(x)) for x in xs)))
        return drawn.map(lambda xs: sample(*xs))
    if op.samples is None:
        raise ValueError(
            f"`{op.name}` is not elementwise, and has no samples=: nothing says what it can be called with"
        )
    samples = op.samples
    return st.integers(0, 2**32 - 1).flatmap(lambda seed: st.sampled_from(list(samples(np.random.default_rng(seed)))))
