"""What a user holds: making, converting, changing, comparing and copying tensors; no gradient is lost in silence."""

import array
import copy
import math
import pickle
import re
import weakref

import numpy as np
import pytest

import microgradnd as mg

OPERATORS = [
    ("+", lambda a, b: a + b),
    ("-", lambda a, b: a - b),
    ("*", lambda a, b: a * b),
    ("/", lambda a, b: a / b),
    ("**", lambda a, b: a**b),
    ("%", lambda a, b: a % b),
    ("//", lambda a, b: a // b),
    ("@", lambda a, b: a @ b),
]
COMPARISONS = [
    lambda a, b: a < b,
    lambda a, b: a <= b,
    lambda a, b: a > b,
    lambda a, b: a >= b,
    lambda a, b: a == b,
    lambda a, b: a != b,
]


def leaf(values=1.0, **options):
    return mg.tensor(values, requires_grad=True, **options)


# -- making -----------------------------------------------------------------------------------


def test_tensor_copies_and_astensor_shares():
    a = np.ones((2, 3))
    assert not np.shares_memory(mg.tensor(a).data, a)
    assert mg.astensor(a).data is a
    t = mg.tensor(a)
    assert mg.astensor(t) is t
    tracked = mg.tensor(a, requires_grad=True)
    assert mg.astensor(tracked) is mg.astensor(tracked, requires_grad=True) is tracked
    assert mg.tensor(t) is not t
    assert mg.tensor([1, 2], dtype=np.float32).dtype == np.float32
    x = mg.tensor(a, requires_grad=True, name="x")
    assert (x.shape, x.ndim, x.size, x.dtype, x.name, x.requires_grad) == ((2, 3), 2, 6, float, "x", True)
    assert x.grad is None
    assert x.T.shape == (3, 2)


class Subclass(np.ndarray):
    pass


class Frame:
    """Something that gives its array by protocol, as pandas does."""

    def __array__(self, dtype=None, copy=None):
        return np.array([[1.0, 2.0]], dtype=dtype)


@pytest.mark.parametrize(
    "data",
    [
        [[1.0, 2.0]],
        ((1.0, 2.0),),
        np.array([[1.0, 2.0]], order="F"),
        np.array([[1.0, 2.0]], dtype=">f8"),
        np.array([[2.0, 1.0]])[:, ::-1],
        np.broadcast_to(np.array([1.0, 2.0]), (1, 2)),
        np.array([[1.0, 2.0]]).view(Subclass),
        Frame(),
        [array.array("d", [1.0, 2.0])],
        [mg.tensor([1.0, 2.0])],
        np.array([[(1.0, "a"), (2.0, "b")]], dtype=[("x", "f8"), ("y", "U3")])["x"],  # a strided, misaligned field
    ],
    ids=map(str, range(11)),
)
def test_whatever_numpy_makes_numbers_of(data):
    x = mg.tensor(data, requires_grad=True)
    assert type(x.data) is np.ndarray
    assert x.data.tolist() == [[1, 2]]
    assert x.dtype == np.dtype(float)
    assert x.dtype.isnative
    assert x.data.flags.c_contiguous
    (x * x).sum().backward()
    assert x.grad.tolist() == [[2, 4]]


@pytest.mark.parametrize(
    ("data", "kind", "says"),
    [
        (None, TypeError, "NoneType.*object"),
        ("abc", TypeError, "str"),
        (["a", "b"], TypeError, "real numbers.*list"),
        ([1.0, None], TypeError, "object"),
        (object(), TypeError, "object"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), TypeError, "datetime64"),
        ([[1, 2], [3]], ValueError, "rows have lengths 2, 1"),
        ([1, [2, 3]], ValueError, r"rows have lengths none \(a number\), 2"),
        ([[1, 2], [3, [4]]], ValueError, "no array of numbers"),
        (2**70, TypeError, "object"),
        (np.array([1j]), TypeError, "complex"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), TypeError, r"masked.*\.filled"),
        ({"a": 1}, TypeError, "dict"),
        ([leaf(), leaf()], TypeError, "np.stack"),
    ],
    ids=map(str, range(14)),
)
def test_whatever_is_no_array_of_real_numbers_is_refused(data, kind, says):
    for make in (mg.tensor, mg.astensor):
        with pytest.raises(kind, match=says):
            make(data)


@pytest.mark.parametrize("data", [1, [1, 2], True, np.array([1], np.uint8), [True, False]], ids=str)
def test_integers_and_booleans_require_no_gradient(data):
    with pytest.raises(TypeError, match=r"can't require a gradient.*dtype=float"):
        mg.tensor(data, requires_grad=True)
    t = mg.tensor(data)
    with pytest.raises(TypeError, match="floating-point"):
        t.requires_grad = True
    assert mg.tensor(data, dtype=float, requires_grad=True).requires_grad


def test_requires_grad_and_name_can_be_set_on_leaves():
    x = mg.tensor([1.0])
    x.requires_grad, x.name = True, "w"
    y = x * 2
    with pytest.raises(RuntimeError, match=r"the result of `multiply`.*\.detach\(\)"):
        y.requires_grad = False
    y.backward()
    assert x.grad.tolist() == [2]


# -- no gradient is lost in silence -----------------------------------------------------------


def _augmented(x):
    a = np.ones(2)
    a += x


def _assigned(x):
    a = np.ones(2)
    a[0] = x[0]


def _assigned_all(x):
    a = np.ones(2)
    a[:] = x


def _set_item(x):
    x[0] = 3.0


def _set_item_of_a_result(x):
    y = x * 2
    y[0] = 3.0


def _set_tracked_value(x):
    mg.tensor([1.0, 2.0])[0] = x[0]


@pytest.mark.parametrize(
    ("act", "way"),
    [
        (np.asarray, r"\.numpy\(\).*np\.stack"),
        (np.array, r"\.numpy\(\)"),
        (lambda x: np.array([x, x]), r"np\.stack|\.numpy\(\)"),
        (lambda x: float(x[0]), r"\.item\(\)"),
        (lambda x: int(x[0]), r"\.item\(\)"),
        (lambda x: complex(x[0]), r"\.item\(\)"),
        (lambda x: math.exp(x[0]), r"\.item\(\)"),
        (lambda x: mg.tensor([x, x]), r"np\.stack"),
        (lambda x: np.add(x, 1, out=np.ones(2)), "new value"),
        (lambda x: np.add(np.ones(2), 1, out=x), "new value"),
        (lambda x: np.add.at(np.ones(2), [0], x[:1]), "put|in place"),
        (lambda x: np.sum(x, out=np.ones(())), "out="),
        (_augmented, "y = array"),
        (_assigned, r"\.item\(\).*np\.stack.*mg\.put"),
        (_assigned_all, r"\.numpy\(\)"),
        (_set_item, r"mg\.put"),
        (_set_item_of_a_result, r"mg\.put"),
        (_set_tracked_value, r"mg\.put"),
        (np.linalg.eig, r"np\.linalg\.eig has no gradient rule.*mg\.op.*\.detach\(\)"),
        (np.frompyfunc(lambda a: a, 1, 1), "no gradient rule"),
        (np.spacing, r"np\.spacing has no gradient rule"),
    ],
    ids=map(str, range(21)),
)
def test_what_would_lose_a_gradient_raises_and_names_the_way(act, way):
    x = leaf([1.0, 2.0])
    with pytest.raises((TypeError, RuntimeError, ValueError)) as caught:
        act(x if act is not np.linalg.eig else leaf(np.eye(2)))
    # NumPy's item assignment says "setting an array element with a sequence", from our error
    assert re.search(way, f"{caught.value} {caught.value.__cause__}")
    assert x.data.tolist() == [1, 2]
    assert x.changed == 0


def test_without_a_gradient_all_of_that_is_allowed():
    x = mg.tensor([1.0, 2.0])
    assert np.asarray(x).tolist() == [1, 2]
    assert float(x[0]) == 1
    assert math.exp(x[0]) == math.e
    assert int(x[1]) == 2
    x[0] = 5.0
    assert x.tolist() == [5, 2]
    a = np.ones(2)
    a[:] = x
    assert a.tolist() == [5, 2]
    assert np.asarray(leaf([1.0]).detach()).tolist() == [1]


def test_looking_is_always_allowed():
    x = leaf([[1.0, 2.0]], name="x")
    assert x.item if x[0, 1].item() == 2 else False
    assert x.numpy() is x.data
    assert x.tolist() == [[1, 2]]
    assert len(x) == 1
    assert [row.shape for row in x] == [(2,)]
    assert 2.0 in x
    assert bool(x.sum() > 2)
    assert bool(leaf(0.0)) is False
    assert f"{x.sum():.2f}" == "3.00"
    assert f"{x}" == repr(x)
    assert "name='x'" in repr(x)
    assert max(x[0]).requires_grad  # Python's own, by comparison
    assert sorted(leaf([3.0, 1.0]), key=lambda t: t.item())[0].item() == 1
    with pytest.raises(TypeError, match=r"\.item\(\)"):
        iter(x.sum())
    with pytest.raises(TypeError):
        len(x.sum())
    with pytest.raises(ValueError, match="ambiguous"):
        bool(x)
    with pytest.raises(IndexError, match="getitem"):
        x[3]


# -- changing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", ["+=", "-=", "*=", "/=", "//=", "%=", "**="])
def test_in_place_operators(sign):
    def apply(t):
        scope = {"t": t}
        exec(f"t {sign} 2.0", scope)
        return scope["t"]

    expected = {"+=": 6.0, "-=": 2.0, "*=": 8.0, "/=": 2.0, "//=": 2.0, "%=": 0.0, "**=": 16.0}[sign]
    x = leaf([4.0])
    with pytest.raises(RuntimeError, match=r"leaf that requires a gradient.*no_grad"):
        apply(x)
    with mg.no_grad():
        held = x.data
        assert apply(x) is x
        assert x.data is held
    assert x.data.tolist() == [expected]
    assert x.changed > 0
    plain, result = mg.tensor([4.0]), leaf([4.0]) * 1
    for t in (plain, result):
        new = apply(t)
        assert new is not t
        assert t.data.tolist() == [4]
        assert new.data.tolist() == [expected]
        assert new.requires_grad is t.requires_grad


def test_a_matrix_product_in_place():
    x = held = leaf(np.eye(2))
    with mg.no_grad():
        x @= np.full((2, 2), 3.0)
    assert x is held
    assert x.data.tolist() == [[3, 3], [3, 3]]
    assert x.requires_grad


def test_data_is_checked_and_copied():
    x, new = leaf([1.0, 2.0], name="w"), np.array([3.0, 4.0])
    x.data = new
    assert x.data.tolist() == [3, 4]
    assert not np.shares_memory(x.data, new)
    with pytest.raises(ValueError, match=r"`w`.*\(2,\).*\(3,\)"):
        x.data = np.ones(3)
    with pytest.raises(TypeError, match=r"`w`.*float64.*float32.*astype"):
        x.data = np.ones(2, np.float32)
    assert x.data.tolist() == [3, 4]
    before = x.changed
    x.data -= 1.0  # reads, subtracts in place, and sets: that counts as a change too
    assert x.changed > before


# -- operators --------------------------------------------------------------------------------


@pytest.mark.parametrize(("sign", "apply"), OPERATORS, ids=[s for s, _ in OPERATORS])
@pytest.mark.parametrize(
    "other", [2.5, 3, np.float64(1.5), np.array([[2.0, 1.5], [0.5, 3.0]]), [[2.0, 1.5], [0.5, 3.0]]]
)
def test_operators_either_way_round(sign, apply, other):
    values = np.array([[1.5, 2.0], [2.5, 0.5]])
    if sign == "@" and np.ndim(other) == 0:
        with pytest.raises(ValueError, match="matmul"):
            apply(leaf(values), other)
        return
    if isinstance(other, list):
        plain = np.array(other)
        results = [
            (apply(leaf(values), other), apply(values, plain)),
            (apply(other, leaf(values)), apply(plain, values)),
        ]
    else:
        results = [
            (apply(leaf(values), other), apply(values, other)),
            (apply(other, leaf(values)), apply(other, values)),
        ]
    for ours, numpys in results:
        assert isinstance(ours, mg.Tensor)
        np.testing.assert_array_equal(ours.data, numpys)


@pytest.mark.parametrize("compare", COMPARISONS, ids="abcdef")
def test_comparisons_give_plain_booleans(compare):
    x, other = leaf([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])
    for a, b in [(x, other), (other, x), (x, 2.0), (2.0, x), (x, leaf(other))]:
        result = compare(a, b)
        assert type(result) is np.ndarray
        plain = [t.data if isinstance(t, mg.Tensor) else t for t in (a, b)]
        np.testing.assert_array_equal(result, compare(*plain))


def test_hash_is_identity_and_equality_is_by_element():
    x, y = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    assert {x: 1, y: 2}[y] == 2
    assert len({x, y, x}) == 2
    assert (x == y).tolist() == [True, True]
    assert weakref.ref(x)() is x


# -- copying ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["copy", "deepcopy", "pickle"]
)
def test_copies_carry_data_name_and_requires_grad_and_no_graph(act):
    x = leaf([1.0, 2.0], name="x")
    y = np.exp(x)
    y.name = "y"
    for t in (x, y, mg.tensor([1.0], dtype=np.float32)):
        new = act(t)
        assert type(new) is mg.Tensor
        np.testing.assert_array_equal(new.data, t.data)
        assert (new.name, new.requires_grad, new.dtype) == (t.name, t.requires_grad, t.dtype)
        assert not np.shares_memory(new.data, t.data)
        assert new.op is None
        assert new.grad is None
    (act(x) * 2).sum().backward()
    assert x.grad is None


def test_a_container_of_tensors_of_a_graph_can_be_copied():
    x = leaf([1.0, 2.0])
    copied = copy.deepcopy({"a": [x, x], "b": x * 2})
    assert copied["b"].data.tolist() == [2, 4]
    assert copied["a"][0] is copied["a"][1]  # shared as before, a tied weight for example


def test_detach_shares_data_and_cuts():
    x = leaf([1.0, 2.0])
    d = (x * 1).detach()
    assert not d.requires_grad
    assert np.shares_memory(x.detach().data, x.data)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,)], ids=str)
def test_repr_of_any_shape(shape):
    assert repr(leaf(np.zeros(shape))).startswith("tensor(")
    assert repr(mg.tensor(np.zeros(shape, np.float32))).endswith("dtype=float32)")


def test_repr_of_nothing_tells_its_shape():
    assert repr(mg.tensor(np.zeros((3, 0, 2)))) == "tensor([], shape=(3, 0, 2))"
    assert repr(mg.tensor([])) == "tensor([])"


def test_repr_of_a_large_tensor_is_short():
    assert len(repr(mg.tensor(np.zeros((2000, 2000))))) < 1000


def test_format_with_a_specification_is_for_one_number():
    assert f"{mg.tensor([[1.25]], requires_grad=True):.1f}" == "1.2"
    with pytest.raises(TypeError, match="unsupported format string"):
        f"{mg.tensor([1.0, 2.0]):.3f}"


def test_no_module_of_ops_hides_among_the_functions():
    """`mg.shape` would be taken for `np.shape`."""
    assert not {"shape", "special", "statistics", "windows", "register_ufuncs"} & set(vars(mg))
    assert callable(mg.einsum)
    assert callable(mg.linalg.norm)
