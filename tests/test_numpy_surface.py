"""Every public function of NumPy meets a tensor that requires a gradient: nothing may lose it silently."""

import inspect
import re
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import microgradnd as mg
from microgradnd.dispatch import FUNCTIONS

DOCS = Path(__file__).parents[1] / "docs"


survey = SimpleNamespace(**runpy.run_path(str(DOCS / "survey.py")))
FOUND = survey.survey()


@pytest.mark.parametrize("call", FOUND)
def test_a_tensor_or_integers_or_a_refusal_comes_out(call: str) -> None:
    what = FOUND[call]
    assert what.split(":")[0] in ("gradient", "flat", "discrete", "refused"), what
    if what.startswith("refused"):
        assert re.search(r"np\.\w+|`\w+`", what), f"it doesn't name the function: {what}"
        assert re.search(r"\b(use|compose|leave|pass|write)\b", what), f"it doesn't say what to do: {what}"


def test_more_calls_have_a_gradient_than_in_any_other_framework_on_numpy() -> None:
    """Names of functions, operators and methods, each counted once, where a gradient that is not zero flows."""
    assert sum(what == "gradient" for what in FOUND.values()) >= 270


def test_what_writes_refuses_before_it_writes(tmp_path: Path) -> None:
    x = mg.tensor(np.zeros((2, 2)), requires_grad=True)
    array, file = np.ones((2, 2)), tmp_path / "file"
    writers = [
        lambda: np.copyto(array, x),
        lambda: np.put(array, [0], x[0]),
        lambda: np.place(array, array > 0, x),
        lambda: np.putmask(array, array > 0, x),
        lambda: np.put_along_axis(array, np.zeros((1, 2), int), x, 0),
        lambda: np.fill_diagonal(x, 1.0),
        lambda: np.add(x, 1.0, out=array),
        lambda: np.sum(x, axis=0, out=array[0]),
        lambda: np.add.at(x, [0], 1.0),
        lambda: np.add.at(array, [0], x),
        lambda: np.save(file, x),
        lambda: np.savetxt(file, x),
        lambda: np.savez(file, x),
        lambda: np.savez_compressed(file, x=x),
        lambda: array.__iadd__(x),
        lambda: array.__setitem__(0, x[0]),
    ]
    for write in writers:
        with pytest.raises(TypeError):
            write()
    np.testing.assert_array_equal(array, np.ones((2, 2)))
    np.testing.assert_array_equal(x.data, np.zeros((2, 2)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "write",
    [
        lambda a, t: np.copyto(a, t),
        lambda a, t: np.copyto(dst=a, src=t),
        lambda a, t: np.putmask(a, [True, True], t),
        lambda a, t: np.place(a, [True, True], t),
        lambda a, t: np.put(a, [0, 1], t),
        lambda a, t: np.add(t, 0.0, out=a),
        lambda a, t: np.add.at(a, [0, 1], t),
        lambda a, t: a.__iadd__(t),
        lambda a, t: np.sum(t[None], axis=0, out=a),
        lambda a, t: np.cumprod(t[None], 0, None, a[None])[0],
        lambda a, t: np.modf(t, np.zeros(2), a)[1],
    ],
    ids="abcdefghijk",
)
def test_arrays_take_what_requires_no_gradient_and_stay_arrays(write: Any) -> None:
    array = np.zeros(2)
    result = write(array, mg.tensor([5.0, 6.0]))
    assert result is None or type(result) is np.ndarray
    np.testing.assert_array_equal(array, [5.0, 6.0])


def test_constructors_name_the_remedy() -> None:
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    for construct in (np.array, np.asarray, np.asanyarray, np.float64):
        with pytest.raises(TypeError, match=r"np\.stack|item"):
            construct([x, x])


def test_a_ufunc_of_elsewhere_with_a_known_name_is_not_mistaken_for_scipys() -> None:
    mine = np.frompyfunc(lambda x: -1.0, 1, 1)
    with pytest.raises(TypeError, match="no gradient rule"):
        mine(mg.tensor([1.0], requires_grad=True))


def test_scipys_own_ufuncs_are_differentiated() -> None:
    special = pytest.importorskip("scipy.special")
    x = mg.tensor([0.5, 1.5], requires_grad=True)
    special.erf(x).backward(np.ones(2))
    np.testing.assert_allclose(x.grad, 2 / np.sqrt(np.pi) * np.exp(-(x.data**2)))
    np.testing.assert_array_equal(special.psi(x).data, special.psi(x.data))
    with pytest.raises(TypeError, match="no gradient rule"):
        special.jv(1.0, x)


# -- options: honoured or refused, never ignored -----------------------------------------------
MASK = np.array([[True, False, True], [True, True, False]])
OPTIONS: dict[str, dict[str, Any]] = {
    name: {name: value}
    for name, value in {
        "axis": 1,
        "dtype": np.float32,
        "out": np.empty((2, 3)),
        "keepdims": True,
        "initial": 2.0,
        "where": MASK,
        "ddof": 1,
        "correction": 1,
        "mean": np.array([[0.4]]),
        "weights": np.arange(1.0, 7.0).reshape(2, 3),
        "returned": True,
        "overwrite_input": True,
        "method": "lower",
        "n": 2,
        "prepend": 1.0,
        "append": 1.0,
        "to_end": 5.0,
        "to_begin": 5.0,
        "edge_order": 2,
        "dx": 0.5,
        "x": np.array([0.0, 1.0, 3.0]),
        "decimals": 1,
        "nan": 1.0,
        "copy": False,
        "deg": True,
        "rowvar": False,
        "bias": True,
        "aweights": np.ones(3),
        "fweights": np.ones(3, int),
        "discont": 4.0,
        "period": 1.0,
        "order": "F",
        "casting": "no",
        "subok": False,
        "k": 1,
        "offset": 1,
        "kind": "heapsort",
        "increasing": True,
        "min": 0.2,
        "max": 0.5,
        "shift": 1,
        "axes": (1, 0),
        "include_initial": True,
    }.items()
}
OPTIONS |= {
    "where and initial": {"where": MASK, "initial": 0.3},
    "where and axis": {"where": MASK, "axis": 1, "keepdims": True},
    "two axes": {"axis": (0, 1)},
}
MATRIX = np.array([[0.3, 2.0, 0.7], [1.3, 0.45, 0.9]])


FURTHER = {
    np.quantile: (0.3,),
    np.nanquantile: (0.3,),
    np.percentile: (30,),
    np.nanpercentile: (30,),
    np.take: ([0, 1],),
    np.dot: (MATRIX.T,),
    np.outer: (MATRIX,),
    np.repeat: (2,),
    np.roll: (1,),
    np.partition: (1,),
    np.pad: (1,),
    np.tile: (2,),
}
NOT_OF_A_MATRIX_FIRST = {np.choose, np.compress, np.empty_like}  # or of values that are nobody's


def called(function: Any) -> str:
    return f"{function.__module__.removeprefix('numpy').removeprefix('.')}.{function.__name__}".removeprefix(".")


BY_NAME = {called(function): function for function in sorted(FUNCTIONS, key=called)}


def one_call_each() -> list[Any]:
    return [
        pytest.param(function, options, id=f"{name}-{option}")
        for name, function in BY_NAME.items()
        for option, options in OPTIONS.items()
        if function not in NOT_OF_A_MATRIX_FIRST and options.keys() <= parameters(function).keys()
    ]


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except ValueError:
        return {}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("function", "options"), one_call_each())
def test_an_option_is_honoured_or_refused(function: Any, options: dict[str, Any]) -> None:
    args = (MATRIX, *FURTHER.get(function, ()))
    x = mg.tensor(args[0], requires_grad=True)
    if "out" in options:
        with pytest.raises(TypeError, match="out="):
            function(x, *args[1:], **options)
        return
    try:
        expected = function(*args, **options)
    except (TypeError, ValueError, ZeroDivisionError):
        return
    try:
        y = function(x, *args[1:], **options)
    except TypeError as error:
        refusal = str(error)
    else:
        refusal = ""
        for ours, theirs in zip(survey.parts_of(y), survey.parts_of(expected), strict=True):
            np.testing.assert_allclose(mg.astensor(ours).data, theirs, rtol=1e-6)
            assert ours.dtype == theirs.dtype
    assert not refusal or any(name in refusal for name in options), f"it doesn't name the option: {refusal}"


@pytest.mark.parametrize("name", BY_NAME)
def test_the_arguments_are_numpys(name: str) -> None:
    function = BY_NAME[name]
    theirs, ours = parameters(function), inspect.signature(FUNCTIONS[function]).parameters
    if any(p.kind is p.VAR_POSITIONAL for p in ours.values()):
        return
    if not theirs:
        return  # written in C, without a signature
    by_name = {name: p for name, p in theirs.items() if p.kind is not p.POSITIONAL_ONLY}
    positional = [name for name, p in by_name.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    unnamed = len(theirs) - len(by_name)
    assert list(ours)[unnamed : unnamed + len(positional)] == positional
    missing = by_name.keys() - ours.keys()
    assert not missing or any(p.kind is p.VAR_KEYWORD for p in ours.values()), f"not even refused: {missing}"


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.minimum, np.logaddexp, np.subtract])
def test_ufunc_methods(ufunc: Any) -> None:
    x = mg.tensor(MATRIX, requires_grad=True)
    if ufunc is not np.subtract:
        for axis in (0, 1, -1):
            np.testing.assert_allclose(ufunc.reduce(x, axis=axis).data, ufunc.reduce(MATRIX, axis=axis))
        np.testing.assert_allclose(
            ufunc.reduce(x, axis=None, keepdims=True).data, ufunc.reduce(MATRIX, axis=None, keepdims=True)
        )
        assert mg.gradcheck(lambda t: ufunc.reduce(t, axis=1), MATRIX)
    for axis in (0, 1):
        np.testing.assert_allclose(ufunc.accumulate(x, axis=axis).data, ufunc.accumulate(MATRIX, axis=axis))
    assert mg.gradcheck(lambda t: ufunc.accumulate(t, axis=1), MATRIX)
    np.testing.assert_allclose(ufunc.outer(x, MATRIX[0]).data, ufunc.outer(MATRIX, MATRIX[0]))
    np.testing.assert_allclose(ufunc.outer(MATRIX[0], x).data, ufunc.outer(MATRIX[0], MATRIX))
    with pytest.raises(TypeError, match=r"put"):
        ufunc.at(x, [0], 1.0)
    with pytest.raises(TypeError, match="reduceat"):
        ufunc.reduceat(x, [0, 1])
    for option in ({"where": MASK}, {"casting": "no"}, {"out": np.empty((2, 3))}, {"dtype": int}):
        with pytest.raises(TypeError, match=next(iter(option))):
            ufunc(x, 1.0, **option)
    assert ufunc(x, MATRIX, dtype=np.float32).dtype == np.float32
    for default in ({"where": True}, {"casting": "same_kind", "order": "K"}, {"subok": False}):
        np.testing.assert_array_equal(ufunc(x, MATRIX, **default).data, ufunc(MATRIX, MATRIX))


@pytest.mark.parametrize(
    ("call", "option"),
    [
        (lambda x: np.pad(x, 1, mode="mean"), "mode='mean'"),
        (lambda x: np.pad(x, 2, mode="reflect", reflect_type="odd"), "reflect_type='odd'"),
        (lambda x: np.linalg.pinv(x.T @ x, hermitian=True), "hermitian=True"),
        (lambda x: np.quantile(x, 0.3, method="lower"), "'lower'"),
    ],
    ids="abcd",
)
def test_a_refused_option_is_numpys_where_nothing_requires_a_gradient(call: Any, option: str) -> None:
    np.testing.assert_array_equal(call(mg.tensor(MATRIX)).data, call(MATRIX))
    with pytest.raises(TypeError, match=option):
        call(mg.tensor(MATRIX, requires_grad=True))


def test_the_page_is_what_the_calls_do() -> None:
    written = (DOCS / "reference" / "numpy_support.md").read_text(encoding="utf-8")
    if f"`numpy` {'.'.join(np.__version__.split('.')[:2])} " not in written:
        pytest.skip("the page was made with another NumPy, which has other functions")
    assert written == runpy.run_path(str(DOCS / "generate.py"))["numpy_support"](), "run python docs/generate.py"
