"""How long drawing takes, and how large the pictures are, for 10, 500 and 10,000 ops; how fast a page steps.

python tests/benchmarks/drawing.py
"""

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

import microgradnd as mg
from microgradnd import nn


def layers(ops: int) -> mg.Tensor:
    """A stack of blocks of ten ops each."""
    x = h = mg.tensor(np.ones((4, 8)), requires_grad=True, name="x")
    W = mg.tensor(np.eye(8) * 0.5, requires_grad=True, name="W")
    for i in range(ops // 10):
        with mg.scope(f"block {i}"):
            for _ in range(3):
                h = np.tanh(h @ W) + x
            h = h * 0.5
    return h.sum()


def mixed(ops: int) -> mg.Tensor:
    """Ops without any order to them."""
    rng = np.random.default_rng(0)
    made = [mg.tensor(np.ones((4, 8)), requires_grad=True, name="x")]
    functions = [np.tanh, np.sin, np.cos]
    while len(made) < ops // 3:
        made.append(functions[rng.integers(3)](made[rng.integers(len(made))]) + made[-1] * 0.5)
    return made[-1].sum()


def network(ops: int) -> mg.Tensor:
    """Dense layers of 16 units with their parameters, two ops each."""
    net = nn.MLP([16] * (ops // 2 + 1), activation="tanh", seed=0)
    return nn.cross_entropy(net(np.random.default_rng(0).normal(size=(8, 16))), np.arange(8))


def measured(work: Callable[[], Path]) -> str:
    """Processor seconds, Graphviz's included, best of three; and the size of the file."""
    seconds = []
    for _ in range(3):
        before = sum(os.times()[:4])
        path = work()
        seconds.append(sum(os.times()[:4]) - before)
    return f"{min(seconds):.1f} s, {path.stat().st_size / 1000:,.0f} kB"


def page_step(root: mg.Tensor, folder: str) -> str:
    """Milliseconds from one step of the page to the next, laid out and zoomed, where a Chromium is found."""
    chromium = shutil.which("chromium")
    if chromium is None or importlib.util.find_spec("playwright") is None:
        return "no browser here to step through a page in"
    from playwright.sync_api import sync_playwright

    page_file = mg.draw(root).save(Path(folder) / "graph.html")
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]).new_page()
        page.goto(page_file.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        times = page.evaluate("""() => [...Array(21).keys()].map((i) => {
            const before = performance.now();
            go(400 + i);
            zoom(i % 2 ? 0.8 : 1.25);
            document.body.getBoundingClientRect(); // has it laid out
            return performance.now() - before;
        })""")
    return f"a step of the page of 500 ops: {median(times):.1f} ms (median of 21)"


def main() -> None:
    print("| graph | ops | boxes drawn | `.svg` | `.png` | `.html` |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for graph in (layers, mixed, network):
            for ops in (10, 500, 10_000):
                root = graph(ops)
                drawn = len(mg.draw(root).description.nodes)
                cells = [
                    measured(lambda root=root, suffix=suffix: mg.draw(root).save(Path(folder) / f"graph{suffix}"))
                    for suffix in (".svg", ".png", ".html")
                ]
                print(f"| {graph.__name__} | {ops:,} | {drawn} | {' | '.join(cells)} |", flush=True)
        print(page_step(layers(500), folder))


if __name__ == "__main__":
    main()
