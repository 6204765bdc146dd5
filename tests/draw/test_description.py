"""What pictures are made from: names, formulas, gradients that add up, levels; and the steps of the passes."""

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn
from microgradnd.draw.description import Graph, describe
from microgradnd.draw.formula import vjp_text
from microgradnd.draw.levels import MOST, choose
from microgradnd.draw.steps import steps, walk_through


def by_name(d):
    return {n.name: n for n in d.nodes}


def derivatives(d):
    return [e.derivative for e in d.edges if e.derivative]


def array(a):
    return np.array(a.values).reshape(a.shape)


def test_names_come_from_the_line_where_it_is_plain():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    h1 = np.tanh(x * 2)
    h2: mg.Tensor = h1 + x
    h2 += h1
    holder = type("Holder", (), {})()
    holder.out = h2 * h1
    named = holder.out
    named.name = "given"
    d = describe(named.sum())
    assert [n.name for n in d.nodes] == ["x", "multiply₁", "h1", "h2.₁", "h2.₂", "given", "sum"]
    assert by_name(d)["h1"].formula == "tanh(multiply₁)"
    assert by_name(d)["given"].formula == "h2.₂ * h1"
    assert by_name(d)["h1"].site.endswith("h1 = np.tanh(x * 2)")


def test_a_loop_numbers_its_names_and_arrays_are_called_as_in_the_source():
    W = mg.tensor(np.eye(2), requires_grad=True)
    data = np.ones((1, 2))
    h = data @ W
    for _ in range(2):
        h = np.tanh(h @ W)
    d = describe(h.sum())
    assert [n.name for n in d.nodes] == ["W", "data", "h₁", "matmul₁", "h₂", "matmul₂", "h₃", "sum"]
    assert by_name(d)["data"].kind == "input"


def test_layers_name_only_what_they_return():
    net = nn.MLP([2, 3, 2], activation="tanh", seed=0)
    X = np.ones((4, 2))
    logits = net(X)
    names = [n.name for n in describe(logits).nodes if n.op]
    assert names[-1] == "logits"
    assert names.count("logits") == 1
    assert "X" in by_name(describe(logits))


@pytest.mark.parametrize(
    ("op", "i", "text"),
    [
        ("tanh", 0, "g * (1 - y²)"),
        ("multiply", 0, "g * b"),
        ("subtract", 1, "-g"),
        ("matmul", 0, "g @ bᵀ"),
        ("matmul", 1, "aᵀ @ g"),
        ("log", 0, "g / x"),
        ("exp", 0, "g * y"),
        ("maximum", 0, "where(a > b, g, where(a == b, 0.5 * g, 0))"),
        ("where", 0, ""),
    ],
)
def test_rules_print_as_formulas(op, i, text):
    assert vjp_text(mg.OPS[op], i) == text


def test_every_registered_rule_can_be_printed():
    for op in mg.OPS.values():
        if op.samples is not None and op.joint is None:
            for i in range(len(next(iter(op.samples(np.random.default_rng(0)))).args)):
                if i < len(op.vjps) and op.vjps[i] is not None:
                    assert vjp_text(op, i), (op.name, i)


def test_local_derivatives_as_a_textbook_has_them():
    x = mg.tensor(np.ones((4, 2)), requires_grad=True, name="x")
    W = mg.tensor(np.ones((2, 3)), requires_grad=True, name="W")
    b = mg.tensor(np.zeros(3), requires_grad=True, name="b")
    z = x @ W
    a = z + b
    h = np.tanh(a)
    loss = ((h - 1) ** 2).mean()
    d = describe(loss)
    assert derivatives(d)[:5] == ["∂z/∂x = Wᵀ", "∂z/∂W = xᵀ", "∂a/∂z = 1", "∂a/∂b = 1", "∂h/∂a = 1 - h²"]
    assert derivatives(d)[-2:] == ["∂power₁/∂subtract₁ = 2 * subtract₁", "∂loss/∂power₁ = 1 / 12"]
    (summed,) = [e for e in d.edges if e.note]
    assert (summed.note, summed.rule) == ("sum over axis 0", "sum(∂loss/∂a, axis=0)")
    slope = next(e.slope for e in d.edges if e.derivative.startswith("∂h/∂a"))
    np.testing.assert_allclose(array(slope), 1 - np.tanh(2.0) ** 2 * np.ones((4, 3)), rtol=1e-8)


@pytest.mark.parametrize(
    ("a", "b", "da", "db"),
    [
        ((3,), (3,), "∂y/∂a = b", "∂y/∂b = a"),
        ((2, 3), (3,), "∂sum(y)/∂a = outer(∂sum(y)/∂y, b)", "∂y/∂b = aᵀ"),
        ((3,), (3, 2), "∂y/∂a = bᵀ", "∂sum(y)/∂b = outer(a, ∂sum(y)/∂y)"),
    ],
)
def test_products_with_vectors_read_as_on_paper(a, b, da, db):
    left = mg.tensor(np.ones(a), requires_grad=True, name="a")
    right = mg.tensor(np.ones(b), requires_grad=True, name="b")
    y = left @ right
    edges = describe(y).edges
    assert [e.derivative or f"∂sum(y)/∂{'ab'[e.position]} = {e.rule}" for e in edges] == [da, db]


def test_a_sum_by_a_product_with_ones_reads_as_a_sum():
    net = nn.Dense(2, 3, seed=0)
    edges = [e for e in describe(net(np.ones((4, 2)))).edges if e.note]
    assert [(e.note, e.rule.startswith("sum("), e.derivative[-3:]) for e in edges] == [("sum over axis 0", True, "= 1")]


def test_broadcasting_that_goes_without_saying_is_not_said():
    x = mg.tensor([3.0, 4.0], requires_grad=True, name="x")
    y = np.linalg.norm(x)
    assert derivatives(describe(y)) == ["∂y/∂x = x / y"]


def test_a_fan_out_shows_contributions_that_add_up(rng):
    x = mg.tensor(rng.normal(size=(2, 3)), requires_grad=True, name="x")
    y = (np.exp(x) * x + x.sum(axis=0)).sum()
    d, found = steps(y)
    y.backward()
    parts = [e.contribution for e in d.edges if e.source == by_name(d)["x"].id]
    assert len(parts) == 3
    np.testing.assert_allclose(sum(map(array, parts)), x.grad, rtol=1e-7)
    np.testing.assert_allclose(array(by_name(d)["x"].gradient), x.grad, rtol=1e-7)
    sums = [c for s in found for c in s.contributions if c.to == by_name(d)["x"].id]
    assert [(c.count, c.of) for c in sums] == [(1, 3), (2, 3), (3, 3)]
    np.testing.assert_allclose(sums[-1].total, x.grad, rtol=1e-7)
    assert all(" += " in c.symbols for c in sums)


def test_no_gradient_is_touched_and_none_is_made_up():
    x = mg.tensor([1.0, 2.0], requires_grad=True, name="x")
    y = (x * x).sum()
    before = describe(y)
    assert x.grad is None
    assert y.grad is None
    np.testing.assert_array_equal(before.nodes[0].gradient.values, [2.0, 4.0])
    y.backward()
    x.grad[:] = 7
    np.testing.assert_array_equal(describe(y).nodes[0].gradient.values, [2.0, 4.0])
    np.testing.assert_array_equal(x.grad, [7, 7])
    unasked = describe(y, gradients=False)
    assert all(n.gradient is None for n in unasked.nodes)
    assert "not computed" in mg.draw(y, grads=False).svg or "gradient" not in mg.draw(y, grads=False).source


def test_without_a_graph_there_is_one_node():
    x = mg.tensor([1.0], requires_grad=True, name="x")
    with mg.no_grad():
        y = x * 2
    assert [n.gradient for n in describe(y).nodes] == [None]
    z = (x * 2).sum()
    z.backward(retain_graph=False)
    assert len(describe(z).nodes) == 1
    assert "nothing to do" in mg.explain(y)


def test_what_was_changed_since_is_marked():
    x = mg.tensor([1.0, 2.0], requires_grad=True, name="x")
    y = (x * x).sum()
    with mg.no_grad():
        x += 1
    d = describe(y)
    assert [n.name for n in d.nodes if n.stale] == ["x"]
    assert "stale" in mg.draw(y).source
    assert "Changed since it was recorded: x" in mg.explain(y)


def test_a_write_behind_the_back_of_a_tensor_is_marked():
    x = mg.tensor([1.0, 2.0], requires_grad=True, name="x")
    y = (np.tanh(x).reshape(2, 1) * 3.0).sum()
    assert not any(n.stale or n.suspects for n in describe(y).nodes)
    x.data[0] = 9
    assert [n.name for n in describe(y).nodes if n.stale] == ["x"]
    assert "Changed since it was recorded: x" in mg.explain(y)


def test_a_write_into_a_view_marks_what_it_is_a_view_of():
    x = mg.tensor([[1.0, 2.0]], requires_grad=True, name="x")
    y = np.exp(x.T).sum()
    x.data[0, 0] = 9
    assert [n.name for n in describe(y).nodes if n.stale] == ["x"]


def test_a_write_into_a_plain_array_is_marked():
    a = np.ones(3)
    y = (np.tanh(mg.tensor([1.0, 2.0, 3.0], requires_grad=True, name="x")) * a).sum()
    a[1] = 5
    assert [n.name for n in describe(y).nodes if n.stale] == ["a"]


def test_where_several_may_have_been_written_to_all_are_named():
    x = mg.tensor([1.0, 2.0], requires_grad=True, name="x")
    w = mg.tensor([3.0, 4.0], requires_grad=True, name="w")
    y = (w * x).sum()
    w.data[0] = 9
    d = describe(y)
    assert {n.name: n.suspects for n in d.nodes if n.suspects} == {"multiply₁": ("w", "x")}
    assert [n.name for n in d.nodes if n.suspected == "multiply₁"] == ["x", "w"]
    source = mg.draw(y).source
    assert "stale: w or x was written to since, without touch()" in source
    assert source.count("perhaps stale: see multiply₁") == 2
    assert "w or x was written to since" in mg.explain(y)


def test_an_op_of_unknown_behaviour_is_not_run_again():
    runs = []
    noisy = mg.op(lambda a: (runs.append(1), a * 2.0)[1], lambda g, y, a: g * 2.0, name="noisy")
    y = noisy(mg.tensor([1.0], requires_grad=True, name="x")).sum()
    describe(y)
    assert len(runs) == 1


def test_the_graph_of_a_gradient_tells_backward_ops_apart():
    x = mg.tensor(1.5, requires_grad=True, name="x")
    y = np.tanh(x) * x
    (g,) = mg.gradients(y, [x], create_graph=True)
    kinds = [n.kind for n in describe(g).nodes]
    assert "op" in kinds
    assert "pullback" in kinds
    tanh = next(n for n in describe(g).nodes if n.op == "tanh")
    assert any(n.pullback_of == tanh.id for n in describe(g).nodes)


def deep(n, x):
    for _ in range(n):
        with mg.scope("Block"):
            x = np.tanh(x * 2.0) + x
    return x


def test_layers_close_and_count():
    net = nn.MLP([2, 3, 2], activation="tanh", seed=0)
    loss = net(np.ones((4, 2))).sum()
    full = describe(loss)
    assert [g.parameters for g in full.groups] == [17, 9, 8]
    closed = describe(loss, depth=0)
    (box,) = [n for n in closed.nodes if n.kind == "group"]
    assert (box.holds.parameters, box.name) == (17, "MLP")
    assert len([n for n in describe(loss, depth=1).nodes if n.kind == "group"]) == 2
    assert all(e.source != e.target for e in closed.edges)


def test_large_graphs_fold_and_any_graph_is_a_page():
    x = mg.tensor([0.1, 0.2], requires_grad=True, name="x")
    folded = describe(deep(100, x).sum())
    assert any(n.kind == "group" and n.holds.times >= 99 for n in folded.nodes)
    rng = np.random.default_rng(0)
    made = [x]
    for _ in range(1000):
        made.append([np.tanh, np.sin, np.cos][rng.integers(3)](made[rng.integers(len(made))]) + made[-1] * 0.5)
    d = describe(made[-1].sum())
    assert len(d.nodes) <= MOST < d.size


def test_numbered_blocks_fold_into_one():
    h = mg.tensor(np.ones((2, 4)), requires_grad=True, name="x") * 1.0
    for i in range(12):
        with mg.scope(f"block {i}"):
            W = mg.tensor(np.eye(4), requires_grad=True, name="W")
            z = np.tanh(h @ W)
            z = np.exp(-z) * np.cos(z) - np.sin(z)
            z = np.sqrt(1 + z**2) / 2
            h = h + z * 0.1
    d = describe(h.sum())
    (box,) = [n for n in d.nodes if n.kind == "group"]
    assert box.name == "block 0 … block 11 × 12"
    assert (box.holds.times, box.holds.ops, box.holds.parameters) == (12, 12 * 14, 12 * 16)
    np.testing.assert_allclose(array(box.value), h.data, rtol=1e-8)


@pytest.mark.parametrize("doublings", [16, 40])
def test_shared_nodes_are_visited_once(doublings):
    x = mg.tensor(1.0, requires_grad=True, name="x")
    y = x
    for _ in range(doublings):
        y = y + y
    d = describe(y)
    assert len(d.nodes) == doublings + 1
    assert d.nodes[0].gradient.values == (float(f"{2.0**doublings:.9g}"),)


def test_a_chain_of_a_hundred_thousand_ops_needs_no_recursion():
    y = mg.tensor(0.5, requires_grad=True, name="x")
    for _ in range(100_000):
        y = np.tanh(y)
    d = describe(y)
    assert d.size == 100_001
    assert len(d.nodes) <= MOST


def test_explain_abridges_a_long_graph():
    x = mg.tensor(1.0, requires_grad=True, name="x")
    y = x
    for _ in range(300):
        y = y * 1.001 + 0.1
    text = mg.explain(y)
    assert len(text) < 20_000
    assert "... 560 steps left out: 280 multiply, 280 add; explain a tensor in between" in text
    assert "\n  20. y₁₀ = multiply₁₀ + 0.1\n" in text
    assert "\n 600. " in text.partition("Backward")[0]
    assert "\n1200. back through multiply₁ = x * 1.001\n" in text
    assert "left out" not in mg.explain(x * 2)


def test_explain_writes_the_chain_rule_three_times():
    x = mg.tensor([[1.0, 2.0]], name="x")
    W = mg.tensor([[0.5], [1.0]], requires_grad=True, name="W")
    z = x @ W
    text = mg.explain(z)
    for line in (
        "z = x @ W",
        "(1, 1) = (1, 2) @ (2, 1)",
        "[[2.5]] = [[1, 2]] @ [[0.5], [1]]",
        "∂z/∂W = xᵀ @ ∂z/∂z",
        "because ∂z/∂W = xᵀ",
        "[[1], [2]] = [[1, 2]]ᵀ @ [[1]]",
    ):
        assert line in text
    assert "shapes" not in mg.explain(z, shapes=False)


def blocks(times):
    h = mg.tensor(np.ones((2, 3)), name="x")
    with mg.scope("stack"):
        for i in range(times):
            with mg.scope(f"block {i}"):
                W = mg.tensor(np.eye(3) * 0.9, requires_grad=True, name="W")
                h = h + np.tanh(h @ W)
    return (h**2).mean()


def test_a_closed_layer_is_one_step_whose_numbers_are_the_gradients():
    loss = blocks(3)
    graph = Graph(loss)
    walked = walk_through(graph, choose(graph.trace, graph.chains, graph.consumers, 1))
    names = {n.id: n.name for n in walked.description.nodes}
    played = [(s.phase, names[s.node]) for s in walked.steps]
    forward = ["block 0", "block 1", "block 2", "power₁", "mean"]
    assert [name for phase, name in played if phase == "forward"] == forward
    assert [name for phase, name in played if phase == "backward"] == forward[:0:-1]  # to x no gradient flows
    loss.backward()
    for step in walked.steps:
        for c in step.contributions:
            (box,) = [n for n in walked.description.nodes if n.id == c.to]
            member = next(x for x in graph.trace.nodes if graph.names[x.serial] in (box.name, box.formula))
            np.testing.assert_allclose(c.total, member.grad)
    assert walked.inside[walked.description.nodes[1].id][-1].endswith("= x + tanh₁")
    text = mg.explain(loss, depth=1)
    assert "x → block 0 → " in text
    assert "back through block 2" in text


def test_a_box_that_is_left_through_two_tensors_passes_back_to_both():
    x = mg.tensor([1.0, 2.0], requires_grad=True, name="x")
    with mg.scope("cell"):
        c = np.exp(x)
        h = np.tanh(c)
    y = (h * c + x).sum()
    graph = Graph(y)
    walked = walk_through(graph, choose(graph.trace, graph.chains, graph.consumers, 0))
    found = [(c.inside, c.count, c.of) for s in walked.steps for c in s.contributions if c.inside]
    assert found == [("c", 1, 1)]
    told = [(c.derivative, c.inside) for s in walked.steps for c in s.contributions]
    assert ("∂multiply₁/∂h = c", "") in told
    assert ("", "c") in told  # not the derivative for h, which goes along the same edge
    (to_x,) = walked.steps[-1].contributions
    y.backward()
    np.testing.assert_allclose(to_x.total, x.grad)
    assert (to_x.count, to_x.of) == (2, 2)


def test_rules_of_several_outputs_show_what_really_flows():
    pair = mg.op(lambda a: (a * 2, a * 3), lambda g, y, a: g[0] * 2 + g[1] * 3, name="pair", several=True)
    x = mg.tensor([1.0, 2.0], requires_grad=True, name="x")
    first, second = pair(x)
    _, found = steps((first * 5 + second * 7).sum())
    (last,) = found[-1].contributions
    assert last.symbols == "∂sum/∂x = ∂sum/∂pair₁[0] * 2 + ∂sum/∂pair₁[1] * 3"
    assert last.numbers == "[31, 31] = [5, 5] * 2 + [7, 7] * 3"
