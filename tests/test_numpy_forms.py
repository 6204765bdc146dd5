"""Legal calls of NumPy's functions in all their forms: tensors give NumPy's values, dtypes and errors, and right gradients."""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgradnd as mg
from microgradnd.gradients import recorded

FORMS = [
    line
    for line in (Path(__file__).parent / "numpy_forms.txt").read_text(encoding="utf-8").splitlines()
    if line and line[0] != "#"
]
# What the calls are written in: a, b, c, v, q of one to three axes, s a number, e and z empty, n with NaN; M a mask, I indices.
_rng = np.random.default_rng(3)
_a = _rng.uniform(0.3, 1.7, (3, 4))
OPERANDS = {
    "a": _a,
    "b": _rng.uniform(0.3, 1.7, (3, 4)),
    "c": _rng.uniform(0.3, 1.7, (2, 3, 4)),
    "v": _rng.uniform(0.3, 1.7, 5),
    "q": _rng.normal(size=(4, 4)),
    "S": _a @ _a.T + np.diag([1.0, 2.0, 3.0]),
    "s": np.array(0.7),
    "e": np.zeros((0, 3)),
    "z": np.zeros((3, 0)),
    "n": np.where(_rng.random((3, 4)) < 0.3, np.nan, _a),
    "x5": np.array([0.1, 0.4, 0.9, 1.3, 2.2]),
}
CONSTANTS = {"np": np, "M": _a > 0.8, "I": np.array([[0, 2, 1, 3], [1, 1, 0, 2], [3, 3, 3, 3]])}
# What NumPy computes, and a tensor that requires a gradient refuses in words.
REFUSED = re.compile(
    r"dtype=int|method='(nearest|lower|weibull|inverted_cdf)'|overwrite_input|^np\.vecdot\(a, b, axis|axes=\[\(0, 1\)"
    r"|pinv\(.*hermitian=True|'(mean|linear_ramp|maximum|empty|median|minimum)'\)|reflect_type='odd'|constant_values=s"
    r"|[af]weights|casting='no'|exp\(a, order='F'"
)


def evaluate(call: str, operands: dict[str, Any]) -> Any:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(call, {**CONSTANTS, **operands})


def parts(result: Any) -> Iterator[Any]:
    """The arrays, tensors and numbers in a result."""
    if isinstance(result, tuple | list):
        for part in result:
            yield from parts(part)
    else:
        yield result


def assert_same(ours: Any, numpys: Any) -> None:
    ours, numpys = list(parts(ours)), list(parts(numpys))
    assert len(ours) == len(numpys)
    for our, theirs in zip(ours, numpys, strict=True):
        value = our.data if isinstance(our, mg.Tensor) else our
        if not isinstance(theirs, np.ndarray | np.generic):
            assert value == theirs
            continue
        assert np.asarray(value).dtype == theirs.dtype
        rtol = 1e-9 if theirs.dtype == np.float64 else 2e-3 if theirs.dtype == np.float16 else 1e-5
        np.testing.assert_allclose(value, theirs, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("call", FORMS)
def test_a_form(call: str) -> None:
    names = [k for k in OPERANDS if re.search(rf"(?<![\w.']){k}(?![\w'(=])", call)]
    plain = {k: mg.tensor(OPERANDS[k]) for k in names}
    wanted = {k: mg.tensor(OPERANDS[k], requires_grad=True) for k in names}
    assert names
    try:
        expected = evaluate(call, OPERANDS)
    except AttributeError:
        pytest.skip("this NumPy has no such function")
    except Exception as error:
        for operands in (plain, wanted):
            with pytest.raises(type(error).__mro__[-3 if isinstance(error, ValueError | IndexError) else 0]):
                evaluate(call, OPERANDS | operands)
        return
    assert_same(evaluate(call, OPERANDS | plain), expected)
    if REFUSED.search(call):
        with pytest.raises(TypeError, match=r"leave it out|use|only|pick|pass|detach"):
            evaluate(call, OPERANDS | wanted)
        return
    result = evaluate(call, OPERANDS | wanted)
    assert_same(result, expected)
    tracked = [y for y in parts(result) if isinstance(y, mg.Tensor) and y.requires_grad]
    flat = [y for y in parts(result) if not isinstance(y, mg.Tensor)]
    assert all(np.asarray(y).dtype.kind != "f" for y in flat), "the gradient is lost"
    if all(y.dtype == np.float64 and np.isfinite(y.data).all() for y in tracked) and "n" not in names and tracked:

        def f(*xs: Any) -> Any:
            y = evaluate(call, OPERANDS | dict(zip(names, xs, strict=True)))
            return tuple(part for part in parts(y) if isinstance(part, mg.Tensor))

        assert mg.gradcheck(f, *(OPERANDS[k] for k in names))


# In float32 these compute in float64 because they are told to, or are given it: coordinates of their own.
WIDE = re.compile(r"f8|float64|float16|float_power|^np\.gradient\(\w, (np\.array|\[)")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", [call for call in FORMS if not (WIDE.search(call) or REFUSED.search(call))])
def test_a_form_in_float32(call: str) -> None:
    """The dtype is NumPy's; and where that is float32, nothing behind it or its derivatives is wider."""
    narrow = {k: v.astype(np.float32) for k, v in OPERANDS.items()}
    xs = {k: mg.tensor(v, requires_grad=True) for k, v in narrow.items()}
    try:
        expected = evaluate(call, narrow)
    except Exception:
        return  # NumPy's errors are tested above
    tracked = [y for y in parts(evaluate(call, xs)) if isinstance(y, mg.Tensor) and y.requires_grad]
    floats = [y for y in parts(expected) if isinstance(y, np.ndarray | np.generic) and y.dtype.kind == "f"]
    if any(y.dtype != np.float32 for y in floats):
        return
    with np.errstate(all="ignore"):
        found = list(tracked)
        for _ in range(2):
            ones = [(y, np.ones(y.shape, np.float32)) for y in tracked]
            tracked = [g for y, w in ones for g in mg.gradients(y, [*xs.values()], w, create_graph=True)]
            tracked = [g for g in tracked if g.requires_grad]
            found += tracked
    behind = {v.dtype for t in recorded(found) for v in (t.data, *t.values) if isinstance(v, np.ndarray | np.generic)}
    assert not {d for d in behind if d.kind == "f"} - {np.dtype(np.float32)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", [call for call in FORMS if "empty" not in call and call != "a**2"])
def test_a_form_of_integers(call: str) -> None:
    """What no gradient is asked of gives what NumPy gives of arrays, errors too."""
    for dtype in (np.int32, np.uint8, np.bool_):
        whole = {k: (np.nan_to_num(np.abs(v)) * 3).astype(dtype) for k, v in OPERANDS.items()}
        tensors = {k: mg.tensor(v) for k, v in whole.items()}
        try:
            expected = evaluate(call, whole)
        except Exception:
            with pytest.raises(Exception, match=r"\w"):
                evaluate(call, tensors)
        else:
            assert_same(evaluate(call, tensors), expected)
