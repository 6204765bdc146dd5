"""Special functions, computed by SciPy, which is imported when one of them is first called.

`scipy.special.erf(x)` of a tensor arrives here too: those functions are NumPy ufuncs. Slopes: DLMF chapters 5
and 7 (https://dlmf.nist.gov).
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from ..core import Op, sample
from ..dispatch import SCIPY_UFUNCS
from ._samples import calls, within
from .slopes import scale

__all__ = ["digamma", "erf", "erfc", "gammaln", "polygamma"]


def _scipy(name: str, x: Any, *before: Any) -> Any:
    """What the function of this name in `scipy.special` gives, in the dtype of `x`."""
    try:
        from scipy import special
    except ImportError as error:
        raise ImportError(f'{name} is computed by SciPy: pip install "microgradnd[special]"') from error
    y = getattr(special, name)(*before, x)
    return y.astype(x.dtype, copy=False) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else y


def _bell(g: Any, x: Any) -> Any:
    """G * 2 / sqrt(pi) * exp(-x**2); beyond 40 that is 0 in any dtype, and x**2 would overflow."""
    return scale(g, 2 / math.sqrt(math.pi) * np.exp(-np.square(np.clip(x, -40.0, 40.0))))


erf: Op = Op(partial(_scipy, "erf"), lambda g, y, x: _bell(g, x), name="erf", elementwise=True, samples=within(-2, 2))
erfc: Op = Op(
    partial(_scipy, "erfc"), lambda g, y, x: -_bell(g, x), name="erfc", elementwise=True, samples=within(-2, 2)
)
gammaln: Op = Op(
    partial(_scipy, "gammaln"),
    lambda g, y, x: scale(g, digamma(x)),
    name="gammaln",
    formula="log|Γ({0})|",
    elementwise=True,
    samples=within(0.5, 4),
)
digamma: Op = Op(
    partial(_scipy, "digamma"),
    lambda g, y, x: scale(g, polygamma(1, x)),
    name="digamma",
    formula="ψ({0})",
    elementwise=True,
    samples=within(0.5, 4),
)
polygamma_op: Op = Op(
    lambda x, n: _scipy("polygamma", x, n),
    lambda g, y, x, n: scale(g, polygamma(n + 1, x)),
    name="polygamma",
    formula="ψ⁽{n}⁾({0})",
    elementwise=True,
    samples=calls(lambda rng: sample(rng.uniform(0.5, 4, (2, 3)), n=1), lambda rng: sample(rng.uniform(1, 4, 3), n=2)),
)


def polygamma(n: int, x: Any) -> Any:
    """The n-th derivative of `digamma`, with SciPy's order of arguments.

    Shapes: that of `x`. Gradient: ``g * polygamma(n + 1, x)`` (https://dlmf.nist.gov/5.15).

    Parameters
    ----------
    n
        How many times `digamma` is differentiated.
    x
        Array or tensor of real numbers.

    Raises
    ------
    ImportError
        If SciPy isn't installed.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(mg.digamma)(1.0) == mg.polygamma(1, 1.0)
    np.True_
    """
    return polygamma_op(x, n=n)


SCIPY_UFUNCS.update({"erf": erf, "erfc": erfc, "gammaln": gammaln, "psi": digamma})
