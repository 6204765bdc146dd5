"""What every public function of NumPy does with a tensor that requires a gradient, found by calling it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import microgradnd as mg


class Inputs:
    """Tensors to hand over, made of one leaf each time, and plain arrays that nothing may change."""

    def __init__(self) -> None:
        self.leaf = mg.tensor(
            [[2.0, 0.3, 0.1, 0.7], [0.4, 1.5, 0.2, 0.6], [0.15, 0.25, 0.9, 0.8], [0.55, 0.35, 0.45, 1.2]],
            requires_grad=True,
        )
        self.m = self.leaf + 0.0  # a matrix, diagonally dominant
        self.n = self.m.T * 0.7 + 0.17
        self.sym = self.m @ self.m.T
        self.v, self.w = self.m[0], self.m[1]
        self.s = self.m[0, 0]
        self.small = self.m * 0.3  # inside (-1, 1)
        self.cube = self.m.reshape(2, 2, 4)
        self.array = np.ones((4, 4))
        self.mask = np.eye(4, dtype=bool)


# How to call what can't be called as f(matrix) or f(matrix, matrix).
CALLS: dict[str, Callable[[Inputs, Any], Any]] = {
    **dict.fromkeys(["arccos", "acos", "arcsin", "asin", "arctanh", "atanh"], lambda i, f: f(i.small)),
    **dict.fromkeys(["arccosh", "acosh"], lambda i, f: f(i.m + 1)),
    **dict.fromkeys(["array_split", "hsplit", "vsplit", "split"], lambda i, f: f(i.m, 2)),
    **dict.fromkeys(
        [
            "concat",
            "concatenate",
            "stack",
            "vstack",
            "hstack",
            "dstack",
            "column_stack",
            "row_stack",
            "block",
            "lexsort",
        ],
        lambda i, f: f([i.m, i.m]),
    ),
    **dict.fromkeys(["swapaxes", "moveaxis"], lambda i, f: f(i.m, 0, 1)),
    **dict.fromkeys(
        ["expand_dims", "repeat", "roll", "tile", "rollaxis", "pad", "partition", "argpartition"],
        lambda i, f: f(i.m, 1),
    ),
    **dict.fromkeys(["quantile", "nanquantile"], lambda i, f: f(i.m, 0.3)),
    **dict.fromkeys(["percentile", "nanpercentile"], lambda i, f: f(i.m, 30)),
    **dict.fromkeys(["convolve", "correlate", "polyadd", "polysub", "polymul", "polydiv"], lambda i, f: f(i.v, i.w)),
    **dict.fromkeys(
        ["poly", "roots", "polyder", "polyint", "vander", "trim_zeros", "diagflat", "i0", "bincount"],
        lambda i, f: f(i.v),
    ),
    **dict.fromkeys(["linspace", "logspace", "geomspace"], lambda i, f: f(i.s, i.m[1, 1], 5)),
    **dict.fromkeys(["put", "place", "putmask"], lambda i, f: f(i.array, i.mask, i.v)),
    **dict.fromkeys(["array", "asarray", "asanyarray"], lambda i, f: f([i.v, i.w])),
    **dict.fromkeys(["savez", "savez_compressed", "save", "savetxt"], lambda i, f: f("never-written", i.m)),
    "append": lambda i, f: f(i.m, i.m),
    "apply_along_axis": lambda i, f: f(np.sum, 0, i.m),
    "apply_over_axes": lambda i, f: f(np.sum, i.m, 0),
    "arange": lambda i, f: f(i.s),
    "broadcast_to": lambda i, f: f(i.v, (2, 4)),
    "choose": lambda i, f: f([0, 1, 0, 1], [i.v, i.w]),
    "clip": lambda i, f: f(i.m, 0.2, 1.0),
    "compress": lambda i, f: f([True, False, True], i.m, 0),
    "copyto": lambda i, f: f(i.array, i.m),
    "cross": lambda i, f: f(i.m[:, :3], i.m[:, 1:]),
    "cumulative_sum": lambda i, f: f(i.v),
    "cumulative_prod": lambda i, f: f(i.v),
    "delete": lambda i, f: f(i.v, 1),
    "digitize": lambda i, f: f(i.v, [0.0, 1.0]),
    "dsplit": lambda i, f: f(i.cube, 2),
    "einsum": lambda i, f: f("ij,kj->ik", i.m, i.m),
    "einsum_path": lambda i, f: f("ij,kj->ik", i.m, i.m),
    "extract": lambda i, f: f(i.mask, i.m),
    "fill_diagonal": lambda i, f: f(i.m, 0.0),
    "from_dlpack": lambda i, f: f(i.m),
    "full": lambda i, f: f((2,), i.s),
    "full_like": lambda i, f: f(i.v, i.s),
    "heaviside": lambda i, f: f(0.0, i.m),
    "histogram2d": lambda i, f: f(i.v, i.w),
    "insert": lambda i, f: f(i.v, 1, i.s),
    "interp": lambda i, f: f(i.v, [0.0, 1.0, 3.0], [0.0, 1.0, 4.0]),
    "ldexp": lambda i, f: f(i.m, 2),
    "matvec": lambda i, f: f(i.m, i.v),
    "vecmat": lambda i, f: f(i.v, i.m),
    "meshgrid": lambda i, f: f(i.v, i.w),
    "nanargmax": lambda i, f: f(i.m),
    "piecewise": lambda i, f: f(i.v, [i.v > 0.5], [lambda x: 2 * x, 0.0]),
    "polyfit": lambda i, f: f(i.v, i.w, 1),
    "polyval": lambda i, f: f(i.v, i.s),
    "put_along_axis": lambda i, f: f(i.array, np.zeros((1, 4), int), i.v, 0),
    "require": lambda i, f: f(i.m, np.float64),
    "reshape": lambda i, f: f(i.m, -1),
    "resize": lambda i, f: f(i.m, (2, 3)),
    "searchsorted": lambda i, f: f(i.v, 1.0),
    "select": lambda i, f: f([i.mask], [i.m]),
    "sliding_window_view": lambda i, f: f(i.v, 2),
    "take": lambda i, f: f(i.m, [0, 0]),
    "take_along_axis": lambda i, f: f(i.m, np.zeros((1, 4), int), 0),
    "where": lambda i, f: f(i.mask, i.m, 0.0),
    "astype": lambda i, f: f(i.m, np.float32),
    "issubdtype": lambda i, f: f(i.m.dtype, np.floating),
    "result_type": lambda i, f: f(i.m, i.m),
    "linalg.cross": lambda i, f: f(i.m[:, :3], i.m[:, 1:]),
    "linalg.matrix_power": lambda i, f: f(i.m, 3),
    "linalg.multi_dot": lambda i, f: f([i.m, i.m, i.v]),
    "linalg.tensorinv": lambda i, f: f(i.m.reshape(2, 2, 2, 2)),
    "linalg.tensorsolve": lambda i, f: f(i.m, i.v),
    "linalg.outer": lambda i, f: f(i.v, i.w),
    "linalg.solve": lambda i, f: f(i.m, i.v),
    "linalg.lstsq": lambda i, f: f(i.m, i.v),
    **dict.fromkeys(["linalg.cholesky", "linalg.eigh", "linalg.eigvalsh"], lambda i, f: f(i.sym)),
}
# Functions of NumPy that take no array of numbers, so that there is nothing to hand a tensor to.
NO_ARRAY = frozenset(
    "bartlett base_repr binary_repr blackman bmat busday_count busday_offset is_busday datetime_as_string datetime_data "
    "diag_indices empty eye ones zeros tri tril_indices triu_indices identity indices mask_indices frombuffer fromfile "
    "fromfunction fromiter frompyfunc fromregex fromstring genfromtxt load loadtxt get_include get_printoptions "
    "getbufsize geterr geterrcall hamming hanning info isdtype issubdtype iterable kaiser mintypecode nested_iters "
    "printoptions promote_types set_printoptions setbufsize seterr seterrcall show_config show_runtime test typename "
    "broadcast_shapes can_cast from_dlpack unravel_index format_float_positional format_float_scientific isnat".split()
)


def public() -> dict[str, Any]:
    """Every public function of numpy and numpy.linalg, and sliding_window_view, by name."""
    found = {name: getattr(np, name) for name in dir(np) if not name.startswith("_")}
    found |= {f"linalg.{name}": getattr(np.linalg, name) for name in dir(np.linalg) if not name.startswith("_")}
    found["sliding_window_view"] = np.lib.stride_tricks.sliding_window_view
    return {
        name: f
        for name, f in sorted(found.items())
        if callable(f) and not isinstance(f, type) and name.rpartition(".")[2] not in NO_ARRAY
    }


OPERATORS: dict[str, Callable[[Inputs], Any]] = {
    "x + a": lambda i: i.m + i.array,
    "a + x": lambda i: i.array + i.m,
    "x - a": lambda i: i.m - i.array,
    "a - x": lambda i: i.array - i.m,
    "x * a": lambda i: i.m * i.array,
    "a * x": lambda i: i.array * i.m,
    "x / a": lambda i: i.m / i.array,
    "a / x": lambda i: i.array / i.m,
    "x % a": lambda i: i.m % i.array,
    "a % x": lambda i: i.array % i.m,
    "x // a": lambda i: i.m // i.array,
    "x ** a": lambda i: i.m**i.array,
    "a ** x": lambda i: (2 * i.array) ** i.m,
    "x @ a": lambda i: i.m @ i.array,
    "a @ x": lambda i: i.array @ i.m,
    "-x": lambda i: -i.m,
    "+x": lambda i: +i.m,
    "abs(x)": lambda i: abs(i.m),
    "divmod(x, a)": lambda i: divmod(i.m, i.array),
    "x[i]": lambda i: i.m[1],
    "x < a": lambda i: i.m < i.array,
    "x == a": lambda i: i.m == i.array,
}
METHODS: dict[str, Callable[[Inputs], Any]] = {
    **{
        f".{name}()": (lambda i, name=name: getattr(i.m, name)())
        for name in "sum mean prod max min std var cumsum cumprod ptp ravel flatten transpose squeeze copy round conj "
        "conjugate trace diagonal argmax argmin argsort all any nonzero".split()
    },
    ".T": lambda i: i.m.T,
    ".mT": lambda i: i.m.mT,
    ".real": lambda i: i.m.real,
    ".imag": lambda i: i.m.imag,
    ".reshape()": lambda i: i.m.reshape(2, 8),
    ".clip()": lambda i: i.m.clip(0.2, 1.0),
    ".dot()": lambda i: i.m.dot(i.m),
    ".astype()": lambda i: i.m.astype(np.float32),
    ".repeat()": lambda i: i.m.repeat(2),
    ".swapaxes()": lambda i: i.m.swapaxes(0, 1),
    ".take()": lambda i: i.m.take([0, 1]),
    ".compress()": lambda i: i.m.compress([True, False], axis=0),
    ".choose()": lambda i: np.array([0, 1, 0, 1]).choose([i.v, i.w]),
    ".searchsorted()": lambda i: i.v.searchsorted(0.5),
}


def call(name: str, function: Any, inputs: Inputs) -> Any:
    """The function, called as its entry says, or with one matrix, or with two."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        how = CALLS.get(name) or CALLS.get(name.rpartition(".")[2])
        if how:
            return how(inputs, function)
        if isinstance(function, np.ufunc):
            return function(*(inputs.m, inputs.n)[: function.nin])
        try:
            return function(inputs.m)
        except TypeError as error:
            if "missing" not in str(error) and "required" not in str(error) and "at least" not in str(error):
                raise
        return function(inputs.m, inputs.n)


def parts_of(result: Any) -> list[Any]:
    """What a result consists of, tuples and lists opened."""
    return [p for r in result for p in parts_of(r)] if isinstance(result, tuple | list) else [result]


def outcome(result: Any, inputs: Inputs) -> str:
    """``gradient``, ``flat`` or ``discrete``; or what came out that should not have."""
    total: Any = 0.0
    kinds = set()
    for part in parts_of(result):
        if isinstance(part, mg.Tensor):
            kinds.add("tensor")
            if part.requires_grad:
                weights = np.random.default_rng(0).uniform(0.5, 1.5, part.shape)
                total = total + (part * weights).sum()
        elif (
            isinstance(part, bool | int | str | slice | np.dtype | type | None) or np.asarray(part).dtype.kind in "biu"
        ):
            kinds.add("discrete")
        else:
            return f"lost: {type(part).__name__} of {np.asarray(part).dtype}"
    if "tensor" not in kinds:
        return "discrete"
    if not isinstance(total, mg.Tensor):
        return "flat"
    (g,) = mg.gradients(total, [inputs.leaf])
    return "gradient" if np.any(g.data) else "flat"


def survey() -> dict[str, str]:
    """The outcome for every function, operator and method; a refusal begins with ``refused``."""
    calls: dict[str, Callable[[Inputs], Any]] = {
        f"np.{name}": (lambda i, name=name, f=f: call(name, f, i)) for name, f in public().items()
    }
    methods = {name: how for name, how in METHODS.items() if hasattr(mg.Tensor, name.strip(".()"))}
    found = {}
    for name, how in (calls | OPERATORS | methods).items():
        inputs = Inputs()
        try:
            found[name] = outcome(how(inputs), inputs)
        except TypeError as error:
            found[name] = f"refused: {error}"
        except Exception as error:
            found[name] = f"failed: {type(error).__name__}: {error}"
    return found
