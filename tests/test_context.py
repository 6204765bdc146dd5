"""Modes per thread, task and generator; scopes; and the line of the user's code that recorded an op."""

import asyncio
import doctest
import functools
import subprocess
import sys
import threading
import types

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn
from microgradnd.context import MODE


def leaf(values=1.0, **options):
    return mg.tensor(values, requires_grad=True, **options)


def recording():
    return (leaf() * 2).requires_grad


# -- no_grad ----------------------------------------------------------------------------------


def test_no_grad_nests_and_is_reentrant():
    context = mg.no_grad()
    with context:
        with context, mg.no_grad():
            assert not recording()
        assert not recording()
        t = leaf() * 2
        assert isinstance(t, mg.Tensor)
    assert recording()


def test_no_grad_raised_through_is_restored():
    with pytest.raises(KeyError), mg.no_grad(), mg.no_grad():
        raise KeyError
    assert recording()


def test_no_grad_decorates():
    @mg.no_grad()
    def f(depth):
        return recording() or (depth > 0 and f(depth - 1))

    assert f(3) is False
    assert f.__name__ == "f"
    assert recording()


def test_no_grad_decorates_generators_and_does_not_leak_between_items():
    @mg.no_grad()
    def values():
        got = yield recording()
        while got != "stop":
            got = yield (got, recording())
        return "done"

    generator = values()
    assert next(generator) is False
    assert recording()
    assert generator.send("a") == ("a", False)
    assert recording()
    with pytest.raises(StopIteration, match="done"):
        generator.send("stop")


def test_no_grad_decorates_without_parentheses_too():
    @mg.no_grad
    def f():
        """Documented."""
        return recording()

    assert f() is False
    assert f.__doc__ == "Documented."
    assert recording()
    with pytest.raises(TypeError, match=r"a function to decorate: got True"):
        mg.no_grad(True)


def test_a_generator_under_no_grad_is_thrown_into_and_closed():
    log = []

    @mg.no_grad()
    def values():
        try:
            try:
                yield 1
            except KeyError:
                yield recording()
        finally:
            log.append(recording())

    generator = values()
    assert next(generator) == 1
    assert generator.throw(KeyError("k")) is False
    generator.close()
    assert log == [False]
    assert recording()


def test_no_grad_decorates_coroutines_while_other_tasks_record():
    @mg.no_grad()
    async def quiet():
        await asyncio.sleep(0.01)
        return recording()

    async def loud():
        await asyncio.sleep(0)
        return recording()

    async def both():
        return await asyncio.gather(quiet(), loud())

    assert asyncio.run(both()) == [False, True]
    assert recording()
    with pytest.raises(TypeError, match=r"values is an asynchronous generator: write `with mg\.no_grad\(\):` inside"):

        @mg.no_grad()
        async def values():
            yield 1


def test_scopes_belong_to_a_task_and_layers_lie_within_them():
    layer = nn.Dense(1, 1, seed=0)

    async def region(name, pauses):
        found = []
        with mg.scope(name):
            for _ in range(pauses):
                await asyncio.sleep(0)  # the others open and leave theirs meanwhile
                found.append(layer(np.ones((1, 1))).scope.path)
        return found, (leaf() * 2).scope

    async def several():
        return await asyncio.gather(*(region(name, n) for name, n in (("a", 3), ("b", 1), ("c", 5))))

    for (found, after), (name, n) in zip(asyncio.run(several()), (("a", 3), ("b", 1), ("c", 5)), strict=True):
        assert found == [f"{name}.Dense"] * n
        assert after is None


def test_a_failing_layer_leaves_its_scope_and_those_opened_inside_of_it():
    class Fails(nn.Module):
        def forward(self, x):
            with mg.scope("inside"):
                y = x * 1
                assert y.scope.path == "Fails.inside"
                raise LookupError

    with pytest.raises(LookupError):
        Fails()(leaf())
    assert (leaf() * 2).scope is None


def test_a_generator_with_no_grad_inside_closes_cleanly():
    def values():
        with mg.no_grad():
            yield recording()

    generator = values()
    assert next(generator) is False
    generator.close()
    assert recording()


def test_no_grad_belongs_to_a_thread():
    seen, inside, checked = [], threading.Event(), threading.Event()

    def other():
        inside.wait(10)
        seen.append(recording())
        checked.set()

    thread = threading.Thread(target=other)
    thread.start()
    with mg.no_grad():
        inside.set()
        checked.wait(10)
        assert not recording()
    thread.join()
    assert seen == [True]


def test_no_grad_belongs_to_a_task():
    async def frozen():
        with mg.no_grad():
            await asyncio.sleep(0)
            first = recording()
            await asyncio.sleep(0)
            return first or recording()

    async def free():
        results = []
        for _ in range(4):
            results.append(recording())
            await asyncio.sleep(0)
        return all(results)

    async def both():
        return await asyncio.gather(frozen(), free(), frozen())

    assert asyncio.run(both()) == [False, True, False]


def test_a_result_under_no_grad_says_why_it_has_no_gradient():
    with mg.no_grad():
        y = leaf() * 2
    with pytest.raises(RuntimeError, match="no_grad"):
        y.backward()


# -- scopes -----------------------------------------------------------------------------------


def test_a_scope_opens_in_one_place():
    outer, inner = mg.scope("outer"), mg.scope("inner")
    with outer:
        for _ in range(2):
            with inner:
                y = leaf() * 2
        with pytest.raises(RuntimeError, match=r"scope 'outer' was opened elsewhere.*make another"), outer:
            pass
        with inner, pytest.raises(RuntimeError, match="'outer'"), outer:
            pass
    with pytest.raises(RuntimeError, match="'inner'"), inner:
        pass
    assert y.scope.path == "outer.inner"
    assert (leaf() * 2).scope is None


def test_scopes_nest_and_end():
    with mg.scope("encoder"), mg.scope("attention"):
        y = leaf() * 2
    assert y.scope.path == "encoder.attention"
    assert (leaf() * 2).scope is None
    with pytest.raises(ValueError, match="out"), mg.scope("broken"):
        raise ValueError("out")
    assert (leaf() * 2).scope is None


# -- the user's line --------------------------------------------------------------------------


def squared(x):
    return x * x  # squared


def twice(function):
    @functools.wraps(function)
    def wrapper(x):
        return function(function(x))

    return wrapper


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Dense(3, 3, "tanh", seed=0)

    def forward(self, x):
        h = self.inner(x)  # inner call
        return h * x  # gate line


def line(node):
    return node.site.partition(": ")[2]


def in_thread():
    made = []
    thread = threading.Thread(target=lambda: made.append(leaf() + 1))  # thread line
    thread.start()
    thread.join()
    return made[0]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: squared(leaf()), "return x * x  # squared"),
        (lambda: twice(squared)(leaf()), "return x * x  # squared"),
        (lambda: np.exp(leaf()), "(lambda: np.exp("),
        (lambda: np.sum(leaf([1.0]), axis=0), "(lambda: np.sum("),
        (lambda: leaf([1.0, 2.0]).sum(), "(lambda: leaf([1.0, 2.0]).sum()"),
        (lambda: 2 / leaf(), "(lambda: 2 / leaf()"),
        (lambda: np.ones(3) @ leaf(np.ones(3)), "(lambda: np.ones(3) @ leaf"),
        (lambda: leaf([1.0])[0], "(lambda: leaf([1.0])[0]"),
        (lambda: np.where([True], leaf([1.0]), 0.0), "(lambda: np.where("),
        (lambda: nn.mse_loss(leaf([1.0]), np.ones(1)), "(lambda: nn.mse_loss("),
        (lambda: nn.Dense(3, 2, seed=0)(np.ones((1, 3))), "(lambda: nn.Dense(3, 2"),
        (lambda: nn.Sequential(nn.Dense(3, 2, "tanh", seed=0))(np.ones((1, 3))), "(lambda: nn.Sequential("),
        (lambda: Gate()(np.ones((1, 3))), "return h * x  # gate line"),
        (lambda: nn.Sequential(Gate())(np.ones((1, 3))), "return h * x  # gate line"),
        (lambda: Gate()(np.ones((1, 3))).inputs[0], "h = self.inner(x)  # inner call"),
        (in_thread, "thread = threading.Thread(target=lambda: made.append(leaf() + 1))  # thread line"),
        (lambda: mg.vjp(squared, leaf())[0], "return x * x  # squared"),
        (lambda: mg.checkpoint(squared)(leaf()), "(lambda: mg.checkpoint(squared)(leaf())"),
        (lambda: mg.gradients(squared(leaf()), [], create_graph=True) or squared(leaf()), "return x * x  # squared"),
    ],
    ids=map(str, range(19)),
)
def test_the_line_is_the_users(make, expected):
    node = make()
    assert node.site.startswith("test_context.py:")
    assert line(node).startswith(expected)


def test_what_a_recorded_backward_records_lies_at_the_line_of_its_forward():
    x = leaf()
    y = np.exp(x)  # forward
    (g,) = mg.gradients(y, [x], create_graph=True)
    assert line(g) == "y = np.exp(x)  # forward"
    assert g.scope.pullback_of == y.serial


def test_the_line_number_inside_a_multi_line_call():
    x = leaf()
    y = np.add(
        x,
        np.exp(x),
    )
    first = y.site_line[1]
    assert y.inputs[1].site_line[1] == first + 2


def test_executed_code_and_modules_elsewhere():
    scope = {"mg": mg, "__name__": "theirs"}
    exec(compile("x = mg.tensor(1.0, requires_grad=True)\ny = x * 2", "notebook-cell-7", "exec"), scope)
    assert scope["y"].site_line == ("notebook-cell-7", 2)
    # nn/ may be installed from another folder than the engine's: its frames are ours all the same
    ours = types.ModuleType("microgradnd.nn.elsewhere")
    exec(compile("def double(x):\n    return x * 2", "/elsewhere/nn/elsewhere.py", "exec"), ours.__dict__)
    y = ours.double(leaf())  # here
    assert line(y) == "y = ours.double(leaf())  # here"


def test_doctests_scripts_and_interpreters(tmp_path):
    sites = []
    parser = doctest.DocTestParser()
    example = parser.get_doctest(
        ">>> y = x * 2\n>>> sites.append(y.site_line[0])\n",
        {"x": leaf(), "sites": sites, "__name__": "microgradnd.x"},
        "guide",
        "guide.md",
        0,
    )
    doctest.DocTestRunner().run(example)
    assert sites == ["<doctest guide[0]>"]
    script = tmp_path / "script.py"
    script.write_text("import microgradnd as mg\nx = mg.tensor(1.0, requires_grad=True)\nprint((x +\n  1).site)\n")
    run = [sys.executable, str(script)]
    said = subprocess.run(run, capture_output=True, text=True, check=True, env=_environment()).stdout
    assert said.strip() == "script.py:3: print((x +"
    command = "import microgradnd as mg; print((mg.tensor(1.0, requires_grad=True) + 1).site_line)"
    run = [sys.executable, "-c", command]
    said = subprocess.run(run, capture_output=True, text=True, check=True, env=_environment()).stdout
    assert said.strip() == "('<string>', 1)"


def _environment():
    import os

    return os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def test_no_frame_is_kept_alive():
    import weakref

    class Big:
        pass

    def f():
        big = Big()
        return leaf() * 2, weakref.ref(big)

    y, big = f()
    assert big() is None
    assert y.site


def test_the_mode_is_one_object_per_thread_and_unchanged():
    before = MODE.get()
    mg.grad(lambda x: x * x)(1.0)
    assert MODE.get() is before
