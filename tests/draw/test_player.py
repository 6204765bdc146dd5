"""The step-through page, as a person meets it: in a real browser, by keys and clicks."""

import base64
import json
import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn
from microgradnd.draw import player
from microgradnd.draw.description import Graph

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with sync_api.sync_playwright() as p:
        b = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield b
        b.close()


@pytest.fixture
def loss() -> Any:
    x = mg.tensor([[1.0, 2.0]], name="x")
    W = mg.tensor([[0.5], [-0.25]], requires_grad=True, name="W")
    z = x @ W + 0.5
    h = np.tanh(z)
    return (h * h + h).sum()


def opened(browser: Any, drawing: Any, tmp_path: Path, **viewport: int) -> tuple[Any, list[str]]:
    path = drawing.save(tmp_path / "graph.html")
    page = browser.new_page(viewport={"width": 1200, "height": 800} | viewport)
    trouble: list[str] = []
    page.on("console", lambda m: trouble.append(m.text))
    page.on("pageerror", lambda e: trouble.append(str(e)))
    page.on("request", lambda r: trouble.append(r.url) if not r.url.startswith("file:") else None)
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]", timeout=10_000, state="attached")
    return page, trouble


def embedded(text: str) -> Any:
    packed = re.search(r'id="data">(.*?)</script>', text, re.S)[1]  # type: ignore[index]
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def test_the_page_stands_alone(loss: Any, tmp_path: Path) -> None:
    text = mg.draw(loss).save(tmp_path / "graph.html").read_text()
    assert not re.search(r'(src|href)="(?!#)', text)
    assert "://" not in re.sub(r"http://www\.w3\.org/[\w/]+", "", text)
    assert "default-src 'none'" in text
    assert " onclick=" not in text


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    x = mg.tensor(2.0, requires_grad=True, name="</script><script>alert(1)</script>")
    text = mg.draw(x * x).save(tmp_path / "graph.html").read_text()
    assert text.count("<script") == 2
    assert embedded(text)["levels"][0]["nodes"][0]["name"] == x.name


@pytest.mark.browser
def test_numbers_on_screen_are_the_arrays(browser: Any, loss: Any, tmp_path: Path) -> None:
    page, trouble = opened(browser, mg.draw(loss), tmp_path)
    gradient = page.locator("#graph g.node", has_text="W").first.locator("text.gradient")
    assert gradient.text_content() == ""
    page.keyboard.press("End")
    loss.backward()
    W = next(n for n in embedded((tmp_path / "graph.html").read_text())["levels"][0]["nodes"] if n["name"] == "W")
    page.locator(f"#{W['id']}").click()
    cells = page.locator("#details dd").nth(1).locator("tbody td").all_text_contents()
    weights = loss.inputs[0].inputs[0].inputs[0].inputs[0].inputs[0].inputs[1]  # sum, add, multiply, tanh, add, matmul
    np.testing.assert_allclose([float(c) for c in cells], weights.grad.ravel(), rtol=1e-3)
    assert trouble == []


def node(page: Any, tmp_path: Path, name: str) -> Any:
    """The node of that name, at the level with every op."""
    nodes = embedded((tmp_path / "graph.html").read_text())["levels"][-1]["nodes"]
    return page.locator(f"#graph #{next(n['id'] for n in nodes if n['name'] == name)}")


def table(where: Any) -> Any:
    """The cells of the first table in view, by row."""
    return where.locator("table.array").first.evaluate(
        "t => [...t.tBodies[0].rows].map(r => [...r.querySelectorAll('td')].map(c => Number(c.title)))"
    )


def matrices(rows: int, columns: int) -> Any:
    rng = np.random.default_rng(0)
    X = mg.tensor(rng.normal(size=(20, rows)), name="X")
    W = mg.tensor(rng.normal(size=(rows, columns)).astype(np.float32), requires_grad=True, name="W")
    y = X @ W
    return (y * y).mean(), W


@pytest.mark.browser
def test_a_click_shows_every_number_of_an_array(browser: Any, tmp_path: Path) -> None:
    y, W = matrices(30, 5)
    page, trouble = opened(browser, mg.draw(y), tmp_path)
    page.keyboard.press("End")
    node(page, tmp_path, "W").click()
    value, gradient = page.locator("#details dd").all()[:2]
    y.backward()
    np.testing.assert_array_equal(np.float32(table(value)), W.data)
    np.testing.assert_array_equal(np.float32(table(gradient)), W.grad)
    assert "all 150 numbers" in value.inner_text()
    assert value.locator("thead th").all_inner_texts() == ["0", "1", "2", "3", "4"]
    assert value.locator("tbody th").nth(29).inner_text() == "29"
    page.get_by_label("every digit").check()
    assert np.float32(value.locator("tbody td").nth(7).inner_text()) == W.data[1, 2]
    assert trouble == []


@pytest.mark.browser
def test_a_large_array_scrolls_through_all_its_numbers(browser: Any, tmp_path: Path) -> None:
    y, W = matrices(200, 90)
    page, _ = opened(browser, mg.draw(y), tmp_path)
    node(page, tmp_path, "W").click()
    box = page.locator("#details .scroller").first
    at = page.locator("output").first.inner_text()
    box.focus()
    for _ in range(3):
        page.keyboard.press("PageDown")
    page.keyboard.press("ArrowRight")
    assert page.locator("output").first.inner_text() == at  # keys that scroll don't step
    box.evaluate("b => b.scrollTo(1e9, 1e9)")
    sync_api = pytest.importorskip("playwright.sync_api")
    sync_api.expect(box.locator("tbody th").last).to_have_text("199")
    shown = np.float32(table(box))
    np.testing.assert_array_equal(shown, W.data[-shown.shape[0] :, -shown.shape[1] :])
    assert box.locator("table").get_attribute("aria-rowcount") == "201"
    assert page.locator("#details td").count() < 500


@pytest.mark.browser
def test_the_line_in_numbers_holds_the_arrays(browser: Any, tmp_path: Path) -> None:
    y, W = matrices(30, 5)
    page, _ = opened(browser, mg.draw(y), tmp_path)
    page.keyboard.press("ArrowRight")
    operands, product = page.locator("#panel .operand"), y.inputs[0].inputs[0]  # of multiply, of mean
    for i, array in enumerate((product.data, product.inputs[0].data, W.data)):
        np.testing.assert_allclose(table(operands.nth(i)), array)
    assert page.locator("#panel dd").nth(2).inner_text().count("@") == 1


@pytest.mark.browser
def test_what_does_not_fit_is_said(browser: Any, tmp_path: Path) -> None:
    y, W = matrices(2000, 200)
    drawing = mg.draw(y)
    page, _ = opened(browser, drawing, tmp_path)
    assert (tmp_path / "graph.html").stat().st_size < 2_000_000
    node(page, tmp_path, "W").click()
    text = page.locator("#details").inner_text()
    assert "the first 16 rows and 16 columns of 400,000 numbers" in text
    np.testing.assert_array_equal(np.float32(table(page.locator("#details dd").first)), W.data[:16, :16])
    assert page.locator("#details table.heat td").count() == 72


def stack(times: int) -> Any:
    h = mg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    for i in range(times):
        with mg.scope(f"block {i}"):
            W = mg.tensor(np.eye(3) * 0.9, requires_grad=True, name="W")
            h = h + np.tanh(h @ W)
    return (h**2).mean()


@pytest.mark.browser
def test_layers_close_and_open_in_the_page(browser: Any, tmp_path: Path) -> None:
    page, trouble = opened(browser, mg.draw(stack(3)), tmp_path)
    for _ in range(6):  # after two blocks of three ops
        page.keyboard.press("ArrowRight")
    page.get_by_label("show").select_option("layers closed")
    assert page.locator("output").first.inner_text() == "2 / 9 forward"
    assert page.locator("g.node.group").count() == 3
    assert "block 1" in page.locator("#panel h2").inner_text()
    page.locator("g.node.group").first.click()
    assert "15 numbers in parameters" in page.locator("#details").inner_text()
    assert "tanh" in page.locator("#details li").nth(1).inner_text()
    page.get_by_label("show").select_option("every op")
    assert page.locator("output").first.inner_text().startswith("6 / ")
    page, _ = opened(browser, mg.draw(stack(3), depth=0), tmp_path)
    assert page.locator("g.node.group").count() == 3
    assert trouble == []


@pytest.mark.browser
def test_every_number_of_every_node_at_every_level_is_the_arrays(browser: Any, tmp_path: Path) -> None:
    loss = stack(3)
    page, trouble = opened(browser, mg.draw(loss), tmp_path)
    loss.backward()
    graph = Graph(loss)
    tensors = {graph.names[x.serial]: x for x in graph.trace.nodes}
    for level, label in enumerate(["layers closed", "every op"]):
        page.select_option("#level", index=level)
        assert page.evaluate("level().label") == label
        found = page.evaluate("""() => {
            for (let i = 0; i < moments.length; i++) go(i); // through every step, as a person would
            const numbers = (m, n) => (m.has(n.id) ? [...array(m.get(n.id)).numbers] : null);
            return level().nodes.map((n) => [n.holds ? n.formula : n.name, numbers(known.values, n), numbers(known.gradients, n)]);
        }""")
        assert len(found) == (5, 15)[level]
        for name, value, gradient in found:
            np.testing.assert_array_equal(value, tensors[name].data.ravel())
            np.testing.assert_allclose(gradient, tensors[name].grad.ravel(), rtol=1e-13)
    assert trouble == []


@pytest.mark.browser
def test_ten_thousand_ops_are_played_in_boxes(browser: Any, tmp_path: Path) -> None:
    loss = stack(3333)
    page, trouble = opened(browser, mg.draw(loss), tmp_path)
    assert (tmp_path / "graph.html").stat().st_size < 2_000_000
    note = page.locator("#note").inner_text()
    assert "10,001 ops, too many to play one by one" in note
    assert "depth=" in note
    page.keyboard.press("End")
    loss.backward()
    page.locator("g.node.group").last.click()
    last = loss.inputs[0].inputs[0]  # of power, of mean
    np.testing.assert_allclose(table(page.locator("#details dd").nth(2)), last.grad)
    assert trouble == []


@pytest.mark.parametrize(("times", "depth"), [(3, None), (3, 0), (400, None)])
def test_the_page_and_the_explanation_say_the_same(times: int, depth: int | None, tmp_path: Path) -> None:
    loss = stack(times)
    data = embedded(mg.draw(loss, depth=depth).save(tmp_path / "graph.html").read_text())
    text = mg.explain(loss, depth=depth)
    shown = data["levels"][data["shown"]]["steps"]
    assert len(shown) > 4
    for step in shown:
        for line in step["contributions"] or [step]:
            assert line["symbols"] in text
    assert ("too many" in text) == (times == 400)


def tangle(ops: int) -> Any:
    """Ops that use any of those before them."""
    rng = np.random.default_rng(0)
    made = [mg.tensor(np.ones((4, 8)), requires_grad=True, name="x")]
    while len(made) < ops // 3:
        made.append([np.tanh, np.sin, np.cos][rng.integers(3)](made[rng.integers(len(made))]) + made[-1] * 0.5)
    return made[-1].sum()


def test_five_hundred_ops_in_any_order_are_laid_out_in_time(tmp_path: Path) -> None:
    path = mg.draw(tangle(500)).save(tmp_path / "graph.html")  # a layout of more than a minute is an error
    levels = embedded(path.read_text())["levels"]
    assert [level["label"] for level in levels] == ["repeated blocks folded", "every op"]
    assert path.stat().st_size < 2_000_000


def test_a_level_that_takes_too_long_to_lay_out_is_left_out(monkeypatch: Any, tmp_path: Path) -> None:
    real = player.render

    def slow(dot: str, format: str) -> bytes:
        if dot.count(" -> ") > 8:
            raise TimeoutError
        return real(dot, format)

    monkeypatch.setattr(player, "render", slow)
    data = embedded(mg.draw(stack(3)).save(tmp_path / "graph.html").read_text())
    assert [level["label"] for level in data["levels"]] == ["layers closed"]
    assert data["shown"] == 0
    assert len(data["frames"][0]["levels"]) == 1
    monkeypatch.setattr(player, "render", lambda dot, kind: (_ for _ in ()).throw(TimeoutError("too long")))
    with pytest.raises(TimeoutError, match="too long"):
        mg.draw(stack(3)).save(tmp_path / "other.html")


def test_a_film_keeps_the_numbers_of_each_moment(tmp_path: Path) -> None:
    w = mg.tensor([2.0], requires_grad=True, name="w")
    drawing = mg.draw(w * w)
    drawing.add_frame(w * w, "before")
    with mg.no_grad():
        w += 1.0
    drawing.add_frame(w * w, "after")
    data = embedded(drawing.save(tmp_path / "graph.html").read_text())
    arrays = [data["arrays"][f["levels"][0]["values"][0]] for f in data["frames"]]
    assert [np.frombuffer(base64.b64decode(a["data"]))[0] for a in arrays] == [2.0, 3.0]


@pytest.mark.parametrize("dark", [False, True])
def test_a_page_that_is_told_to_be_dark_or_light_is(dark: bool, loss: Any, tmp_path: Path) -> None:
    text = mg.draw(loss, dark=dark).save(tmp_path / "graph.html").read_text()
    assert f'style="color-scheme: {"dark" if dark else "light"}"' in text
    assert "prefers-color-scheme" not in text
    assert ("#14181d" in embedded(text)["levels"][0]["picture"]) == dark


@pytest.mark.browser
@pytest.mark.parametrize("system", ["light", "dark"])
@pytest.mark.parametrize(
    ("page_says", "dark"), [("", None), ('data-jp-theme-light="true"', False), ('data-jp-theme-light="false"', True)]
)
def test_a_picture_follows_the_page_it_is_in_before_the_system(
    browser: Any, loss: Any, system: str, page_says: str, dark: bool | None
) -> None:
    page = browser.new_page(color_scheme=system)
    page.set_content(f"<body {page_says}>{mg.draw(loss).svg}</body>")
    paper = page.evaluate("getComputedStyle(document.querySelector('svg polygon')).fill")
    expected = system == "dark" if dark is None else dark
    assert paper == ("rgb(20, 24, 29)" if expected else "rgb(255, 255, 255)")


@pytest.mark.browser
def test_a_sum_grows_contribution_by_contribution(browser: Any, loss: Any, tmp_path: Path) -> None:
    page, _ = opened(browser, mg.draw(loss), tmp_path)
    seen = []
    for _ in range(40):
        page.keyboard.press("ArrowRight")
        text = page.locator("#panel").inner_text()
        found = re.search(r"contribution (\d) of (\d)", text)
        if found and found[0] not in seen:
            seen.append(found[0])
    assert seen == ["contribution 1 of 3", "contribution 2 of 3", "contribution 3 of 3"]


@pytest.mark.browser
def test_keys_buttons_and_slider_agree(browser: Any, loss: Any, tmp_path: Path) -> None:
    page, _ = opened(browser, mg.draw(loss), tmp_path)
    at = lambda: int(page.locator("output").first.inner_text().split("/")[0])  # noqa: E731
    last = int(page.locator("#step").get_attribute("max"))
    page.keyboard.press("ArrowRight")
    assert at() == 1
    page.get_by_label("Step on").click()
    assert at() == 2
    page.keyboard.press("ArrowLeft")
    assert at() == 1
    page.keyboard.press("End")
    assert at() == last
    page.keyboard.press("Home")
    assert at() == 0
    page.locator("#step").fill("3")
    assert at() == 3
    page.locator("#graph").focus()
    page.keyboard.press(" ")
    page.wait_for_timeout(1500)  # a step takes 1.1 s
    assert at() == 4
    assert page.get_by_label("Pause").count() == 1
    page.keyboard.press(" ")
    assert page.get_by_label("Pause").count() == 0


@pytest.mark.browser
def test_the_current_op_lights_up_and_formulas_are_mathml(browser: Any, loss: Any, tmp_path: Path) -> None:
    page, _ = opened(browser, mg.draw(loss), tmp_path)
    page.keyboard.press("ArrowRight")
    assert page.locator("#graph g.node.now").count() == 1
    assert page.locator("#graph g.edge.flow").count() == 2
    assert page.locator("#panel math").count() == 1
    page.keyboard.press("End")
    assert page.locator("#panel mfrac").count() >= 2
    assert page.locator("#graph.backward g.edge.flow").count() == 1


@pytest.mark.browser
def test_nodes_are_reached_by_keyboard_and_named_for_screen_readers(browser: Any, loss: Any, tmp_path: Path) -> None:
    page, _ = opened(browser, mg.draw(loss), tmp_path)
    node = page.locator("#graph g.node").first
    node.focus()
    page.keyboard.press("Enter")
    assert "value" in node.get_attribute("aria-label")
    assert page.get_by_role("img").count() == 0  # what is inside a picture is hidden from a screen reader
    assert "chosen" in node.get_attribute("class")
    page.keyboard.press("ArrowRight")
    assert page.locator("p[role=status]").inner_text() == "Step 1 / 14 forward: matmul₁ = x @ W"
    page.keyboard.press("ArrowDown")  # from node to node, in the order of recording
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.id") == "n2"
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "n1"
    assert page.locator("#graph [tabindex='0']").count() == 1  # one stop of the Tab key, however many nodes there are


@pytest.mark.browser
def test_four_hundred_percent_zoom_needs_no_sideways_scrolling(browser: Any, loss: Any, tmp_path: Path) -> None:
    page, _ = opened(browser, mg.draw(loss), tmp_path, width=320, height=256)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.browser
def test_reduced_motion_stops_the_animation(browser: Any, loss: Any, tmp_path: Path) -> None:
    page, _ = opened(browser, mg.draw(loss), tmp_path)
    page.keyboard.press("ArrowRight")
    animation = "getComputedStyle(document.querySelector('g.edge.flow > path')).animationName"
    assert page.evaluate(animation) == "down"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(animation) == "none"


@pytest.mark.browser
def test_a_second_slider_goes_over_training_steps(browser: Any, tmp_path: Path) -> None:
    X, y = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1])
    frames = nn.GraphFrames(X, y, every=2)
    model = nn.MLP([2, 2, 2], seed=0)
    nn.fit(model, X, y, epochs=4, batch_size=2, seed=0, progress=False, callbacks=[frames])
    page, trouble = opened(browser, frames.drawing, tmp_path)
    assert page.locator("#frame").get_attribute("max") == "2"
    page.keyboard.press("End")
    before = page.locator("#graph").inner_text()
    page.locator("#frame").fill("2")
    assert page.locator("#graph").inner_text() != before
    assert page.locator("output").nth(1).inner_text() == "step 4"
    assert trouble == []


@pytest.mark.browser
@pytest.mark.parametrize("name", ["w" * 100_000, "\u202eback\u202c to front", "nul\x00"], ids=["long", "bidi", "nul"])
def test_any_name_is_shown_and_turns_nothing_about(browser: Any, name: str, tmp_path: Path) -> None:
    page, trouble = opened(browser, mg.draw(mg.tensor(2.0, requires_grad=True, name=name) * 3.0), tmp_path)
    page.keyboard.press("End")
    page.locator("g.node").first.click()
    text = page.locator("aside").inner_text()
    assert "\u202e" not in text
    assert len(text) < 1500
    assert trouble == []


def test_a_page_of_a_single_tensor_has_nothing_to_play(tmp_path: Path) -> None:
    data = embedded(mg.draw(mg.tensor(1.0, name="one")).save(tmp_path / "graph.html").read_text())
    assert data["levels"][0]["steps"] == []
    assert data["levels"][0]["nodes"][0]["name"] == "one"


def test_a_frame_of_another_graph_is_refused() -> None:
    w = mg.tensor(2.0, requires_grad=True, name="w")
    drawing = mg.draw(w * w)
    with pytest.raises(ValueError, match="another graph"):
        drawing.add_frame(w + w, "step 1")


@pytest.fixture(scope="module")
def long_graph(tmp_path_factory: pytest.TempPathFactory) -> Any:
    y = mg.tensor(np.arange(6.0), requires_grad=True, name="y")
    for _ in range(250):
        y = y * 1.01 + 0.1
    return mg.draw(y.sum())


def test_five_hundred_ops_stay_under_two_megabytes(long_graph: Any, tmp_path: Path) -> None:
    assert long_graph.save(tmp_path / "graph.html").stat().st_size < 2_000_000


@pytest.mark.browser
def test_five_hundred_ops_stay_legible_and_in_view(browser: Any, long_graph: Any, tmp_path: Path) -> None:
    page, trouble = opened(browser, long_graph, tmp_path)
    frame, now = page.locator("#graph").bounding_box(), page.locator("g.node.now")
    for moment in (60, 421, 900):
        page.evaluate("(i) => go(i)", moment)
        page.keyboard.press("ArrowRight")
        box = now.bounding_box()
        assert box["height"] > 40
        assert frame["x"] <= box["x"] <= box["x"] + box["width"] <= frame["x"] + frame["width"]
        assert frame["y"] <= box["y"] <= box["y"] + box["height"] <= frame["y"] + frame["height"]
    assert trouble == []


@pytest.mark.browser
def test_zoom_and_pan_keep_the_point_under_the_pointer(browser: Any, loss: Any, tmp_path: Path) -> None:
    page, _ = opened(browser, mg.draw(loss), tmp_path)
    node = page.locator("#graph g.node").first
    page.keyboard.press("0")
    before = node.bounding_box()
    x, y = before["x"] + before["width"] / 2, before["y"] + before["height"] / 2
    page.mouse.move(x, y)
    page.mouse.wheel(0, -300)
    page.wait_for_function("closer > 1.5")
    box = node.bounding_box()
    assert box["width"] > 1.5 * before["width"]
    assert abs(box["x"] + box["width"] / 2 - x) < 3
    assert abs(box["y"] + box["height"] / 2 - y) < 3
    page.mouse.down()
    page.mouse.move(x + 50, y + 20)
    page.mouse.up()
    assert page.locator("g.node.chosen").count() == 0
    moved = node.bounding_box()
    assert abs(moved["x"] - box["x"] - 50) < 1
    assert abs(moved["y"] - box["y"] - 20) < 1
    page.keyboard.press("0")
    assert page.evaluate("closer") == 1
    assert page.evaluate("svg.style.transform").startswith("translate(0px, 0px)")
