"""Functions of functions: values against known derivatives, nesting, trees, modes, threads, errors."""

import itertools
import threading

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn


def cube(x):
    return (x**3).sum()


# -- nesting ----------------------------------------------------------------------------------


def test_the_two_nesting_examples():
    assert mg.grad(lambda x: x * mg.grad(lambda y: x * y * y)(1.0))(3.0) == 12
    assert mg.grad(lambda x: mg.grad(lambda y: x * y * y)(x))(3.0) == 12


@pytest.mark.parametrize("order", range(1, 6))
def test_any_order(order):
    f, expected = lambda x: np.exp(2 * x), 2**order * np.exp(2 * 0.3)
    for _ in range(order):
        f = mg.grad(f)
    assert np.isclose(f(0.3), expected)
    assert isinstance(f(0.3), np.ndarray)


def test_third_and_fourth_derivative_of_an_array_function():
    x = np.array([0.5, -1.5, 2.0])
    third = mg.jacobian(mg.hessian(lambda x: (x**5).sum()))(x)
    fourth = mg.jacobian(mg.jacobian(mg.hessian(lambda x: (x**5).sum())))(x)
    i = np.arange(3)
    assert third.shape == (3,) * 3
    assert fourth.shape == (3,) * 4
    np.testing.assert_allclose(third[i, i, i], 60 * x**2)
    np.testing.assert_allclose(fourth[i, i, i, i], 120 * x)
    assert np.count_nonzero(third) == np.count_nonzero(fourth) == 3


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        # d/dx (x * d/dy (x + y)) = 1, the example of Siskind and Pearlmutter (2005)
        (lambda x: x * mg.grad(lambda y: x + y)(1.0), 1.0, 1),
        (lambda x: x * mg.grad(lambda y: x + y)(2.0 * x), 1.0, 1),
        (lambda x: mg.grad(lambda y: mg.grad(lambda z: x * y * z * z)(x))(x), 2.0, 8),  # 2x * x -> d/dx (2 x x)
        (lambda x: mg.jvp(lambda y: x * y * y, (x,), (1.0,))[1], 3.0, 12),
        (lambda x: mg.jvp(lambda y: x * y, (2.0,), (x,))[1], 3.0, 6),
        (lambda x: mg.vjp(lambda y: x * y * y, x)[1](1.0)[0], 3.0, 12),
        (lambda x: mg.vjp(lambda y: y * y, 2.0)[1](x)[0], 3.0, 4),
        (lambda x: mg.hvp(lambda y: x * y**3, (x,), (1.0,))[0], 2.0, 24),
        (lambda x: mg.hessian(lambda y: x * y**3)(x), 2.0, 24),
        (lambda x: mg.jacobian(lambda y: x * y**3)(x), 2.0, 36),
        (lambda x: mg.value_and_grad(lambda y: x * y)(x)[0], 2.0, 4),
        (lambda x: mg.checkpoint(lambda y: mg.grad(lambda z: x * z * z)(y))(x), 3.0, 12),
    ],
    ids=map(str, itertools.count()),
)
def test_no_perturbation_confusion(f, x, expected):
    assert np.isclose(mg.grad(f)(x), expected)
    leaf = mg.tensor(x, requires_grad=True)
    f(leaf).backward()
    assert np.isclose(leaf.grad, expected)


def test_forward_over_reverse_and_reverse_over_forward_agree(rng):
    A, x, v = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3)

    def f(x):
        return np.exp(np.tanh(A @ x)).sum() * x[0]

    expected = mg.hessian(f)(x) @ v
    np.testing.assert_allclose(mg.hvp(f, (x,), (v,))[0], expected)
    np.testing.assert_allclose(mg.jvp(mg.grad(f), (x,), (v,))[1], expected)
    np.testing.assert_allclose(mg.grad(lambda x: mg.jvp(f, (x,), (v,))[1])(x), expected)
    np.testing.assert_allclose(mg.jvp(lambda x: mg.jvp(f, (x,), (v,))[1], (x,), (v,))[1], v @ expected)


# -- what comes out ---------------------------------------------------------------------------


def test_arrays_in_arrays_out_and_tensors_in_tensors_out():
    x = np.array([1.0, 2.0])
    plain, recorded = mg.tensor(x), mg.tensor(x, requires_grad=True)
    for given, kind, links in [(x, np.ndarray, False), (plain, mg.Tensor, False), (recorded, mg.Tensor, True)]:
        value, gradient = mg.value_and_grad(cube)(given)
        _, pullback = mg.vjp(cube, given)
        _, tangent = mg.jvp(cube, (given,), (x,))
        results = [value, gradient, pullback(1.0)[0], tangent, mg.jacobian(cube)(given), mg.hessian(cube)(given)]
        for result in [*results, *mg.hvp(cube, (given,), (x,))]:
            assert type(result) is kind
            assert getattr(result, "requires_grad", False) is links
    assert recorded.grad is None


def test_a_result_that_depends_on_a_recorded_tensor_is_one():
    w = mg.tensor(2.0, requires_grad=True)
    gradient = mg.grad(lambda x: w * x * x)(3.0)
    gradient.backward()
    assert (gradient.item(), w.grad) == (12, 6)
    assert isinstance(mg.grad(lambda x: w.detach() * x)(3.0), np.ndarray | mg.Tensor)
    assert isinstance(mg.grad(lambda x: x * x)(3.0), np.ndarray)


def test_gradients_are_own_arrays():
    _, pullback = mg.vjp(lambda x, y: x + y, np.ones(3), np.ones(3))
    cotangent = np.ones(3)
    a, b = pullback(cotangent)
    assert not np.shares_memory(a, b)
    assert not np.shares_memory(a, cotangent)
    a += 1  # writable
    assert pullback(np.array([1.0, 2.0, 3.0]))[1].tolist() == [1, 2, 3]  # again and again


def test_they_record_even_under_no_grad_and_an_inner_no_grad_holds():
    w = mg.tensor(2.0, requires_grad=True)
    with mg.no_grad():
        assert mg.grad(mg.grad(lambda x: x**3))(2.0) == 12
        gradient = mg.grad(lambda x: w * x)(3.0)
        assert gradient.item() == 2
        assert not gradient.requires_grad

        def stopped(x):
            with mg.no_grad():
                c = x * x
            return c * x

        assert mg.grad(stopped)(3.0) == 9


def test_no_grad_attribute_is_touched():
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    w.grad = np.array([7.0, 7.0])
    mg.grad(lambda x: (w * x).sum())(w)
    mg.hessian(lambda x: (w * x**2).sum())(w)
    assert w.grad.tolist() == [7, 7]


# -- trees, argnums, dtypes -------------------------------------------------------------------


def test_arguments_are_trees_and_unused_ones_get_zeros():
    def f(p, x, *, scale):
        return scale * (p["layers"][0] * x).sum() + p["b"][1] * 3

    p = {"layers": [np.array([1.0, 2.0])], "b": (np.ones(2), 4), "none": None}
    gradient, dx = mg.grad(f, argnums=(0, 1))(p, np.array([5.0, 6.0]), scale=2)
    assert list(gradient) == ["layers", "b", "none"]
    assert isinstance(gradient["b"], tuple)
    assert gradient["none"] is None
    np.testing.assert_array_equal(gradient["layers"][0], [10, 12])
    np.testing.assert_array_equal(gradient["b"][0], [0, 0])
    assert gradient["b"][1] == 3
    np.testing.assert_array_equal(dx, [2, 4])
    assert mg.grad(f, argnums=-1)(p, 5.0, scale=1) == 3


def test_results_are_trees():
    def f(p):
        return {"sum": p[0] + p[1], "products": [p[0] * p[1], 7.0]}

    value, pullback = mg.vjp(f, (2.0, np.array([3.0, 4.0])))
    np.testing.assert_array_equal(value["products"][0], [6, 8])
    (back,) = pullback({"products": [np.array([1.0, 10.0]), 0.0], "sum": np.zeros(2)})  # keys in any order
    assert back[0] == 43
    np.testing.assert_array_equal(back[1], [2, 20])
    _, tangent = mg.jvp(f, ((2.0, np.array([3.0, 4.0])),), ((1.0, np.zeros(2)),))
    np.testing.assert_array_equal(tangent["products"][0], [3, 4])
    assert tangent["products"][1] == 0
    blocks = mg.jacobian(f)((2.0, np.array([3.0, 4.0])))
    np.testing.assert_array_equal(blocks["products"][0][0], [3, 4])
    np.testing.assert_array_equal(blocks["sum"][1], np.eye(2))
    assert blocks["products"][1][1].tolist() == [0, 0]


def test_named_tuples_keep_their_type():
    from collections import namedtuple

    Point = namedtuple("Point", "x y")
    assert mg.grad(lambda p: p.x * p.y)(Point(2.0, 3.0)) == Point(3, 2)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_dtypes_are_kept(dtype):
    x = np.array([0.5, 0.25], dtype)
    assert mg.grad(cube)(x).dtype == dtype
    assert mg.hessian(cube)(x).dtype == dtype
    assert mg.hvp(cube, (x,), (np.ones(2),))[0].dtype == dtype
    assert mg.jvp(cube, (x,), (np.ones(2),))[1].dtype == dtype
    assert mg.jacobian(lambda x: np.concatenate([x, x, x]))(x).dtype == dtype


def test_python_ints_count_as_floats():
    assert mg.grad(lambda x: x * x)(3) == 6
    assert mg.jvp(lambda x: x * x, (3,), (1,))[1] == 6


# -- jacobian ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "n"), [(2, 5), (5, 2), (3, 3), (0, 2), (2, 0)])
def test_jacobian_either_way_round(rng, m, n):
    A = rng.normal(size=(m, n))
    np.testing.assert_allclose(mg.jacobian(lambda x: A @ x)(rng.normal(size=n)), A)


def test_jacobian_of_several_axes(rng):
    x = rng.normal(size=(2, 3))
    wide = mg.jacobian(lambda x: np.reshape(x, (3, 2)) * np.ones((4, 3, 2)))(x)  # forward mode
    assert wide.shape == (4, 3, 2, 2, 3)
    np.testing.assert_array_equal(wide.reshape(4, 6, 6), np.broadcast_to(np.eye(6), (4, 6, 6)))
    tall = mg.jacobian(lambda x: x.sum(axis=0))(x)  # reverse mode
    np.testing.assert_array_equal(tall, np.broadcast_to(np.eye(3)[:, None], (3, 2, 3)))


def test_jacobian_picks_the_cheaper_direction():
    pulls = {"n": 0}

    def rule(g, y, x):
        pulls["n"] += 1
        return g * 2

    double = mg.op(lambda x: 2 * x, rule, name="double_counted")
    mg.jacobian(lambda x: double(x) * np.ones((50, 1)))(np.ones(2))
    assert pulls["n"] <= 3
    pulls["n"] = 0
    mg.jacobian(lambda x: double(x).sum(axis=0))(np.ones((50, 2)))
    assert pulls["n"] == 2


def test_hessian_blocks(rng):
    x, y = rng.normal(size=2), rng.normal(size=3)
    blocks = mg.hessian(lambda x, y: (x.sum() * y**2).sum(), argnums=(0, 1))(x, y)
    np.testing.assert_allclose(blocks[0][1], np.broadcast_to(2 * y, (2, 3)))
    np.testing.assert_allclose(blocks[1][0], blocks[0][1].T)
    np.testing.assert_allclose(blocks[1][1], np.diag(np.full(3, 2 * x.sum())))


# -- inside training --------------------------------------------------------------------------


def test_gradient_penalty_inside_a_training_loss(rng):
    model = nn.Sequential(nn.Dense(3, 8, "tanh", seed=0), nn.Dense(8, 1, seed=1))
    X = rng.normal(size=(5, 3))

    def loss():
        slope = mg.grad(lambda X: model(X).sum())(X)
        assert slope.requires_grad
        return (model(X) ** 2).mean() + ((slope**2).sum(axis=1) - 1).mean() ** 2

    loss().backward(retain_graph=False)
    for p in model.parameters():
        i = (0,) * p.ndim
        h, before = 1e-6, p.data.copy()
        p.data[i] = before[i] + h
        up = loss().item()
        p.data[i] = before[i] - h
        down = loss().item()
        p.data[i] = before[i]
        assert np.isclose(p.grad[i], (up - down) / (2 * h), atol=1e-7)


def test_a_model_as_a_function_of_its_parameters(rng):
    model = nn.Sequential(nn.Dense(2, 3, "tanh", seed=0), nn.Dense(3, 1, seed=1))
    X = rng.normal(size=(4, 2))
    params = {name: p.data.copy() for name, p in model.named_parameters()}

    def loss(params):
        return (nn.functional_call(model, params, X) ** 2).mean()

    gradient = mg.grad(loss)(params)
    loss(dict(model.named_parameters())).backward()
    for name, p in model.named_parameters():
        np.testing.assert_allclose(gradient[name], p.grad)
        assert type(gradient[name]) is np.ndarray
    vectors = {name: rng.normal(size=p.shape) for name, p in params.items()}
    h = 1e-6
    up, down = (mg.grad(loss)({name: p + s * h * vectors[name] for name, p in params.items()}) for s in (1, -1))
    (product,) = mg.hvp(loss, (params,), (vectors,))
    blocks = mg.hessian(loss)(params)
    for name in params:
        np.testing.assert_allclose(product[name], (up[name] - down[name]) / (2 * h), atol=1e-7)
        summed = sum(np.tensordot(blocks[name][k], v, v.ndim) for k, v in vectors.items())
        np.testing.assert_allclose(product[name], summed, atol=1e-12)


# -- threads ----------------------------------------------------------------------------------


def test_eight_threads_of_nested_gradients_are_all_right():
    wrong, done = [], itertools.count()

    def work(k):
        for i in range(400):
            x = 1.0 + k + i / 400
            if k % 2:
                with mg.no_grad():
                    got = mg.grad(lambda x: x * mg.grad(lambda y: x * y * y)(x))(x)
            else:
                got = mg.grad(lambda x: x * mg.grad(lambda y: x * y * y)(x))(x)
                if not (mg.tensor(1.0, requires_grad=True) * x).requires_grad:
                    wrong.append((k, i, "no_grad leaked"))
            if not np.isclose(got, 6 * x**2):  # x * 2 x x
                wrong.append((k, i, got))
            next(done)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert next(done) == 3200
    assert wrong == []


# -- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        (lambda: mg.grad(lambda x: x * x)(np.ones((2, 3))), ValueError, r"\(2, 3\).*sum.*mg.vjp.*mg.jacobian"),
        (lambda: mg.grad(lambda x: (x, x))(1.0), TypeError, "one number.*tuple.*jacobian"),
        (lambda: mg.grad(lambda x: (x > 0).sum())(np.ones(2)), TypeError, "int64.*flat"),
        (lambda: mg.grad(cube)(np.arange(3)), TypeError, "argument 0 of cube.*int64.*float"),
        (lambda: mg.grad(cube)(np.ones(2) * 1j), TypeError, "complex"),
        (lambda: mg.grad(cube)("abc"), TypeError, "argument 0 of cube.*str"),
        (lambda: mg.grad(cube, 1)(1.0), ValueError, "argument 1.*called with 1"),
        (lambda: mg.grad(mg.tensor(1.0)), TypeError, "takes a function.*mg.gradients"),
        (lambda: mg.vjp(cube, np.ones(2))[1](np.ones(2)), ValueError, r"cotangent.*\(2,\).*\(\)"),
        (lambda: mg.vjp(lambda x: (x, x), 1.0)[1](1.0), ValueError, "cotangent is one float, expected a tuple of 2"),
        (lambda: mg.vjp(lambda x: {"a": x}, 1.0)[1]({"b": 1.0}), ValueError, r"keys \['b'\].*keys \['a'\]"),
        (lambda: mg.jvp(cube, np.ones(2), np.ones(2)), TypeError, r"write \(primals,\)"),
        (lambda: mg.jvp(cube, (np.ones(2),), (np.ones(3),)), ValueError, r"tangents.*\(3,\).*\(2,\)"),
        (lambda: mg.hvp(cube, (np.ones(2),), ()), ValueError, "vectors is a tuple of 0, expected a tuple of 1"),
        (lambda: mg.hvp(lambda x: x, (np.ones(2),), (np.ones(2),)), ValueError, "one number"),
    ],
    ids=map(str, itertools.count()),
)
def test_errors_say_what_to_do(call, kind, says):
    with pytest.raises(kind, match=says):
        call()


def test_a_transform_is_named_after_what_it_transforms():
    gradient = mg.grad(cube)
    assert gradient.__name__ == "grad_of_cube"
    assert mg.hessian(cube).__name__ == "hessian_of_cube"
    assert gradient.__wrapped__ is cube


def test_a_freed_graph_is_an_error_and_not_a_gradient_of_zero():
    x = mg.tensor(2.0, requires_grad=True)
    y = x * x
    y.backward(retain_graph=False)
    with pytest.raises(RuntimeError, match="freed"):
        mg.gradients(y, [x])
    with pytest.raises(RuntimeError, match="freed"):
        mg.gradients(3 * y, [x])


def test_gradients_takes_any_iterable_of_tensors():
    x, y = mg.tensor(2.0, requires_grad=True), mg.tensor(3.0, requires_grad=True)
    assert [g.item() for g in mg.gradients(x * y, (t for t in (x, y)))] == [3, 2]
    assert [g.item() for g in mg.gradients(x * y, {"x": x, "y": y}.values())] == [3, 2]


def test_gradients_takes_one_result_and_a_list():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = (x**3).sum()
    with pytest.raises(TypeError, match=r"in a list: mg\.gradients\(y, \[x\]\)"):
        mg.gradients(y, x)
    with pytest.raises(TypeError, match="y is list"):
        mg.gradients([y, y], [x])


@pytest.mark.parametrize("argnums", [(0, 0), (1, -1)])
def test_an_argument_named_twice_is_refused(argnums):
    with pytest.raises(ValueError, match="names an argument of <lambda> twice"):
        mg.grad(lambda x, y: x * y, argnums)(1.0, 2.0)


@pytest.mark.parametrize("argnums", ["x", 0.5, None, [0, "x"]])
def test_argnums_that_are_no_integers_are_named(argnums):
    with pytest.raises(TypeError, match="argnums"):
        mg.grad(lambda x: x, argnums)(1.0)


@pytest.mark.parametrize("transform", [mg.grad, mg.value_and_grad, mg.hessian, mg.jacobian])
def test_a_transform_that_is_given_no_function_says_its_own_name(transform):
    with pytest.raises(TypeError, match=f"^{transform.__name__} takes a function"):
        transform(mg.tensor(1.0, requires_grad=True))
