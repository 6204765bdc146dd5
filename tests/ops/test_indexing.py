"""Indexing by everything NumPy indexes with: duplicates accumulate, errors are NumPy's."""

from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import microgradnd as mg

steady = settings(deadline=None, derandomize=True, max_examples=100)
SHAPE = (4, 3, 2)
INDICES = [
    2,
    -1,
    (1, -1),
    (1, 2, 0),
    np.int64(2),
    slice(None, None, -1),
    slice(3, None, -2),
    (slice(1, 1),),
    (..., None, 0),
    None,
    Ellipsis,
    (),
    (None, slice(None), None, 1),
    [0, 0, 1],
    [],
    [[0, 1], [1, 1]],
    np.array([0, -4, 3, 3]),
    np.array(1),
    np.array([], dtype=int),
    np.array([3, 1], dtype=np.uint8),
    ([0, 0, 2], [1, 1, 2]),
    ([0, 0], [1, 1], [-1, 1]),
    ([[0], [1]], [0, 2]),
    (slice(None), [2, 2, 0]),
    (slice(None), slice(None), [1, 1, 1]),
    ([0, 1], slice(None), [1, 1]),
    ([1, 1], slice(0, 2), 0),
    (slice(0, 2), [1, 1], None),
    ((0, 1, 1), (0, 2, 2)),
    range(2),
    True,
    False,
    np.array([True, False, True, True]),
    [True, False, True, True],
    (np.array([True, False, True, True]), 1),
    (np.array([True, False, True, True]), [0, 1, 1]),
    (slice(None), np.array([True, False, True])),
    np.arange(24).reshape(SHAPE) % 2 == 0,
    np.zeros(SHAPE, bool),
    (np.arange(12).reshape(4, 3) % 5 == 0, slice(None)),
]
NAMES = [f"index {i}" for i in range(len(INDICES))]


@pytest.mark.parametrize("index", INDICES, ids=NAMES)
def test_getitem(index, agrees, rng):
    agrees(lambda x: x[index], rng.normal(size=SHAPE))


@pytest.mark.parametrize("index", INDICES, ids=NAMES)
def test_put(index, agrees, rng):
    x = rng.normal(size=SHAPE)
    v = rng.normal(size=x[index].shape)

    def put(x, v):
        if isinstance(x, mg.Tensor):
            return mg.put(x, index, v)
        y = x.copy()
        y[index] = v
        return y

    agrees(put, x, v)
    agrees(put, x, rng.normal(size=()))
    if v.ndim and not is_mask(index):
        agrees(put, x, rng.normal(size=(1, *v.shape)))  # NumPy drops leading axes of length one


def is_mask(index):
    return np.asarray(index[0] if isinstance(index, tuple) and index else index).dtype == bool


@pytest.mark.parametrize("index", INDICES, ids=NAMES)
def test_float32_and_layouts(index, rng):
    whole = rng.normal(size=(2, 3, 8)).astype(np.float32)
    view = whole.T[::-2]
    x = mg.astensor(view, requires_grad=True)
    y = x[index]
    np.testing.assert_array_equal(y.data, view[index])
    (y * 2).sum().backward()
    assert x.grad.dtype == np.float32
    counts = np.zeros(SHAPE)
    np.add.at(counts, index, 2)
    np.testing.assert_array_equal(x.grad, counts)


@steady
@given(hnp.array_shapes(max_dims=3, max_side=4), st.data())
def test_any_basic_index(shape, data):
    index = data.draw(hnp.basic_indices(shape, allow_ellipsis=True, allow_newaxis=True))
    check_counts(shape, index)


@steady
@given(hnp.array_shapes(max_dims=3, max_side=4), st.data())
def test_any_integer_index(shape, data):
    check_counts(
        shape, data.draw(hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, min_side=0)))
    )


def check_counts(shape, index):
    """The gradient of a weighted sum of what is read is the weights, added where it was read."""
    a = np.arange(float(np.prod(shape))).reshape(shape)
    x = mg.tensor(a, requires_grad=True)
    y = x[index]
    np.testing.assert_array_equal(y.data, a[index])
    w = np.random.default_rng(0).normal(size=y.shape)
    (y * w).sum().backward()
    expected = np.zeros(shape)
    np.add.at(expected, index, w)
    np.testing.assert_allclose(x.grad, expected, rtol=1e-12, atol=1e-14)


def test_tensors_of_integers_index():
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    i, j = mg.tensor([0, 0, 1]), mg.tensor([1, 1, 0])
    (x[i, j] + x[mg.tensor(1)][0] + x[[mg.tensor(0), 0]].sum()).sum().backward()
    np.testing.assert_array_equal(x.grad, [[6.0, 8.0], [4.0, 0.0]])
    assert x[x > 2].data.tolist() == [3.0, 4.0]


def test_an_index_changed_afterwards_changes_nothing():
    x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    index = np.array([0, 1])
    y = x[index]
    index[:] = 2
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [1.0, 1.0, 0.0])


def test_only_the_last_of_duplicates_written_gets_a_gradient():
    v = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = mg.put(np.zeros(2), [0, 1, 0], v)
    np.testing.assert_array_equal(y.data, [3.0, 2.0])
    y.sum().backward()
    np.testing.assert_array_equal(v.grad, [0.0, 1.0, 1.0])


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.take(x, [0, 5, 5, -1]),
        lambda x: np.take(x, [[0, 2], [1, 1]], axis=1),
        lambda x: np.take(x, 1, axis=-1),
        lambda x: np.take(x, [5, -5, 1], axis=0, mode="wrap"),
        lambda x: np.take(x, [5, -5, 1], axis=0, mode="clip"),
        lambda x: np.take(x, [], axis=0),
        lambda x: np.take(x, [True, False, True], axis=0),
        lambda x: np.take_along_axis(x, np.array([[[0, 1]], [[1, 1]], [[0, 2]], [[2, 2]]]), axis=1),
        lambda x: np.take_along_axis(x, np.array([0, 1, 1]), axis=None),
        lambda x: np.compress([True, False, True], x, axis=0),
        lambda x: np.compress([False, True], x),
        lambda x: np.extract(np.arange(24).reshape(SHAPE) % 3 == 0, x),
        lambda x: np.select(
            [np.ones(2) > 3, np.arange(3)[:, None] > 1, np.arange(2) > 0], [x, x * x, x[0]], default=x[1, 1]
        ),
        lambda x: np.select([np.arange(2) > 0], [x]),
        lambda x: np.choose(np.array([[0, 1], [1, 0], [2, 2]]), [x[0], x[1] ** 2, x[2, 0]]),
        lambda x: np.choose(np.array([[5, -1], [1, 0], [2, 2]]), x, mode="wrap"),
        lambda x: np.choose(np.array([[5, -1], [1, 0], [2, 2]]), x, mode="clip"),
        lambda x: np.piecewise(
            x,
            [np.arange(24).reshape(SHAPE) % 3 == 0, np.arange(24).reshape(SHAPE) % 4 == 0],
            [lambda v: v * v, 2.0, lambda v: 3 * v],
        ),
        lambda x: np.piecewise(x[0, 0, 0], [True], [lambda v, k: k * v], 3.0),
    ],
    ids=count(),
)
def test_other_ways_to_pick(call, agrees, rng):
    agrees(call, rng.normal(size=SHAPE))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: x[4], IndexError, "index 4 is out"),
        (lambda x: x[[0, 9]], IndexError, "index 9 is out"),
        (lambda x: x[0, 0, 0, 0], IndexError, "too many indices"),
        (lambda x: x[1.0], IndexError, "only integers, .* are valid"),
        (lambda x: x[mg.tensor([0.5])], IndexError, "integer"),
        (lambda x: x[np.ones(3, bool)], IndexError, "boolean index"),
        (lambda x: x["a"], IndexError, "only integers, slices"),
        (lambda x: mg.put(x, 9, 1.0), IndexError, "`put`.*out of bounds"),
        (lambda x: mg.put(x, 0, np.ones(5)), ValueError, "broadcast"),
        (lambda x: mg.put(np.arange(3), 0, x[0, 0, 0]), TypeError, "dtype int64"),
        (lambda x: np.take(x, [0], out=np.zeros(1)), TypeError, "out="),
        (lambda x: np.take(x, [0], mode="nearest"), ValueError, "nearest"),
        (lambda x: np.take(x, [99]), IndexError, "out of bounds"),
        (lambda x: np.take_along_axis(x, np.array([0]), 0), ValueError, "as many axes"),
        (lambda x: np.choose(np.array([7]), [x, x]), ValueError, "invalid entry"),
        (lambda x: mg.select([x > 0], []), ValueError, "for each condition"),
        (lambda x: np.select([x], [x]), TypeError, "boolean"),
        (lambda x: np.compress([[True]], x), ValueError, "one axis"),
        (lambda x: np.vectorize(float)(x), TypeError, r"\.numpy"),
        (lambda x: np.put(x, 0, 1.0), TypeError, r"np\.put .*mg.put"),
        (lambda x: np.place(x, x > 0, 1.0), TypeError, r"np\.place .*mg.put"),
        (lambda x: np.putmask(x, x > 0, 1.0), TypeError, r"np\.putmask .*mg.put"),
        (lambda x: np.put_along_axis(x, np.zeros(SHAPE, int), 1.0, 0), TypeError, r"np\.put_along_axis .*mg.put"),
        (lambda x: np.fill_diagonal(x, 1.0), TypeError, r"np\.fill_diagonal .*mg.put"),
        (lambda x: np.copyto(np.zeros(SHAPE), x), TypeError, "np.where"),
    ],
)
def test_refusals_and_errors(call, error, text, rng):
    with pytest.raises(error, match=text):
        call(mg.tensor(rng.normal(size=SHAPE), requires_grad=True))


def test_piecewise_of_constants_is_a_flat_tensor():
    x = mg.tensor([3.0, 1.0, 2.0], requires_grad=True)
    y = np.piecewise(x, [x < 2, x >= 2], [0.5, 1.5])
    assert isinstance(y, mg.Tensor)
    np.testing.assert_array_equal(y.data, [1.5, 0.5, 1.5])
    assert not y.requires_grad


@pytest.mark.parametrize(
    "index",
    [
        (np.arange(40) % 3, slice(None), np.arange(40) % 4),
        (slice(None), np.arange(60) % 5, slice(1, 3)),
        (np.arange(60) % 3, None),
        (..., np.arange(40) % 4),
        (np.array([True, False, True]), 1, [0, 0]),
    ],
    ids=range(5),
)
def test_reading_more_than_there_is_adds_up(index):
    x = mg.tensor(np.zeros((3, 5, 4)), requires_grad=True)
    y = x[index]
    g = np.arange(float(y.size)).reshape(y.shape)
    y.backward(g)
    expected = np.zeros(x.shape)
    np.add.at(expected, index, g)
    np.testing.assert_array_equal(x.grad, expected)
