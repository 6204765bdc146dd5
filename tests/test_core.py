"""Nodes and ops as values: registering, calling, processes, numbering."""

import multiprocessing
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn


def leaf(values=1.0, **options):
    return mg.tensor(values, requires_grad=True, **options)


def test_an_op_takes_one_rule_per_argument_or_a_joint_one():
    for arguments, options in [((np.exp,), {}), ((np.exp, lambda g, y, x: g), {"vjp": lambda g, y, x: (g,)})]:
        with pytest.raises(TypeError, match="one vjp per argument, or one joint rule"):
            mg.op(*arguments, **options)


def test_arrays_in_array_out_and_a_tensor_in_a_tensor_out():
    softplus = mg.op(
        lambda x: np.logaddexp(x, 0),
        lambda g, y, x: g / (1 + np.exp(-x)),
        name="softplus_here",
        formula="log(1 + exp({0}))",
        elementwise=True,
    )
    assert type(softplus(np.zeros(2))) is np.ndarray
    assert type(softplus(mg.tensor(np.zeros(2)))) is mg.Tensor
    assert not softplus(mg.tensor(np.zeros(2))).requires_grad
    x = leaf([0.0, 1e3, -1e3])
    with np.errstate(over="ignore"):
        softplus(x).sum().backward()
    assert x.grad.tolist() == [0.5, 1, 0]
    assert repr(softplus) == "<op softplus_here: log(1 + exp({0}))>"
    assert mg.grad(mg.grad(softplus))(0.0) == 0.25


def test_the_rule_of_an_argument_that_wants_no_gradient_is_never_run():
    def never(g, y, a, b):
        raise AssertionError

    op = mg.op(lambda a, b: a * b, lambda g, y, a, b: g * b, never, name="half")
    x = leaf(2.0)
    op(x, 3.0).backward()
    op(x, mg.tensor(4.0)).backward()
    assert x.grad == 7


def test_an_argument_without_a_rule_refuses_a_gradient():
    op = mg.op(lambda a, b: a * b, lambda g, y, a, b: g * b, None, name="one_sided")
    with pytest.raises(TypeError, match=r"`one_sided` has no gradient for argument 1.*\.detach\(\)"):
        op(1.0, leaf(2.0))
    with pytest.raises(TypeError, match=r"for scale="):
        mg.op(lambda a, scale: a, lambda g, y, a, scale: g, name="option")(leaf(1.0), scale=leaf(2.0))


def test_several_outputs_and_saved_auxiliaries():
    both = mg.op(
        lambda x: (np.sin(x), np.cos(x[:1])),
        lambda g, y, x: g[0] * np.cos(x) - np.concatenate([g[1], 0 * x[1:]]) * np.sin(x),
        name="sin_cos",
        several=True,
    )
    x = leaf([0.3, 0.7])
    s, c = both(x)
    assert (s.shape, c.shape) == ((2,), (1,))
    (s.sum() + 2 * c.sum()).backward()
    np.testing.assert_allclose(x.grad, np.cos([0.3, 0.7]) - [2 * np.sin(0.3), 0])


def test_a_node_is_younger_than_its_inputs_in_every_thread():
    x = leaf()
    y = np.exp(x) * x
    assert x.serial < y.inputs[0].serial < y.serial


def differentiate(t):
    y = (t * t).sum()
    y.backward()
    return t.grad.tolist()


@pytest.mark.skipif(sys.platform != "linux", reason="fork is Linux's way")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_with_a_live_graph():
    x = leaf([1.0, 2.0])
    y = (x * 3).sum()
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def child():
        y.backward()
        queue.put((x.grad.tolist(), differentiate(leaf([1.0, 2.0]))))

    process = context.Process(target=child)
    process.start()
    assert queue.get() == ([3, 3], [2, 4])
    process.join()
    assert x.grad is None
    y.backward()
    assert x.grad.tolist() == [3, 3]


def test_a_tensor_in_a_spawned_process():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(differentiate, leaf([1.0, 2.0]) * 1).result() == [2, 4]


def test_models_and_optimisers_travel_by_pickle(rng):
    model = nn.Sequential(nn.Dense(3, 4, "tanh", seed=0), nn.Dense(4, 2, seed=1))
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    X = rng.normal(size=(5, 3))
    loss = nn.cross_entropy(model(X), np.array([0, 1, 0, 1, 0]))
    loss.backward()
    again, stepper = pickle.loads(pickle.dumps((model, optimizer)))
    np.testing.assert_array_equal(again(X).data, model(X).data)
    nn.cross_entropy(again(X), np.array([0, 1, 0, 1, 0])).backward()
    stepper.step()  # its parameters are still the model's
    optimizer.step()
    np.testing.assert_array_equal(again(X).data, model(X).data)


@pytest.mark.parametrize(
    ("forward", "rules", "joint", "says"),
    [
        (None, (lambda g, y, x: g,), None, "the forward of an op is a function, got None"),
        (np.ones(2), (lambda g, y, x: g,), None, "the forward of an op is a function, got array"),
        (np.exp, (3,), None, "the rule of an op is a function, got 3"),
        (np.exp, (), "g", "the rule of an op is a function, got 'g'"),
    ],
    ids="abcd",
)
def test_an_op_is_made_of_functions(forward, rules, joint, says):
    with pytest.raises(TypeError, match=says):
        mg.op(forward, *rules, vjp=joint)


def test_an_op_may_have_no_gradient_at_all():
    rank = mg.op(lambda x: x.argsort() * 1.0, None, name="rank")
    np.testing.assert_array_equal(rank(mg.tensor([3.0, 1.0])).data, [1, 0])
    with pytest.raises(TypeError, match="`rank` has no gradient for argument 0"):
        rank(mg.tensor([3.0, 1.0], requires_grad=True))


def test_a_rule_without_a_module_is_no_rule_of_this_package():
    rule = [].append  # of C, and of no module
    assert rule.__module__ is None
    assert mg.op(lambda x: x, rule, name="ruled_by_c").module == ""
