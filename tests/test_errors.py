"""Errors as a product: the op, the shapes and the user's line, with NumPy's own kind of exception."""

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn


def leaf(*shape):
    return mg.tensor(np.ones(shape), requires_grad=True)


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda: leaf(2, 3) @ leaf(2, 3), r"`matmul` of \(2, 3\) float64, \(2, 3\) float64"),
        (lambda: leaf(2, 3) + np.ones(4), r"`add` of \(2, 3\) float64, \(4,\) float64.*broadcast"),
        (lambda: np.ones((2, 3)) * leaf(2), r"`multiply` of \(2, 3\).*\(2,\)"),
        (lambda: np.concatenate([leaf(2, 3), leaf(3, 2)]), r"`concatenate`.*\(2, 3\).*\(3, 2\)"),
        (lambda: np.reshape(leaf(2, 3), (4, 2)), r"`reshape` of \(2, 3\)"),
        (lambda: np.broadcast_to(leaf(3), (3, 2)), r"`broadcast_to` of \(3,\)"),
        (lambda: nn.Dense(4, 2, seed=0)(np.ones((5, 3))), r"\(5, 3\)"),
    ],
    ids="abcdefg",
)
def test_a_shape_error_names_the_op_and_the_shapes(act, says):
    with pytest.raises(ValueError, match=says):
        act()


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (np.squeeze, (0,)),
        (np.swapaxes, (0, 2)),
        (np.moveaxis, (0, 5)),
        (np.expand_dims, (5,)),
        (np.flip, (3,)),
        (np.sort, (4,)),
        (np.cumsum, (2,)),
        (np.median, (3,)),
        (np.repeat, ([1, 2, 3], 0)),
        (np.linalg.norm, (None, 5)),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_numpys_own_words_are_given_the_name_and_the_shape(function, args):
    with pytest.raises(ValueError, match=rf"{function.__name__} of \(2, 3\) float64: .*(axis|broadcast)"):
        function(leaf(2, 3), *args)


def test_a_rule_that_forgot_to_sum_is_told_to():
    scaled = mg.op(lambda a, b: a * b, lambda g, y, a, b: g * b, lambda g, y, a, b: g * a, name="forgetful")
    with pytest.raises(
        ValueError, match=r"shape \(2, 3\) for an argument of shape \(3,\): sum over .*elementwise=True"
    ):
        scaled(leaf(3), np.ones((2, 3))).sum().backward()


def test_an_error_in_backward_names_the_op_the_shapes_and_the_line():
    broken = mg.op(lambda a, b: a @ b, lambda g, y, a, b: g @ b, lambda g, y, a, b: a.T @ g, name="mymatmul")
    a, b = leaf(2, 3), leaf(3, 4)
    y = broken(a, b).sum()  # recorded here
    for differentiate in (y.backward, lambda: mg.gradients(y, [a]), lambda: mg.gradients(y, [a], create_graph=True)):
        with pytest.raises(
            ValueError, match=r"backward of `mymatmul` for argument 0 \(inputs \(2, 3\), \(3, 4\)"
        ) as error:
            differentiate()
        assert "recorded at test_errors.py:" in str(error.value)
        assert "y = broken(a, b).sum()  # recorded here" in str(error.value)


def test_the_traceback_keeps_the_users_rule():
    def rule(g, y, x):
        return undefined_name  # noqa: F821

    y = mg.op(lambda x: x * 1, rule, name="typo")(leaf(2)).sum()
    with pytest.raises(NameError, match=r"backward of `typo`.*undefined_name") as error:
        y.backward()
    assert any(entry.name == "rule" for entry in error.traceback)


def test_exceptions_with_other_arguments_keep_their_kind():
    def rule(g, y, x):
        raise UnicodeDecodeError("utf-8", b"x", 0, 1, "odd")

    y = mg.op(lambda x: x * 1, rule, name="odd")(leaf(2)).sum()
    with pytest.raises(UnicodeDecodeError) as error:
        y.backward()
    assert "backward of `odd`" in error.value.__notes__[0]


@pytest.mark.parametrize(
    ("operand", "kind", "says"),
    [
        (
            "ab",
            TypeError,
            r"`multiply` can't compute with an operand of dtype <U2, made of a str: give it real numbers",
        ),
        ({1: 2}, TypeError, r"dtype object, made of a dict"),
        (2**70, None, ""),
        ([2**70], TypeError, r"dtype object, made of a list"),
    ],
    ids="abcd",
)
def test_an_operand_that_is_no_array_of_numbers_is_named_by_its_type(operand, kind, says):
    for act in (lambda: leaf(1) * operand, lambda: operand * leaf(1)):
        if kind is None:
            act().sum().backward()
            continue
        with pytest.raises(kind, match=says):
            act()


def test_objects_as_operands_are_named():
    for other in ("text", None, object(), [1, None], {1: 2}):
        with pytest.raises(TypeError, match=r"`add`|None"):
            leaf(2) + other
        with pytest.raises(TypeError, match=r"`add`|None"):
            other + leaf(2)


def test_gradients_of_the_wrong_things():
    x = leaf(2)
    y = (x * 2).sum()
    with pytest.raises(TypeError, match=r"xs\[0\] is ndarray.*mg\.grad"):
        mg.gradients(y, [np.ones(2)])
    with pytest.raises(ValueError, match=r"xs\[1\].*requires_grad=True"):
        mg.gradients(y, [x, mg.tensor(1.0)])
    assert mg.gradients(y, [leaf(3)])[0].data.tolist() == [0, 0, 0]
