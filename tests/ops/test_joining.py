"""Joining, splitting, repeating, padding and inserting, against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microgradnd as mg

steady = settings(deadline=None, derandomize=True, max_examples=60)

TWO = {  # of arrays (2, 3) and (2, 3)
    "concatenate": lambda a, b: np.concatenate([a, b]),
    "concatenate axis": lambda a, b: np.concatenate((a, b, a), axis=-1),
    "concatenate flat": lambda a, b: np.concatenate([a, b[0]], axis=None),
    "concatenate dtype": lambda a, b: np.concatenate([a, b], dtype=np.float64, casting="unsafe"),
    "concat": lambda a, b: np.concat([a, b]),
    "stack": lambda a, b: np.stack([a, b], axis=-1),
    "stack rows": lambda a, b: np.stack(a),
    "vstack": lambda a, b: np.vstack([a, b[0]]),
    "hstack": lambda a, b: np.hstack([a, b]),
    "hstack vectors": lambda a, b: np.hstack([a[0], b[0], 3.0]),
    "dstack": lambda a, b: np.dstack([a, b]),
    "column_stack": lambda a, b: np.column_stack([a[:, 0], b]),
    "block": lambda a, b: np.block([[a, b], [b, a]]),
    "block flat": lambda a, b: np.block([a, b[0], 1.0]) if a.ndim == 1 else np.block([a[0], b[0], 1.0]),
    "block deep": lambda a, b: np.block([[[a], [b]]]),
    "append": lambda a, b: np.append(a, b),
    "append axis": lambda a, b: np.append(a, b, axis=1),
    "insert": lambda a, b: np.insert(a, 1, b[0]),
    "insert row": lambda a, b: np.insert(a, 1, b[0], axis=0),
    "insert rows": lambda a, b: np.insert(a, [0, 2], b, axis=0),
    "insert column": lambda a, b: np.insert(a, 1, b[:, 0], axis=1),
    "insert in a list": lambda a, b: np.insert(a, [1], b, axis=1),
    "insert slice": lambda a, b: np.insert(a, slice(0, 2), b, axis=0),
}
ONE = {
    "split": lambda x: np.split(x, 2),
    "split at": lambda x: np.split(x, [1, 3, 9], axis=1),
    "array_split": lambda x: np.array_split(x, 3, axis=1),
    "array_split many": lambda x: np.array_split(x, 6, axis=0),
    "vsplit": lambda x: np.vsplit(x, 2),
    "hsplit": lambda x: np.hsplit(x, [1]),
    "hsplit vector": lambda x: np.hsplit(x[0], 2),
    "dsplit": lambda x: np.dsplit(x[..., None], 1),
    "repeat": lambda x: np.repeat(x, 2),
    "repeat axis": lambda x: np.repeat(x, 3, axis=1),
    "repeat each": lambda x: np.repeat(x, [2, 0, 1, 3], axis=0),
    "repeat none": lambda x: np.repeat(x, 0, axis=0),
    "tile": lambda x: np.tile(x, 2),
    "tile axes": lambda x: np.tile(x, (2, 1, 3)),
    "tile fewer": lambda x: np.tile(x[None], (2,)),
    "tile scalar": lambda x: np.tile(x[0, 0], (2, 2)),
    "resize": lambda x: np.resize(x, (3, 7)),
    "resize smaller": lambda x: np.resize(x, 5),
    "pad": lambda x: np.pad(x, 1),
    "pad constant": lambda x: np.pad(x, ((1, 2), (0, 1)), constant_values=3.0),
    "pad constants": lambda x: np.pad(x, (1, 2), constant_values=((1.0, 2.0), (3.0, 4.0))),
    "pad edge": lambda x: np.pad(x, (1, 2), "edge"),
    "pad reflect": lambda x: np.pad(x, ((3, 0), (1, 5)), "reflect"),
    "pad symmetric": lambda x: np.pad(x, ((3, 0), (1, 9)), "symmetric", reflect_type="even"),
    "pad wrap": lambda x: np.pad(x, ((9, 3), (1, 5)), "wrap"),
    "delete": lambda x: np.delete(x, 1),
    "delete row": lambda x: np.delete(x, [0, -1], axis=0),
    "delete slice": lambda x: np.delete(x, slice(None, None, 2), axis=1),
    "delete mask": lambda x: np.delete(x, np.array([True, False, False, True]), axis=0),
    "trim_zeros": lambda x: np.trim_zeros(x[0] * np.array([0, 0, 1, 1, 0, 0])),
    "trim_zeros front": lambda x: np.trim_zeros(x[0] * np.array([0, 0, 1, 1, 0, 0]), "f"),
    "trim_zeros all": lambda x: np.trim_zeros(x[0] * 0),
}
if hasattr(np, "unstack"):
    ONE["unstack"] = lambda x: np.unstack(x, axis=1)


@pytest.mark.parametrize("name", TWO)
def test_two_arrays(name, agrees, rng):
    agrees(TWO[name], rng.normal(size=(2, 3)), rng.normal(size=(2, 3)))


@pytest.mark.parametrize("name", ONE)
def test_one_array(name, agrees, rng):
    agrees(ONE[name], rng.normal(size=(4, 6)))


@pytest.mark.parametrize("name", [*TWO, *ONE])
def test_dtypes_are_numpys_and_float32_stays(name, rng):
    a, b = (rng.normal(size=(2, 3)).astype(np.float32) for _ in range(2))
    arrays = (a, b) if name in TWO else (rng.normal(size=(4, 12)).astype(np.float32)[:, ::2],)
    xs = [mg.tensor(array, requires_grad=True) for array in arrays]
    call = TWO.get(name) or ONE[name]
    expected, result = call(*arrays), call(*xs)
    if not isinstance(result, list | tuple):
        expected, result = [expected], [result]
    for e, part in zip(expected, result, strict=True):
        assert part.dtype == e.dtype
        part.sum().backward()
    assert all(x.grad is None or x.grad.dtype == np.float32 for x in xs)


@steady
@given(st.data())
def test_concatenate_any_shapes(data):
    ndim, rng = data.draw(st.integers(1, 3)), np.random.default_rng(1)
    axis = data.draw(st.integers(-ndim, ndim - 1))
    shape = data.draw(st.lists(st.integers(0, 3), min_size=ndim, max_size=ndim))
    lengths = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    arrays = [rng.normal(size=[n if i == axis % ndim else s for i, s in enumerate(shape)]) for n in lengths]
    tensors = [mg.tensor(a, requires_grad=True) for a in arrays]
    y = np.concatenate(tensors, axis)
    np.testing.assert_array_equal(y.data, np.concatenate(arrays, axis))
    w = rng.normal(size=y.shape)
    (y * w).sum().backward()
    np.testing.assert_array_equal(np.concatenate([t.grad for t in tensors], axis), w)


@steady
@given(st.data())
def test_pad_any_width(data):
    n, mode = (
        data.draw(st.integers(1, 4)),
        data.draw(st.sampled_from(["constant", "edge", "reflect", "symmetric", "wrap"])),
    )
    width = data.draw(st.tuples(st.integers(0, 7), st.integers(0, 7)))
    a = np.random.default_rng(1).normal(size=(n, 2))
    x = mg.tensor(a, requires_grad=True)
    y = np.pad(x, (width, (0, 0)), mode)
    np.testing.assert_array_equal(y.data, np.pad(a, (width, (0, 0)), mode))
    w = np.random.default_rng(2).normal(size=y.shape)
    (y * w).sum().backward()
    np.testing.assert_allclose(np.sum(x.grad * a), np.sum(w * np.pad(a, (width, (0, 0)), mode)))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: np.concatenate([x, x], out=np.zeros((4, 3))), TypeError, "out="),
        (lambda x: np.stack([x, x[0]]), ValueError, r"\(2, 3\), \(3,\)"),
        (lambda x: np.stack([]), ValueError, "need at least one"),
        (lambda x: np.stack([x, x], axis=4), np.exceptions.AxisError, "axis 4"),
        (lambda x: np.concatenate([x, x[0]]), ValueError, "concatenate"),
        (lambda x: np.concatenate([x], dtype=np.float32, casting="no"), TypeError, "Cannot cast"),
        (lambda x: np.split(x, 2, axis=1), ValueError, "array_split"),
        (lambda x: np.pad(x, 1, "linear_ramp"), TypeError, "linear_ramp"),
        (lambda x: np.pad(x, 1, "mean"), TypeError, "mode='mean'"),
        (lambda x: np.pad(x, 1, "reflect", reflect_type="odd"), TypeError, "'odd'"),
        (lambda x: np.pad(x, 1, "edge", constant_values=1), (TypeError, ValueError), "unsupported keyword"),
        (lambda x: np.pad(x, 1, constant_values=x[0, 0]), TypeError, "constant_values="),
        (lambda x: np.pad(x, -1), ValueError, "negative"),
        (lambda x: np.delete(x, 5, axis=0), IndexError, "out of bounds"),
        (lambda x: np.block([[x], x]), ValueError, "one depth"),
        (lambda x: np.repeat(x, -1), ValueError, "repeats may not"),
        (lambda x: np.dsplit(x, 1), ValueError, "3 or more"),
        (lambda x: np.r_[x, x], TypeError, "np.concatenate"),
        (lambda x: np.c_[x, x], TypeError, "to join tensors"),
        (lambda x: np.array([x, x]), TypeError, "np.stack"),
    ],
)
def test_refusals_and_errors(call, error, text, rng):
    with pytest.raises(error, match=text):
        call(mg.tensor(rng.normal(size=(2, 3)), requires_grad=True))


def test_integer_results_are_arrays():
    x = mg.tensor([1.5], requires_grad=True)
    assert type(np.concatenate([x, x], dtype=int, casting="unsafe")) is np.ndarray
    assert type(mg.concatenate([[1], [2]])) is np.ndarray


def test_insert_at_a_mask():
    x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = np.insert(x, np.array([True, False, True]), [8.0, 9.0])  # older NumPy reads the mask as 1, 0, 1
    assert y.tolist() == [8.0, 1.0, 2.0, 9.0, 3.0]


def test_dictionary_of_widths():
    x = mg.tensor(np.ones((2, 3)), requires_grad=True)
    assert np.pad(x, {-1: (1, 2)}).shape == (2, 6)
