"""The gradient check: what it must catch, what it must leave alone, and what it says of it."""

import doctest
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import microgradnd as mg
import microgradnd.nn as nn

X = np.array([0.3, -1.2, 0.8])


def wrong_op(forward, *vjps, name="wrong", **how):
    return mg.op(forward, *vjps, name=name, **{"elementwise": True} | how)


def greedy_max(g, y, x):
    return np.where(x == y, g, 0.0)


def flat_softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


tanh_bad = wrong_op(np.tanh, lambda g, y, x: g * (1 - y), name="tanh_bad")
relu = wrong_op(lambda x: np.maximum(x, 0), lambda g, y, x: np.where(x > 0, g, 0.0), name="relu_plain")
relu_seven = wrong_op(lambda x: np.maximum(x, 0), lambda g, y, x: np.where(x > 0, g, np.where(x == 0, 7 * g, 0.0)))

# Five wrong gradients that a check has to catch, and ten right ones that it has to leave alone: each of them deceives
# one of the checks in wide use (fixed steps, absolute tolerances, one direction, coordinates only).
WRONG = {
    "five times too big where the gradient is below 1e-5": (
        wrong_op(lambda x: 1e-6 * x * x, lambda g, y, x: 1e-5 * g * x),
        X,
    ),
    "off by 4e-4": (wrong_op(np.sin, lambda g, y, x: g * (1 + 4e-4) * np.cos(x)), X),
    "off by 1e-5": (wrong_op(np.exp, lambda g, y, x: g * (1 + 1e-5) * y), X),
    "every tie takes the whole cotangent": (
        wrong_op(np.max, greedy_max, elementwise=False),
        np.array([1.0, 1.0, 0.5]),
    ),
    "a softmax that gives zero": (wrong_op(flat_softmax, lambda g, y, x: 0 * g, elementwise=False), X),
}
RIGHT = {
    "relu at 0": (relu, np.array([0.0, 1.0])),
    "the absolute value at 0": (np.abs, np.array([0.0, -1.0])),
    "x² + 1e8": (lambda x: x * x + 1e8, X),
    "x³ in float32": (lambda x: x * x * x, X.astype(np.float32)),
    "a square root at 1e-5": (np.sqrt, np.array([1e-5])),
    "a logarithm at 1e-3": (np.log, np.array([1e-3])),
    "1/x at 1e-3": (lambda x: 1 / x, np.array([1e-3])),
    "a sigmoid at 15": (lambda x: 1 / (1 + np.exp(-x)), np.array([15.0])),
    "a sine at 1000": (np.sin, np.array([1000.0])),
    "a shared tie": (np.max, np.array([1.0, 1.0, 0.5])),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_gauntlet_catches(name):
    f, x = WRONG[name]
    report = mg.gradcheck(f, x, raises=False)
    assert not report
    assert report.blame[0].op == f.name


@pytest.mark.parametrize("name", RIGHT)
def test_the_gauntlet_leaves_alone(name):
    f, x = RIGHT[name]
    assert mg.gradcheck(f, x)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (np.exp, X),
        (np.tanh, X),
        (lambda x: np.sin(x) * np.exp(x), X),
        (lambda x: np.sum(x @ x.T), np.arange(6.0).reshape(2, 3) / 7),
        (lambda x: np.log(x * x + 1), X),
        (lambda x: np.mean(x**3), X),
    ],
)
def test_well_scaled_points_are_known_to_nine_digits(f, x):
    assert mg.gradcheck(f, x).max_error <= 1e-9


# -- blind spots of other checks -----------------------------------------------------------------------------------


def test_a_cotangent_of_ones_would_accept_a_softmax_without_gradient():
    f, x = WRONG["a softmax that gives zero"]
    np.testing.assert_allclose(flat_softmax(x + 1e-3).sum() - flat_softmax(x).sum(), 0, atol=1e-15)  # ones see nothing
    with pytest.raises(mg.GradcheckError, match="zero everywhere"):
        mg.gradcheck(f, x)


def test_a_tangent_of_ones_would_accept_an_exchange_of_elements():
    turned = wrong_op(lambda x: 3 * x, lambda g, y, x: 3 * np.flip(g), elementwise=False, name="turned")
    g = np.array([1.0, 2.0, 4.0])
    assert np.flip(g).sum() == g.sum()  # ones see nothing
    with pytest.raises(mg.GradcheckError, match="reverse order"):
        mg.gradcheck(turned, X)


def test_every_argument_is_checked():
    half = wrong_op(np.multiply, lambda g, y, a, b: g * b, lambda g, y, a, b: -g * a, name="half")
    with pytest.raises(mg.GradcheckError, match="for argument 1") as caught:
        mg.gradcheck(half, X, X + 2)
    assert "-1 times" in str(caught.value)
    assert mg.gradcheck(half, X, (X + 2).astype(int))


@pytest.mark.parametrize(
    ("f", "inputs", "options"),
    [
        (lambda: 1.0, (), {}),
        (np.abs, (3,), {}),
        (np.abs, (np.array([1, 2]),), {}),
        (lambda x: None, (X,), {}),
        (lambda x: x > 0, (X,), {}),
        (np.add, (X, 2), {"wrt": 1}),
        (np.abs, (X,), {"wrt": ()}),
        (np.abs, (X,), {"wrt": "z"}),
    ],
)
def test_comparing_nothing_is_an_error(f, inputs, options):
    with pytest.raises((TypeError, ValueError), match=r"no gradient to check|wrt="):
        mg.gradcheck(f, *inputs, **options)


# -- three verdicts ------------------------------------------------------------------------------------------------


def test_a_value_outside_the_one_sided_slopes_is_wrong_even_at_a_kink():
    with pytest.raises(mg.GradcheckError, match="outside the one-sided slopes"):
        mg.gradcheck(relu_seven, np.array([0.0, 1.0]))


@pytest.mark.parametrize("x", [0.0, 1e-12])
def test_an_accepted_kink_is_listed(x):
    report = mg.gradcheck(relu, np.array([x, 1.0]))
    assert [e.place for e in report.kinks] == [(0,)] * len(report.kinks)
    if x == 0:
        assert report.kinks[0].sides == pytest.approx((0, 1)) or report.kinks[0].sides == pytest.approx(
            (-1.5, 0), abs=1.5
        )
        assert "on a kink" in str(report)
        with pytest.raises(mg.GradcheckError, match="kink"):
            mg.gradcheck(relu, np.array([x, 1.0]), kinks="error")


def test_a_kink_near_the_point_is_stepped_around():
    assert not mg.gradcheck(relu, np.array([1e-5, -1e-5])).kinks


def test_smooth_sums_of_kinked_parts_are_accepted():
    assert mg.gradcheck(lambda x: relu(x) - relu(-x), np.array([0.0, 1.0]))


@pytest.mark.parametrize(("f", "x"), [(np.sqrt, 0.0), (np.floor, 1.0), (np.log, 0.0)])
def test_what_cannot_be_told_is_said(f, x):
    report = mg.gradcheck(f, np.array([x]), raises=False)
    assert not report
    assert "nothing can be told" in str(report)


def test_what_cannot_be_told_is_a_note_beside_what_can():
    report = mg.gradcheck(np.sqrt, np.array([0.0, 2.5]))
    assert [e.place for e in report.inconclusive] == [(0,)]
    assert "f is not differentiable here" in str(report)


@pytest.mark.parametrize("size", [7e-15, 4e-17, 7e-11, 3e-6])
def test_steep_slopes_beside_zero_are_told_at_steps_of_the_number_s_own_size(size):
    for op, x in (
        (np.cbrt, (size,)),
        (np.sqrt, (size,)),
        (np.log, (size,)),
        (np.divide, (np.array([2e-17, 1.0]), np.array([size, 1.0]))),
    ):
        report = mg.gradcheck(op, *x)
        assert not report.inconclusive
        assert not report.notes
    report = mg.gradcheck(wrong_op(np.cbrt, lambda g, y, x: -g / (3 * y * y)), size, raises=False)
    assert report.blame[0].result.worst.numeric == pytest.approx(-report.blame[0].result.worst.analytic)


def test_steps_too_small_to_move_a_constant_don_t_make_a_lost_gradient_right():
    lost = wrong_op(lambda x: 1 + 2 * x, lambda g, y, x: 0 * g, name="lost")
    assert mg.gradcheck(lambda x: (1.0 * x, lost(x)), 7e-15, raises=False).blame


def test_a_period_narrower_than_any_step_is_not_judged():
    report = mg.gradcheck(np.remainder, np.array([0.3, 1.0]), np.array([4e-17, 1.3]), raises=False)
    assert not report.failures
    assert {e.place for e in report.inconclusive} == {(0,)}


def test_digits_that_rounding_of_the_inputs_takes_are_not_the_formulas_loss():
    x = np.array([0.7, 1.1], np.float32)
    assert mg.gradcheck(lambda x: np.sin(3e4 * x), x)
    with pytest.raises(mg.GradcheckError, match="loses its digits"):
        mg.gradcheck(lambda x: np.sin((x + 1e4) - 1e4), x)


def test_a_wrong_rule_of_tiny_values_is_no_teeth():
    tiny = wrong_op(lambda x: 1e-11 * np.sin(x), lambda g, y, x: g * np.cos(x), name="tiny")
    assert mg.gradcheck(tiny, np.array([0.3, 1.0]), raises=False).blame


@pytest.mark.parametrize("name", ["cbrt", "divide"])
def test_what_rounding_left_of_a_zero_gets_no_op_blamed(name):
    op = mg.OPS[name]
    residue = [np.array([4e-17, 0.5])] * len(op.vjps)
    assert not mg.gradcheck(op, *residue, raises=False).blame


def near_ties(distances):
    """Where `minimum` has kinks at these distances from the point, too many for any one step."""
    x = np.linspace(0.1, 0.9, len(distances))
    return x, x + np.array(distances)


ROUGH = {
    "kinks nearer and further than every step": (np.minimum, *near_ties([3.5e-9, 1.6e-10, 1e-3, 3e-7, 1e-5, 0.3])),
    "stairs steeper than any step": (np.floor_divide, np.array([-8000.0, -0.14]), np.array([7e-5, 3.8e-6])),
    "teeth narrower than any step": (np.fmod, np.array([1.7e-5, 0.5]), np.array([1.0001e-12, 3e-11])),
    "teeth narrower than steps, wider than rounding": (np.remainder, np.array([1.0, 0.3]), np.array([4.2e-11, 1.3])),
    "teeth of a few thousand roundings": (
        np.fmod,
        np.array([-25.662767408942987, -1.6e-3]),
        np.array([7.158165e-12, 0.7]),
    ),
    "stairs that float32 climbs elsewhere": (
        lambda x: np.floor_divide(3 * x, x) * x,
        np.array([1 / 97, 0.5], np.float32),
    ),
    "equal eigenvalues": (lambda x: np.linalg.eigvalsh(np.eye(4) + np.tanh(x).T @ np.tanh(x)), np.eye(2, 4) / 20),
    "a kink whose two slopes cancel": (
        lambda x: np.copysign(x, x) ** 2 + np.copysign(x, x),
        np.array([0.0, 1.0, -2.0]),
    ),
    "a tie of three in a median": (lambda x: np.median(x, axis=0), np.array([[-1.0, 2.0], [-1.0, 0.0], [-1.0, 1.0]])),
    "a norm of zero, by forward mode": (lambda x: np.linalg.norm(x, axis=-1), np.array([[0.0, 0.0], [1.0, 2.0]])),
    "a small slope that a complex step loses": (lambda x: np.arctan(np.linalg.norm(x, 3)), np.array([3.5e-3, 41.3])),
    "a zero of float32": (lambda x: np.tanh(x) - np.sin(x) / np.cos(x) * np.tanh(x) / np.tan(x), X.astype(np.float32)),
}


@pytest.mark.parametrize("name", ROUGH)
def test_where_differences_cannot_decide_nothing_is_blamed(name):
    f, *inputs = ROUGH[name]
    for seed in range(5):
        report = mg.gradcheck(f, *inputs, raises=False, seed=seed)
        assert [report.blame, report.failures, report.broken] == [[], [], []], str(report)


def test_a_kink_at_which_central_differences_agree_is_reported_too():
    assert [e.place for e in mg.gradcheck(np.abs, np.array([0.0, 1.0])).kinks] == [(0,)]


@pytest.mark.parametrize("argument", [0, 1])
def test_a_wrong_rule_is_found_beside_an_input_that_is_rounding_residue(argument):
    rules = [lambda g, y, a, b: g * b, lambda g, y, a, b: g * a]
    rules[argument] = lambda g, y, a, b: g * (b if argument == 0 else a) * 1.001
    times = wrong_op(np.multiply, *rules, name="times", elementwise=True)
    report = mg.gradcheck(times, np.array([1.0, 3.0, -2.0]), np.array([4e-17, 2.0, 0.5]), raises=False)
    assert {(fault.op, fault.argument) for fault in report.blame} == {("times", argument)}


CONSTANT = {
    "sin² + cos²": lambda x: np.sin(x) ** 2 + np.cos(x) ** 2,
    "log exp - x": lambda x: np.log(np.exp(x)) - x,
    "tan - sin / cos": lambda x: np.tan(x) - np.sin(x) / np.cos(x),
    "sum of softmax": lambda x: nn.softmax(x).sum(),
    "two points standardised": lambda x: nn.BatchNorm(3, eps=0.0)(x),
}


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", CONSTANT)
def test_zero_is_right_where_larger_numbers_cancel(name, order):
    for seed in range(4):
        assert mg.gradcheck(CONSTANT[name], np.random.default_rng(seed).normal(size=(2, 3)), order=order, seed=seed)


def test_a_small_error_is_found_beside_numbers_that_cancel():
    leak = wrong_op(lambda x: x * 1.0, lambda g, y, x: g * (1 + 1e-7))
    assert mg.gradcheck(lambda x: leak(x) - x, X, raises=False).blame
    lost = mg.gradcheck(lambda x: np.exp(x) - mg.tensor(np.exp(x.data)) + x * 1e-9, X, raises=False)
    assert not lost


def test_a_wrong_rule_is_found_at_tiny_inputs_too():
    tiny = wrong_op(np.square, lambda g, y, x: g * x, name="tiny")
    assert mg.gradcheck(lambda x: tiny(1e-14 * x) * 1e28, X, raises=False).blame


def test_a_nan_is_wrong_where_the_function_is_smooth():
    nan_at_zero = wrong_op(np.sin, lambda g, y, x: g * np.where(x == 0, np.nan, np.cos(x)))
    with pytest.raises(mg.GradcheckError, match="analytic nan"):
        mg.gradcheck(nan_at_zero, np.array([0.0, 1.0]))


def test_a_random_function_is_reported_as_such():
    rng = np.random.default_rng(0)
    with pytest.raises(mg.GradcheckError, match="not deterministic"):
        mg.gradcheck(lambda x: x * rng.random(3), X)


# -- blame ---------------------------------------------------------------------------------------------------------


def network(middle):
    rng = np.random.default_rng(1)
    W, V = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
    return (lambda x, W, V: np.sum(np.tanh(middle(np.tanh(x @ W)) @ V) ** 2)), rng.normal(size=(5, 3)), W, V


def test_the_op_its_line_argument_place_and_values_are_named_first():
    with pytest.raises(AssertionError) as caught:
        mg.gradcheck(*network(tanh_bad))
    text = str(caught.value)
    lines = text.splitlines()
    assert len(lines) <= 15
    assert lines[0].startswith("the gradient of op `tanh_bad` is wrong (")
    assert text.index("guilty:") < text.index("pattern:" if "pattern:" in text else "worst:") <= text.index("worst:")
    assert re.search(r"worst: \w+ \(\d, \d\) at \[\d, \d\] +analytic \S+ +numeric \S+ ± \S+ +off by", text)
    assert re.search(
        r"guilty: op #3 `tanh_bad`, its vjp for argument 0 of shape \(5, 4\), recorded at test_gradcheck.py:", text
    )
    assert "all other ops, of 7 recorded, are right" in text
    assert lines[-1].lstrip().startswith("reproduce: mg.gradcheck(mg.OPS['tanh_bad'], ")


def test_the_reproducing_call_fails_too():
    report = mg.gradcheck(*network(tanh_bad), raises=False)
    with pytest.raises(mg.GradcheckError, match="tanh_bad"):
        eval(report.reproduce, {"mg": mg, "np": np})


def test_two_bad_ops_are_both_named():
    other = wrong_op(np.subtract, lambda g, y, a, b: g, lambda g, y, a, b: g, name="subtract_bad")
    report = mg.gradcheck(lambda x: np.sum(other(1.0, tanh_bad(x))), X, raises=False)
    assert {fault.op for fault in report.blame} == {"tanh_bad", "subtract_bad"}
    assert "ops `tanh_bad` and `subtract_bad` are wrong" in str(report)


def test_one_bad_op_among_hundreds_is_found():
    def deep(x):
        for i in range(300):
            x = tanh_bad(x) if i == 150 else np.sin(x) + 0.1
        return x

    report = mg.gradcheck(deep, X, raises=False)
    assert [(fault.op, fault.number) for fault in report.blame] == [("tanh_bad", 301)]


def test_an_error_that_is_damped_downstream_is_an_error():
    with pytest.raises(mg.GradcheckError, match="damps the error"):
        mg.gradcheck(lambda x: np.sum(x) + 0 * np.sum(tanh_bad(x)), X)


PATTERNS = {
    "a constant factor 2": wrong_op(np.tanh, lambda g, y, x: 2 * g * (1 - y * y)),
    "-1 times": wrong_op(np.tanh, lambda g, y, x: -g * (1 - y * y)),
    "zero everywhere": wrong_op(np.tanh, lambda g, y, x: 0 * g),
    "a transposition": wrong_op(lambda x: x.T * 2, lambda g, y, x: 2 * g, elementwise=False),
    "divided once too often": wrong_op(np.tanh, lambda g, y, x: g * (1 - y * y) / 3),
    "missing: analytic is numeric divided by argument 0": wrong_op(np.square, lambda g, y, x: 2 * g),
    "too many: analytic is numeric times the output": wrong_op(np.exp, lambda g, y, x: g * y * y),
    "exactly where the argument is negative": wrong_op(np.abs, lambda g, y, x: g),
    "softmax": wrong_op(flat_softmax, lambda g, y, x: g * y, elementwise=False),
    "off by the same number": wrong_op(np.tanh, lambda g, y, x: g * (1 - y * y) + 0.5),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_pattern_of_the_mistake_is_named(pattern):
    x = np.array([[0.3, -1.2, 0.8], [1.1, 0.4, -0.6], [0.9, -0.2, 2.0]])
    with pytest.raises(mg.GradcheckError, match=re.escape(pattern)):
        mg.gradcheck(PATTERNS[pattern], x)


def test_a_missing_sum_over_a_broadcast_axis_is_recognised():
    add = wrong_op(np.add, lambda g, y, a, b: g, lambda g, y, a, b: g[0], elementwise=False, name="add_bad")
    with pytest.raises(mg.GradcheckError, match="missing sum over axis 0"):
        mg.gradcheck(add, np.ones((4, 3)), X)


def test_exchanged_arguments_are_recognised():
    mul = wrong_op(np.multiply, lambda g, y, a, b: g * a, lambda g, y, a, b: g * b, name="mul_bad")
    with pytest.raises(mg.GradcheckError, match="arguments exchanged: this is the gradient of argument 1"):
        mg.gradcheck(mul, X, X * X + 2)


RAISING = {"none": lambda g, y, x: None, "a wrong shape": lambda g, y, x: g[:1], "an error": lambda g, y, x: 1 / 0}


@pytest.mark.parametrize("kind", RAISING)
def test_a_rule_that_raises_or_gives_no_cotangent_is_blamed(kind):
    odd = wrong_op(np.tanh, RAISING[kind], elementwise=False, name="odd")
    with pytest.raises(mg.GradcheckError, match="op `odd` is wrong") as caught:
        mg.gradcheck(lambda x: np.exp(odd(x)), X)
    assert "backward of `odd`" in str(caught.value)


# -- the graph is not the function ---------------------------------------------------------------------------------


def test_a_path_that_is_not_recorded_is_named_with_both_its_ends():
    def f(x):
        h = np.exp(x)
        c = h.detach()  # out
        y = h * c  # in
        return np.sum(y)

    with pytest.raises(mg.GradcheckError, match="not recorded") as caught:
        mg.gradcheck(f, X)
    text = str(caught.value)
    assert "c = h.detach()  # out" in text
    assert "op #2 `multiply`" in text
    assert "y = h * c  # in" in text


WAYS_OUT = {"item": lambda x: x.item(), "data": lambda x: x.data, "numpy": lambda x: x.numpy()}


@pytest.mark.parametrize("way", WAYS_OUT)
def test_every_way_out_of_the_graph_is_noticed(way):
    with pytest.raises(mg.GradcheckError, match=rf"leaves the graph by \.{way}"):
        mg.gradcheck(lambda x: x * WAYS_OUT[way](x), 2.0)


def test_no_grad_is_noticed():
    def f(x):
        with mg.no_grad():
            scale = np.sum(x * x)
        return x / scale

    with pytest.raises(mg.GradcheckError, match=r"no_grad\(\) at test_gradcheck.py"):
        mg.gradcheck(f, X)


def test_a_result_that_was_never_a_tensor_is_noticed():
    with pytest.raises(mg.GradcheckError, match="not a recorded tensor"):
        mg.gradcheck(lambda x: float(np.sum(x.data)), X)


def test_an_array_overwritten_after_it_was_recorded_is_noticed():
    def f(x):
        h = np.exp(x)
        y = h * h
        h.data[0] = 5.0
        return np.sum(y)

    with pytest.raises(mg.GradcheckError, match=r"changed in place after it was recorded.*op #1 `exp`"):
        mg.gradcheck(f, X)


def doubled_in_place(x):
    y = np.sin(x)
    x *= 2
    return y


def slope_in_place(g, y, x):
    g *= np.cos(x)
    return g


def cos_in_place(g, y, x):
    return g * np.cos(x, out=x)


@pytest.mark.parametrize(
    ("op", "what"),
    [
        (
            wrong_op(doubled_in_place, lambda g, y, x: g * np.cos(x), name="writes"),
            "its forward changes its argument 0",
        ),
        (wrong_op(np.sin, slope_in_place, name="writes"), "its rule changes the cotangent"),
        (wrong_op(np.sin, cos_in_place, name="writes"), "its rule changes its argument 0"),
    ],
)
def test_an_op_that_writes_to_what_it_is_given_is_named(op, what):
    report = mg.gradcheck(lambda x: np.sum(op(np.tanh(x)) * x), X, raises=False)
    assert [fault.op for fault in report.blame] == ["writes"]
    assert what in str(report)


def test_a_function_that_overwrites_its_input_is_told():
    def f(x):
        y = np.sum(np.sin(x))
        x.data[...] = 0
        return y

    with pytest.raises(mg.GradcheckError, match="changes its input x in place"):
        mg.gradcheck(f, X)


def test_a_bad_op_inside_a_checkpoint_is_named():
    f = mg.checkpoint(lambda x: mg.checkpoint(lambda x: tanh_bad(np.sin(x)) * 1e-13)(x) + x)
    report = mg.gradcheck(lambda x: np.sum(f(x)), X, raises=False)
    assert [fault.op for fault in report.blame] == ["tanh_bad"]
    assert mg.gradcheck(mg.checkpoint(lambda x: np.tanh(np.sin(x))), X)


def test_a_rule_that_gives_something_else_each_time_is_told():
    rng = np.random.default_rng(0)
    moody = wrong_op(np.sin, lambda g, y, x: g * np.cos(x) * rng.uniform(1.1, 2), name="moody")
    assert "another result each time" in mg.gradcheck(moody, X, raises=False).blame[0].pattern


@pytest.mark.parametrize(
    "rule",
    [lambda g, y, x: None, lambda g, y, x: g @ np.ones(7), lambda g, y, x: np.ones((2, 3))],
    ids=["none", "raises", "another shape"],
)
def test_a_rule_that_gives_no_gradient_is_not_said_to_be_damped(rule):
    report = mg.gradcheck(lambda x: np.sum(wrong_op(np.sin, rule, name="no_rule")(x)), X, raises=False)
    assert [fault.op for fault in report.blame] == ["no_rule"]
    assert "damps" not in str(report)


def test_a_rule_for_the_wrong_operand_s_transpose_is_told():
    product = wrong_op(np.matmul, lambda g, y, a, b: g @ b, lambda g, y, a, b: a.T @ g, elementwise=False)
    a, b = np.random.default_rng(0).normal(size=(2, 3, 3))
    report = mg.gradcheck(lambda a, b: np.sum(np.tanh(product(a, b))), a, b, raises=False)
    assert report.blame[0].pattern == "a transposition: this is the gradient for argument 1 transposed"


def test_a_rule_that_is_wrong_in_float32_only_is_named():
    narrow = wrong_op(np.sin, lambda g, y, x: g * np.cos(x) * (1.01 if x.dtype == np.float32 else 1), name="narrow")
    assert mg.gradcheck(narrow, X)
    with pytest.raises(
        mg.GradcheckError, match=r"op #1 `narrow` is right in float64 and not in float32.*recorded at test_gr"
    ):
        mg.gradcheck(lambda x: np.sum(np.exp(narrow(x))), X.astype(np.float32))


def test_a_period_shorter_than_the_first_steps_is_not_blamed():
    x, d = np.array([2.9550985037530059e-01, 0.3]), np.array([7.6286392845036019e-08, 2.0])
    assert mg.gradcheck(lambda x: np.fmod(x, d), x).inputs[0].of("wrong") == []


def test_where_eigenvalues_meet_nan_is_no_wrong_slope():
    report = mg.gradcheck(np.linalg.eigh, np.diag([1.0, 1.0, 2.0]), raises=False)
    assert not report.blame


def test_right_maxima_are_not_blamed_where_elements_lie_beside_each_other():
    """Kinks at many distances from the point: no one step is right for all elements."""
    a = np.array([[2.2009964458347968e-03, 7.6458624195193325e-01], [-7.9469858040074792e-01, 7.7799984302973969e-04]])
    b = np.array([[2.201000e-03, 9.592190e-01], [-1.018776e00, 7.780000e-04]])
    for f in (np.maximum, np.minimum):
        assert mg.gradcheck(f, a, b)


@pytest.mark.parametrize("d", [np.array([3e-5, -0.3, 2.0]), np.array(-1.189002)])
def test_a_staircase_is_not_blamed(d):
    x = np.array([2.0, -5e-4, 1e-3])
    report = mg.gradcheck(np.floor_divide, x, d, raises=False)
    assert not report.blame
    assert not report.failures


def test_a_declared_surrogate_is_reported_and_not_failed():
    ste = wrong_op(np.round, lambda g, y, x: g, name="round_through", surrogate=True)
    report = mg.gradcheck(lambda x: np.sum(ste(x) * x), X)
    assert "round_through" in str(report)
    assert "surrogate" in str(report)
    with pytest.raises(mg.GradcheckError, match="tanh_bad"):
        mg.gradcheck(lambda x: np.sum(tanh_bad(ste(x))), X + 0.7)


# -- order 2, forward mode, dtypes, structures ---------------------------------------------------------------------


def test_order_two_finds_a_rule_that_cannot_be_differentiated():
    closed = wrong_op(np.tanh, lambda g, y, x: g * (1 - np.tanh(getattr(x, "value", x)) ** 2), name="closed")
    assert mg.gradcheck(closed, X, order=1, raises=False).blame == []
    report = mg.gradcheck(lambda x: np.exp(closed(x)), X, order=2, raises=False)
    assert [(fault.op, fault.order) for fault in report.blame] == [("closed", 2)]


def test_order_two_finds_a_wrong_rule_inside_a_rule():
    slope = wrong_op(lambda y: 1 - y * y, lambda g, y, x: g * x, name="slope_bad")
    outer = wrong_op(np.tanh, lambda g, y, x: g * slope(y), name="tanh_by_slope")
    assert mg.gradcheck(outer, X)
    report = mg.gradcheck(outer, X, order=2, raises=False)
    assert {fault.op for fault in report.blame} == {"slope_bad"}


def test_forward_mode_is_held_against_reverse():
    def rule(g, y, x):
        return g * 2 * x if isinstance(g, np.ndarray) else g * x  # another rule when it is recorded

    split = wrong_op(np.square, rule, name="split")
    with pytest.raises(mg.GradcheckError, match="forward mode disagrees with reverse, and does so in op #2 `split` at"):
        mg.gradcheck(lambda x: np.sum(split(np.exp(x))), X)


def test_float32_is_checked_as_a_formula_and_in_its_own_digits():
    assert mg.gradcheck(lambda x: np.log(1 + np.exp(x)), X.astype(np.float32))
    with pytest.raises(mg.GradcheckError, match="cancellation"):
        mg.gradcheck(lambda x: ((x + 1e4) ** 2 - 1e8 - 2e4 * x) * x, X.astype(np.float32))
    assert mg.gradcheck(np.tanh, np.array([4.7, -4.9], np.float32))  # the rule is written in an output that is nearly 1
    coarse = wrong_op(np.tanh, lambda g, y, x: g * (1 - y * y) * (1.001 if x.dtype == np.float32 else 1), name="coarse")
    with pytest.raises(mg.GradcheckError, match="op #2 `coarse` is right in float64 and not in float32"):
        mg.gradcheck(lambda x: coarse(2 * x), X.astype(np.float32))
    wide = wrong_op(lambda x: np.tanh(x).astype(np.float64), lambda g, y, x: g * (1 - y * y), name="wide")
    with pytest.raises(mg.GradcheckError, match="float32 in, float64 out: op #1 `wide`"):
        mg.gradcheck(wide, X.astype(np.float32))


def test_a_function_that_computes_in_float32_is_judged_by_float32():
    f = lambda x: np.tanh(mg.astype(x, np.float32))  # noqa: E731
    assert mg.gradcheck(f, X)


def test_inputs_and_outputs_of_any_structure():
    def f(parts, b, axis, *, scale):
        x, (y, names) = parts
        assert names == {"k": 3}
        return {"sum": np.sum(x, axis=axis) * scale, "rest": [y * b, 7, "text"]}

    report = mg.gradcheck(f, (np.ones((2, 3)), [mg.tensor(X, name="y"), {"k": 3}]), 2.5, 0, scale=2.0)
    assert [x.name for x in report.inputs] == ["parts[0]", "y", "b"]
    assert mg.gradcheck(f, (np.ones((2, 3)), [X, {"k": 3}]), 2.5, 0, scale=2.0, wrt="b").inputs[0].name == "b"


def test_inputs_are_neither_changed_nor_needed_writable():
    x = np.broadcast_to(np.float64(0.5), (3,))
    assert mg.gradcheck(np.exp, x)
    before = X.copy()
    mg.gradcheck(np.exp, X)
    np.testing.assert_array_equal(X, before)


def test_it_works_under_no_grad_and_touches_no_grad():
    x = mg.tensor(X, requires_grad=True)
    with mg.no_grad():
        assert mg.gradcheck(np.exp, x)
    assert x.grad is None


def test_rounding_in_place_of_a_zero_gradient_is_no_relative_error():
    report = mg.gradcheck(lambda b: np.sum(np.tanh(X * (np.exp(b - b.sum()) / np.exp(b - b.sum())))), X)
    assert np.any(report.inputs[0].analytic != 0)
    assert report.max_error == 0.0


def test_equal_seeds_give_equal_reports():
    a, b = (mg.gradcheck(np.exp, X, seed=3) for _ in range(2))
    assert (a.inputs[0].analytic == b.inputs[0].analytic).all()
    assert (a.inputs[0].analytic != mg.gradcheck(np.exp, X, seed=4).inputs[0].analytic).all()


# -- big inputs ----------------------------------------------------------------------------------------------------


def test_big_inputs_are_checked_along_directions():
    report = mg.gradcheck(lambda x: np.sum(np.tanh(x) ** 2), np.linspace(-2, 2, 20_000))
    assert report.calls < 100
    assert report.inputs[0].directions


def test_halving_finds_the_one_wrong_element_of_many():
    def rule(g, y, x):
        slope = 2 * x
        slope[1234] *= 1.0001
        return g * slope

    report = mg.gradcheck(wrong_op(np.square, rule, name="one_off"), np.linspace(1, 2, 5000), raises=False)
    assert [e.place for e in report.failures] == [(1234,)]
    assert report.failures[0].relative == pytest.approx(1e-4, rel=1e-2)
    assert report.calls < 1000


# -- the report ----------------------------------------------------------------------------------------------------


def test_the_report_is_an_object():
    report = mg.gradcheck(tanh_bad, X, raises=False)
    assert not report
    assert report.calls > 0 < report.seconds
    assert report.max_error > 0.1
    assert report.inputs[0].worst.place in {(0,), (1,), (2,)}
    assert repr(report).startswith("<gradcheck the gradient of op `tanh_bad` is wrong")
    assert "<pre" in report._repr_html_()
    assert "<lambda>" not in mg.gradcheck(lambda x: x, X)._repr_html_()
    with pytest.raises(mg.GradcheckError) as caught:
        mg.gradcheck(tanh_bad, X)
    assert caught.value.report.blame[0].op == "tanh_bad"


def test_the_map_of_errors_has_a_panel_per_input():
    figure = mg.gradcheck(lambda W, b: np.sum(tanh_bad(W) + b), np.ones((3, 4)), X[:1], raises=False).plot()
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:2] == ["W (3, 4)", "b (1,)"]
    figure.canvas.draw()


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="order=3"):
        mg.gradcheck(np.exp, X, order=3)
    with pytest.raises(ValueError, match="kinks='ignore'"):
        mg.gradcheck(np.exp, X, kinks="ignore")


def test_a_layer_of_nn_is_checked():
    layer = nn.Dense(3, 2, activation="tanh", seed=0)
    assert mg.gradcheck(lambda x: layer(x), np.ones((4, 3)))


def test_the_how_to_is_true():
    page = Path(__file__).parents[1] / "docs" / "how-to" / "check-your-own-op.md"
    failed, tried = doctest.testfile(
        str(page), module_relative=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert tried > 8
    assert not failed


def test_right_random_graphs_raise_no_alarm():
    """A sample of what tests/benchmarks/false_alarms.py does ten thousand times."""
    path = Path(__file__).parent / "benchmarks" / "false_alarms.py"
    spec = importlib.util.spec_from_file_location("false_alarms", path)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    reports = [benchmark.check(100_000 + i) for i in range(60)]
    assert sum(report is not None for report in reports) > 45
    for report in reports:
        assert report is None or not (report.blame or report.failures or report.broken), str(report)


def test_forward_mode_is_not_blamed_where_the_function_is_no_number():
    f = lambda x: np.stack([np.sum(x), np.mean(x, where=np.zeros(3, bool))])  # noqa: E731
    with np.errstate(all="ignore"):
        report = mg.gradcheck(f, np.ones(3), raises=False)
    assert "not finite" in str(report)
    assert "forward mode" not in str(report)
