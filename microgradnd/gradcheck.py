"""The gradient check's front door; what is behind it is loaded when the first gradient is checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checking.report import Report


class GradcheckError(AssertionError):
    """A gradient is wrong, or nothing could be told about it; `report` holds the details.

    Parameters
    ----------
    report
        What the check found, as `gradcheck` gives it with ``raises=False``.

    Examples
    --------
    >>> import numpy as np
    >>> import microgradnd as mg
    >>> wrong = mg.op(np.sin, lambda g, y, x: g * np.sin(x), name="docs_wrong_sin")
    >>> try:
    ...     mg.gradcheck(wrong, 1.0)
    ... except mg.GradcheckError as error:
    ...     print(error.report.blame[0].op)
    docs_wrong_sin
    """

    def __init__(self, report: Any) -> None:
        super().__init__(str(report))
        self.report = report


GradcheckError.__module__ = "microgradnd"


def gradcheck(
    f: Callable[..., Any],
    *inputs: Any,
    order: int = 1,
    rtol: float | None = None,
    atol: float | None = None,
    raises: bool = True,
    wrt: Any = None,
    exhaustive: bool | None = None,
    kinks: str = "accept",
    seed: int = 0,
    **options: Any,
) -> Report:
    """Compare the gradients of `f` with differences, in float64, and say what is wrong and where.

    Parameters
    ----------
    f
        What to check, called as ``f(*inputs, **options)`` with tensors in place of the floating-point
        inputs. It may return numbers, arrays, tensors, or tuples, lists and dicts of them.
    *inputs
        The point to check at: arrays, tensors, floats, or nested tuples, lists and dicts of them.
        They are copied. Integers and booleans are passed on as they are.
    order
        2 checks the second derivatives too: the gradient of (x, v) -> vjp(f, x)(v).
    rtol, atol
        Allowed difference beyond ten times the estimated error of the differences: relative, by
        default 1e-9, and in units of the input's largest gradient, by default 1e-12.
    raises
        Whether a wrong gradient raises; otherwise look at the report.
    wrt
        Indices or names of the inputs to check; by default all floating-point ones.
    exhaustive
        True checks every element alone; False checks along random directions, and halves where one
        disagrees until the wrong elements are found; by default it depends on whether the inputs
        have more than 256 elements.
    kinks
        "accept" a gradient between the one-sided slopes where `f` has a kink, or make it an "error".
    seed
        Of the random cotangents and directions.
    **options
        Keyword arguments of `f`; wrap it in a lambda if one is called like an argument above.

    Returns
    -------
    Report
        Truthy when right; `print` it for the details, or call its `plot()`.

    Raises
    ------
    GradcheckError
        If a gradient is wrong, or nothing could be told.
    TypeError, ValueError
        If there is nothing to compare.

    Notes
    -----
    Differences are extrapolated twice and come with an estimate of their own error (`checking.numeric`).
    Besides the whole, every op that `f` records is checked by itself: so an error that is damped later on
    is found, and the guilty op is named.

    Examples
    --------
    >>> import microgradnd as mg, numpy as np
    >>> bool(mg.gradcheck(np.tanh, np.array([0.5, -2.0])))
    True
    """
    from .checking.trial import try_gradients

    report = try_gradients(f, inputs, options, order, (rtol, atol), wrt, exhaustive, kinks, seed)
    if raises and not report:
        raise GradcheckError(report)
    return report


def _given(op: Any, **options: Any) -> Callable[[], None]:
    """Make a test of an op's gradient: see `microgradnd.strategies.given`, which needs hypothesis."""
    from .strategies import given

    return given(op, **options)


gradcheck.given = _given  # type: ignore[attr-defined]
