"""How long drawing takes, and how large the pictures are, for 10, 500 and 10,000 ops.

python tests/benchmarks/drawing.py
"""

import time

import numpy as np

import microgradnd as mg


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


def main() -> None:
    print(f"{'graph':<10}{'ops':>8}{'drawn':>8}{'describe s':>12}{'DOT s':>8}{'SVG s':>8}{'SVG kB':>8}")
    for graph in (layers, mixed):
        for ops in (10, 500, 10_000):
            root = graph(ops)
            start = time.perf_counter()
            drawing = mg.draw(root)
            described = time.perf_counter()
            _ = drawing.source
            written = time.perf_counter()
            svg = drawing.svg
            done = time.perf_counter()
            d = drawing.description
            print(
                f"{graph.__name__:<10}{d.size:>8,}{len(d.nodes):>8}{described - start:>12.2f}"
                f"{written - described:>8.2f}{done - written:>8.2f}{len(svg) / 1000:>8.0f}"
            )


if __name__ == "__main__":
    main()
