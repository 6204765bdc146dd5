"""Products, einsum, diagonals: NumPy's results for every form of call, and right gradients twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import microgradnd as mg

steady = settings(deadline=None, derandomize=True, max_examples=60)

PRODUCTS = {  # function, shapes
    "dot": (np.dot, (2, 3), (3, 4)),
    "dot vectors": (np.dot, (3,), (3,)),
    "dot deep": (np.dot, (2, 3), (4, 3, 2)),
    "dot deep vector": (np.dot, (4, 2, 3), (3,)),
    "dot scalar": (np.dot, (), (3, 2)),
    "vdot": (np.vdot, (2, 3), (3, 2)),
    "inner": (np.inner, (2, 3), (4, 3)),
    "inner vectors": (np.inner, (3,), (3,)),
    "inner scalar": (np.inner, (), (3,)),
    "outer": (np.outer, (2, 2), (3,)),
    "matmul": (np.matmul, (5, 1, 2, 3), (4, 3, 2)),
    "operator": (lambda a, b: a @ b, (3,), (2, 3, 4)),
    "tensordot": (np.tensordot, (2, 3, 4), (3, 4, 2)),
    "tensordot axes": (lambda a, b: np.tensordot(a, b, axes=([0, -1], [2, 1])), (2, 3, 4), (3, 4, 2)),
    "tensordot one": (lambda a, b: np.tensordot(a, b, axes=(1, 0)), (2, 3, 4), (3, 4, 2)),
    "tensordot none": (lambda a, b: np.tensordot(a, b, axes=0), (2,), (3, 1)),
    "tensordot empty": (lambda a, b: np.tensordot(a, b, axes=1), (2, 0), (0, 3)),
    "vecdot": (np.vecdot, (2, 3), (4, 1, 3)),
    "linalg.vecdot": (lambda a, b: np.linalg.vecdot(a, b, axis=0), (3, 2), (3, 2)),
    "kron": (np.kron, (2, 3), (3, 2)),
    "kron vectors": (np.kron, (3,), (2, 2)),
    "kron scalar": (np.kron, (), (2, 2)),
    "cross": (np.cross, (2, 3), (3,)),
    "cross axis": (lambda a, b: np.cross(a, b, axis=0), (3, 2), (3, 2)),
    "cross axes": (lambda a, b: np.cross(a, b, axisa=0, axisb=1, axisc=0), (3, 2), (2, 3)),
    "linalg.cross": (np.linalg.cross, (2, 3), (2, 3)),
    "linalg.outer": (np.linalg.outer, (2,), (3,)),
    "linalg.matmul": (np.linalg.matmul, (2, 3), (3, 2)),
    "linalg.tensordot": (np.linalg.tensordot, (2, 3, 4), (3, 4, 2)),
}
if hasattr(np, "matvec"):
    PRODUCTS["matvec"] = (np.matvec, (4, 2, 3), (3,))
    PRODUCTS["vecmat"] = (np.vecmat, (2,), (4, 2, 3))


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name, agrees, rng):
    function, *shapes = PRODUCTS[name]
    agrees(function, *(rng.normal(size=s) for s in shapes))
    a, b = (mg.tensor(rng.normal(size=s).astype(np.float32), requires_grad=True) for s in shapes)
    y = function(a, b)
    y.sum().backward()
    assert y.dtype == a.grad.dtype == b.grad.dtype == np.float32


@steady
@given(hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=2, max_side=3, min_side=0))
def test_matmul_of_any_shapes(shapes):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=s) for s in shapes.input_shapes)
    x, y = mg.tensor(a, requires_grad=True), mg.tensor(b, requires_grad=True)
    z = x @ y
    np.testing.assert_allclose(z.data, a @ b, atol=1e-14)
    w = rng.normal(size=z.shape)
    z.backward(w)
    np.testing.assert_allclose(np.sum(x.grad * a), np.sum(w * (a @ b)), atol=1e-12)
    np.testing.assert_allclose(np.sum(y.grad * b), np.sum(w * (a @ b)), atol=1e-12)


A, B, C, D = (2, 3), (3, 4), (4, 2), (3, 3)
EINSUMS = [  # subscripts, shapes
    ("ij,jk->ik", A, B),
    ("ij,jk", A, B),
    ("ij , jk -> k i", A, B),
    ("ba,bc", A, A),
    ("ij->", A),
    ("ij", A),
    ("ji", A),
    ("ij->j", A),
    ("ii", D),
    ("ii->i", D),
    ("iij->ji", (3, 3, 2)),
    ("iii->i", (2, 2, 2)),
    ("ijij->ij", (2, 3, 2, 3)),
    ("ijj,j->i", (2, 3, 3), (3,)),
    ("ij,ij->", A, A),
    ("ij,kl->", A, B),
    ("i,j,k->kij", (2,), (3,), (4,)),
    ("ij,jk,ki->", A, B, C),
    ("ij,jk,ki->j", A, B, C),
    ("...ij,...jk->...ik", (5, 2, 3), (3, 4)),
    ("...ij,...jk", (5, 1, 2, 3), (4, 3, 2)),
    ("...,...", A, (3,)),
    ("i...->...", (2, 3, 4)),
    ("...i->i...", (2, 3, 4)),
    ("i...i->...", (3, 2, 3)),
    ("...ii->...i", (2, 3, 3)),
    ("k...,jk", (3, 2, 2), A),
    ("ij,ij->ij", (2, 1), A),
    ("ij,ij", (2, 1), A),
    ("ij,kj->ik", (2, 3), (4, 1)),
    (",ij->ij", (), A),
    ("ij,->", A, ()),
    ("i,i->i", (0,), (0,)),
    ("ij,jk->ik", (2, 0), (0, 3)),
    ("bhqd,bhkd->bhqk", (2, 2, 3, 2), (2, 2, 4, 2)),
    ("ab,bc,cd,de->ae", A, B, C, A),
]


@pytest.mark.parametrize("case", EINSUMS, ids=[f"{i} {c[0]}" for i, c in enumerate(EINSUMS)])
def test_einsum(case, agrees, rng):
    subscripts, *shapes = case
    arrays = [rng.normal(size=s) for s in shapes]
    agrees(lambda *xs: np.einsum(subscripts, *xs), *arrays)
    agrees(lambda *xs: np.einsum(subscripts, *xs, optimize=True), *arrays)
    xs = [mg.tensor(a.astype(np.float32), requires_grad=True) for a in arrays]
    y = np.einsum(subscripts, *xs)
    y.sum().backward()
    assert {y.dtype, *(x.grad.dtype for x in xs)} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    "call",
    [
        lambda a, b: np.einsum(a, [0, 1], b, [1, 2], [2, 0]),
        lambda a, b: np.einsum(a, [5, 30], b, [30, 1]),
        lambda a, b: np.einsum(a, [Ellipsis, 1], b, [1, 2], [2, Ellipsis]),
        lambda a, b: np.einsum("ij,jk->ik", a, b, optimize=["einsum_path", (0, 1)]),
        lambda a, b: np.einsum("ij,jk->ik", a, b, optimize="optimal", order="F"),
        lambda a, b: np.einsum("ij,jk->ik", a, b, dtype=np.float64),
        lambda a, b: np.einsum("ij,jk->ik", a, b, casting="no"),
    ],
    ids=range(7),
)
def test_einsum_options(call, agrees, rng):
    agrees(call, rng.normal(size=A), rng.normal(size=B))


@steady
@given(st.data())
def test_einsum_of_random_subscripts(data):
    rng = np.random.default_rng(0)
    lengths = dict(zip("abcd", data.draw(st.lists(st.integers(1, 3), min_size=4, max_size=4)), strict=True))
    terms = data.draw(st.lists(st.text("abcd", min_size=1, max_size=3), min_size=1, max_size=3))
    output = "".join(data.draw(st.permutations(sorted(set("".join(terms))))))[: data.draw(st.integers(0, 3))]
    subscripts = ",".join(terms) + "->" + output
    arrays = [rng.normal(size=[lengths[c] for c in term]) for term in terms]
    xs = [mg.tensor(a, requires_grad=True) for a in arrays]
    y = np.einsum(subscripts, *xs)
    np.testing.assert_allclose(y.data, np.einsum(subscripts, *arrays), atol=1e-12)
    w = rng.normal(size=y.shape)
    (y * w).sum().backward()
    for x in xs:  # multilinear: Euler's theorem
        np.testing.assert_allclose(np.sum(x.grad * x.data), np.sum(w * y.data), atol=1e-10)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: np.einsum("ij,jk", x), "2 terms for 1"),
        (lambda x: np.einsum("ijk->i", x), "3 indices"),
        (lambda x: np.einsum("i->i", x), "1 indices"),
        (lambda x: np.einsum("...j->j", x), "ellipsis"),
        (lambda x: np.einsum("ij->k", x), "'k'"),
        (lambda x: np.einsum("ii->i", x), "lengths 2 and 3"),
        (lambda x: np.einsum("ij,jk", x, x), "einsum"),
    ],
)
def test_einsum_errors(call, text):
    with pytest.raises(ValueError, match=text):
        call(mg.tensor(np.ones(A), requires_grad=True))


def test_out_is_refused():
    x = mg.tensor(np.ones((2, 2)), requires_grad=True)
    for call in (
        lambda: np.einsum("ij->i", x, out=np.zeros(2)),
        lambda: np.dot(x, x, out=np.zeros((2, 2))),
        lambda: np.outer(x, x, out=np.zeros((4, 4))),
        lambda: np.trace(x, out=np.zeros(())),
    ):
        with pytest.raises(TypeError, match="out="):
            call()


DIAGONALS = {
    "diag": np.diag,
    "diag above": lambda x: np.diag(x, 2),
    "diag below": lambda x: np.diag(x, -1),
    "diag outside": lambda x: np.diag(x, 9),
    "diag of vector": lambda x: np.diag(x[0], -1),
    "diagflat": lambda x: np.diagflat(x, 1),
    "diagonal": lambda x: np.diagonal(np.reshape(x, (2, 2, 5)), 1, -1, 0),
    "linalg.diagonal": lambda x: np.linalg.diagonal(x, offset=1),
    "trace": np.trace,
    "trace offset": lambda x: np.trace(np.reshape(x, (2, 2, 5)), -1, 2, 1),
    "linalg.trace": np.linalg.trace,
    "tril": np.tril,
    "tril k": lambda x: np.tril(x, -1),
    "tril vector": lambda x: np.tril(x[0]),
    "triu": lambda x: np.triu(np.reshape(x, (2, 2, 5)), 1),
}


@pytest.mark.parametrize("name", DIAGONALS)
def test_diagonals(name, agrees, rng):
    agrees(DIAGONALS[name], rng.normal(size=(4, 5)))
    x = mg.tensor(rng.normal(size=(4, 5)).astype(np.float32), requires_grad=True)
    y = DIAGONALS[name](x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == np.float32
