"""The mistakes people make, each with what it gives: the documentation's page is held against these."""

import re
from pathlib import Path

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn

PAGE = (Path(__file__).parent.parent / "docs" / "mistakes.md").read_text(encoding="utf-8")


def shown(message: object) -> None:
    """Assert that the page shows this message, but for where it arose."""
    text = re.sub(r" ?\(recorded at [^)]*\)|,? (recorded )?at [\w<>./-]+\.py:\d+: [^:]*?(?=:|$)", "", str(message))
    page = re.sub(r"\s+", " ", PAGE)
    assert re.sub(r"\s+", " ", text).strip() in page, f"docs/mistakes.md does not show: {text}"


def test_forgotten_zero_grad_adds_up() -> None:
    w = mg.tensor(2.0, requires_grad=True, name="w")
    (w * 3).backward()
    (w * 3).backward()
    assert w.grad == 6.0  # not 3: leaves accumulate, and nothing is wrong as far as anyone can tell
    w.zero_grad()
    (w * 3).backward()
    assert w.grad == 3.0


def test_updating_outside_no_grad_raises() -> None:
    w = mg.tensor([1.0, 2.0], requires_grad=True, name="w")
    (w * w).sum().backward()
    with pytest.raises(RuntimeError) as caught:
        w -= 0.1 * w.grad
    shown(caught.value)
    with mg.no_grad():
        w -= 0.1 * w.grad
    assert np.allclose(w.data, [0.8, 1.6])


def test_a_detach_in_the_path_cuts_it() -> None:
    w = mg.tensor([1.0, 2.0], requires_grad=True, name="w")
    loss = (w.detach() * 3).sum()
    with pytest.raises(RuntimeError) as caught:
        loss.backward()
    shown(caught.value)


def test_wrapping_a_tensor_in_an_array_raises() -> None:
    t = mg.tensor(2.0, requires_grad=True, name="t")
    with pytest.raises(TypeError) as caught:
        np.array([t])
    shown(caught.value)
    assert np.stack([t]).requires_grad


def test_a_tensor_among_the_data_of_a_tensor_raises() -> None:
    t = mg.tensor(2.0, requires_grad=True, name="t")
    with pytest.raises(TypeError) as caught:
        mg.tensor([t, t])
    shown(caught.value)


def test_going_backward_after_a_step_raises() -> None:
    w = mg.tensor([1.0, 2.0], requires_grad=True, name="w")
    loss = (w * w).sum()
    loss.backward()
    nn.SGD([w], lr=0.1).step()
    with pytest.raises(RuntimeError) as caught:
        loss.backward()
    shown(caught.value)


def test_writing_through_a_detached_twin_raises() -> None:
    w = mg.tensor([1.0, 2.0], requires_grad=True, name="w")
    loss = (w * w).sum()
    w.detach()[0] = 0.0
    with pytest.raises(RuntimeError) as caught:
        loss.backward()
    shown(caught.value)


def test_drawing_after_a_step_marks_what_changed() -> None:
    w = mg.tensor([1.0, 2.0], requires_grad=True, name="w")
    loss = (w * w).sum()
    loss.backward()
    nn.SGD([w], lr=0.1).step()
    told = mg.explain(loss).splitlines()[-1]
    assert told.startswith("Changed since it was recorded: w.")
    shown(told)


def test_a_mutated_mini_batch_is_caught_in_debug_mode() -> None:
    w = mg.tensor([1.0, 2.0], requires_grad=True, name="w")
    batch = np.array([3.0, 4.0])
    with mg.debug():
        loss = (w * batch).sum()
        batch[:] = 0.0  # the next mini-batch, read into the same array
        with pytest.raises(RuntimeError) as caught:
            loss.backward()
    shown(caught.value)


def test_assigning_into_a_tensor_raises() -> None:
    x = mg.tensor([1.0, 2.0], requires_grad=True, name="x")
    with pytest.raises(RuntimeError) as caught:
        x[0] = 5.0
    shown(caught.value)


def test_backward_of_several_numbers_raises() -> None:
    x = mg.tensor([1.0, 2.0], requires_grad=True, name="x")
    y = x * 2
    with pytest.raises(RuntimeError) as caught:
        y.backward()
    shown(caught.value)


def test_shapes_that_would_broadcast_raise_in_a_loss() -> None:
    with pytest.raises(ValueError, match="shape") as caught:
        nn.mse_loss(mg.tensor(np.zeros((4, 1))), np.zeros(4))
    shown(caught.value)


def test_a_label_out_of_range_raises() -> None:
    with pytest.raises(ValueError, match="label") as caught:
        nn.cross_entropy(mg.tensor(np.zeros((3, 10))), [1, 10, 3])
    shown(caught.value)


def test_a_function_without_a_rule_raises() -> None:
    x = mg.tensor([1.0, 2.0], requires_grad=True, name="x")
    with pytest.raises(TypeError) as caught:
        np.i0(x)
    shown(caught.value)


def test_integers_cannot_require_a_gradient() -> None:
    with pytest.raises(TypeError) as caught:
        mg.tensor([1, 2], requires_grad=True)
    shown(caught.value)
