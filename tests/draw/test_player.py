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
    assert page.locator("#panel").get_attribute("aria-live") == "polite"


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
def test_five_hundred_ops_stay_smooth_legible_and_in_view(browser: Any, long_graph: Any, tmp_path: Path) -> None:
    page, trouble = opened(browser, long_graph, tmp_path)
    frame, steps = page.locator("#graph").bounding_box(), page.locator("g.node.now")
    for _ in range(60):
        page.keyboard.press("ArrowRight")
    box = steps.bounding_box()
    assert box["height"] > 40
    assert frame["x"] <= box["x"] <= box["x"] + box["width"] <= frame["x"] + frame["width"]
    assert frame["y"] <= box["y"] <= box["y"] + box["height"] <= frame["y"] + frame["height"]
    times = page.evaluate("""() => [...Array(21).keys()].map((i) => {
        const before = performance.now();
        go(400 + i);
        zoom(i % 2 ? 0.8 : 1.25);
        document.body.getBoundingClientRect(); // has it laid out
        return performance.now() - before;
    })""")
    assert sorted(times)[10] < 150  # milliseconds: 15 on an idle core
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
