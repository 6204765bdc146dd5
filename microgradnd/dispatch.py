"""NumPy's two doors: which op or function of ours answers a NumPy call on a tensor.

`np.exp(t)` arrives at `array_ufunc`, `np.sum(t)` at `array_function` (NEP 13 and NEP 18). The tables
are filled by the modules of `ops`: a ufunc entry by itself, anything else with `implements`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from .core import OPS, Node, constant
from .messages import brief, explain

F = TypeVar("F", bound=Callable[..., Any])

UFUNCS: dict[Any, Callable[..., Any]] = {}
REDUCTIONS: dict[Any, Callable[..., Any]] = {}  # what ufunc.reduce is called: np.add.reduce is np.sum
ACCUMULATIONS: dict[Any, Callable[..., Any]] = {}  # and ufunc.accumulate: np.add.accumulate is np.cumsum
SCIPY_UFUNCS: dict[str, Callable[..., Any]] = {}  # by name: scipy.special is not imported for their sake
FUNCTIONS: dict[Any, Callable[..., Any]] = {}


def implements(*numpy_functions: Any) -> Callable[[F], F]:
    """Let the decorated function answer these NumPy functions when they meet a tensor.

    Parameters
    ----------
    *numpy_functions
        Functions or ufuncs of NumPy, with whose arguments the decorated function is then called.

    Examples
    --------
    >>> import microgradnd as mg
    >>> @mg.implements(np.i0)
    ... def i0(x):
    ...     return 1 + x**2 / 4 + x**4 / 64  # enough near 0
    >>> print(mg.grad(np.i0)(0.5).round(4))
    0.2578
    >>> del FUNCTIONS[np.i0]
    """

    def register(function: F) -> F:
        for f in numpy_functions:
            (UFUNCS if isinstance(f, np.ufunc) else FUNCTIONS)[f] = function
        return function

    return register


def where_tracked(numpy_function: Any) -> Callable[[F], F]:
    """Let the decorated function answer only where a gradient is wanted, and NumPy's own, with all its options, elsewhere."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def answer(*args: Any, **kwargs: Any) -> Any:
            if any_tracked(args) or any_tracked(kwargs):
                return function(*args, **kwargs)
            result = numpy_function(*values(args), **values(kwargs))
            return as_tensors(result, args, kwargs) if any_tensor(args) or any_tensor(kwargs) else result

        return answer  # type: ignore[return-value]

    return decorate


def composed(*numpy_functions: Any) -> Callable[[F], F]:
    """Let a function composed of differentiable ones answer these NumPy functions where a gradient is wanted."""
    return lambda function: implements(*numpy_functions)(where_tracked(numpy_functions[0])(function))


def cast(x: Any, dtype: Any, function: str) -> Any:
    """An operand in the floating dtype that the caller of `function` asked to compute in, if any."""
    if dtype is None or not isinstance(x, Node | np.ndarray):
        return x
    if np.dtype(dtype).kind != "f":
        refuse(function, dtype=dtype)
    return FUNCTIONS[np.astype](x, dtype)


def register_ufuncs() -> None:
    """Let every op whose forward is a ufunc answer that ufunc."""
    for op in OPS.values():
        if isinstance(op.forward, np.ufunc):
            UFUNCS.setdefault(op.forward, op)


def values(tree: Any) -> Any:
    """The same arguments with each tensor replaced by its array."""
    if isinstance(tree, Node):
        return tree.value
    if isinstance(tree, tuple | list):
        return type(tree)(*map(values, tree)) if hasattr(tree, "_fields") else type(tree)(map(values, tree))
    return {key: values(v) for key, v in tree.items()} if isinstance(tree, dict) else tree


def any_tensor(tree: Any) -> bool:
    """Whether a tensor is among these arguments."""
    if isinstance(tree, tuple | list):
        return any(map(any_tensor, tree))
    return isinstance(tree, Node) or (isinstance(tree, dict) and any(map(any_tensor, tree.values())))


def any_tracked(tree: Any) -> bool:
    """Whether a tensor that requires a gradient is among these arguments."""
    if isinstance(tree, Node):
        return tree.tracked
    if isinstance(tree, tuple | list):
        return any(map(any_tracked, tree))
    return isinstance(tree, dict) and any(map(any_tracked, tree.values()))


def find_scipy_rule(ufunc: Any) -> Callable[..., Any] | None:
    """The op that answers a ufunc of `scipy.special`, if it is one that has a rule."""
    rule = SCIPY_UFUNCS.get(ufunc.__name__)
    return rule if getattr(sys.modules.get("scipy.special"), ufunc.__name__, None) is ufunc else None


NEUTRAL = {"where": True, "casting": "same_kind", "order": "K"}  # what a ufunc does without being told


def call_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer ``ufunc(...)``, ``ufunc.reduce(...)`` and their kin."""
    rule = UFUNCS.get(ufunc) or find_scipy_rule(ufunc)
    if method == "__call__" and rule is not None and not kwargs:
        return rule(*inputs)
    home = "np." if getattr(np, ufunc.__name__, None) is ufunc else ""
    called = f"{home}{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    if any(isinstance(x, Node) for x in kwargs.get("out", ())) or ("out" in kwargs and any_tracked(inputs)):
        raise TypeError(
            f"{called} with out= (or an in-place operator such as `array += x`) would lose the gradient "
            "of the tensor in it: write it as a new value, y = array + x"
        )
    if (ufunc in FLAT and "out" not in kwargs) or not (any_tracked(inputs) or any_tracked(kwargs)):
        return as_tensors(getattr(ufunc, method)(*values(inputs), **values(kwargs)), kwargs.get("out", ()))
    if method == "reduce" and ufunc in REDUCTIONS:
        return REDUCTIONS[ufunc](*inputs, **{"axis": 0} | kwargs)
    if method == "accumulate" and ufunc in ACCUMULATIONS:
        return ACCUMULATIONS[ufunc](*inputs, **{"axis": 0} | kwargs)
    kwargs = {k: x for k, x in kwargs.items() if k != "subok" and not (type(x) in (bool, str) and x == NEUTRAL.get(k))}
    if rule is not None and not kwargs.keys() - {"dtype"} and method in ("__call__", "outer"):
        inputs = tuple(cast(x, kwargs.get("dtype"), called) for x in inputs)
        if method == "outer":
            a, b = inputs
            inputs = (np.reshape(a, np.shape(a) + (1,) * np.ndim(b)), b)
        return rule(*inputs)
    if rule is not None and method == "__call__":
        refuse(called, **kwargs)
    if method == "at":
        raise TypeError(
            f"{called} changes its first argument in place, and the gradient would be lost: "
            "use mg.put(x, index, v), with v = x[index] + ... to add"
        )
    raise no_gradient(called)


def call_function(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer a NumPy function that isn't a ufunc."""
    ours = FUNCTIONS.get(function)
    if ours is not None:
        try:
            return ours(*args, **kwargs)
        except (ValueError, IndexError) as error:
            raise naming(function, args, error) from None
    if function in FLAT or not (any_tracked(args) or any_tracked(kwargs)):
        return as_tensors(function(*values(args), **values(kwargs)), args, kwargs)
    module = function.__module__.replace("numpy", "np", 1)
    raise no_gradient(f"{module}.{function.__name__}")


def naming(function: Any, args: tuple[Any, ...], error: Exception) -> Exception:
    """The error of a function, with its name and the shapes it was given, unless it says a name already."""
    text, name = str(error), function.__name__
    if "`" in text or text.startswith(name) or f"np.{name}" in text:
        return error
    shapes = [brief(x) for x in values(args) if isinstance(x, np.ndarray)]
    return explain(error, f"np.{name} of {', '.join(shapes)}") if shapes else error


def no_gradient(called: str) -> TypeError:
    """The error for a NumPy function that has no rule here."""
    return TypeError(
        f"{called} has no gradient rule, and the tensor given to it requires a gradient: "
        "compose it of functions that have one, define it with mg.op(forward, vjp, ...), or pass "
        "x.detach() or x.numpy() if no gradient is meant to flow"
    )


def refuse(called: str, **options: Any) -> None:
    """Raise TypeError if one of these options was given (not None, False or left out): no rule honours it.

    >>> refuse("np.sort", order=None)
    >>> refuse("np.sort", order="name")
    Traceback (most recent call last):
    TypeError: np.sort of a tensor can't honour order=: leave it out
    """
    given = [f"{key}=" for key, x in options.items() if x is not None and x is not False and x is not np._NoValue]
    if "out=" in given:
        raise TypeError(f"{called} with out= would lose the gradient: take what it returns, y = {called}(...)")
    if given:
        way = "pick from the result with np.where(mask, y, other)" if given == ["where="] else "leave it out"
        raise TypeError(f"{called} of a tensor can't honour {' and '.join(given)}: {way}")


def refuses(way: str, *numpy_functions: Any) -> None:
    """Let these NumPy functions, which write into their first argument, raise where a gradient would be lost, naming the way to go."""

    def register(function: Any) -> None:
        called = f"{function.__module__.replace('numpy', 'np', 1)}.{function.__name__}"

        def raising(*args: Any, **kwargs: Any) -> Any:
            target, *_ = (*args, *kwargs.values())
            if not isinstance(target, Node) and not any_tracked(args) and not any_tracked(kwargs):
                return function(*values(args), **values(kwargs))
            raise TypeError(f"{called} can't work on tensors, it would lose the gradient: {way}")

        FUNCTIONS[function] = raising

    for function in numpy_functions:
        register(function)


def as_tensors(result: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
    """Float arrays as tensors, in whatever tuple or list they come; anything else, and an `out` among the arguments, as it is."""
    if any(result is x for x in (*args, *(kwargs or {}).values())):
        return result
    if isinstance(result, tuple | list) and any(isinstance(r, np.ndarray) for r in result):
        parts = [as_tensors(r, args, kwargs) for r in result]
        return type(result)(parts) if type(result) in (tuple, list) else tuple(parts)
    is_float = isinstance(result, np.ndarray | np.floating) and result.dtype.kind == "f"
    return constant(np.asarray(result)) if is_float else result


# Functions whose results are booleans, integers or shapes: there is nothing to differentiate.
FLAT: set[Any] = {
    getattr(np, name)
    for name in (
        "equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor logical_not "
        "isfinite isinf isnan signbit isneginf isposinf isreal iscomplex isrealobj iscomplexobj isclose allclose "
        "array_equal array_equiv any all argmax argmin nanargmax nanargmin argsort argpartition argwhere nonzero "
        "flatnonzero count_nonzero searchsorted digitize lexsort shape ndim size result_type can_cast "
        "may_share_memory shares_memory isin broadcast_shapes zeros_like ones_like empty_like "
        "einsum_path diag_indices_from tril_indices_from triu_indices_from min_scalar_type common_type "
        "array2string array_repr array_str"
    ).split()
    if hasattr(np, name)
}
