"""Count false alarms of the gradient check over random graphs of right ops.

Each graph is a random program of a few up to two dozen steps over the registry's elementwise ops and the usual reductions,
products, shapes and indices, at random points; every op in it is right, so whatever the check blames is a false alarm.

    python tests/benchmarks/false_alarms.py [--graphs 10000] [--seed 0]
"""

import argparse
import collections
import time

import numpy as np

import microgradnd as mg
import microgradnd.nn as nn

ELEMENTWISE = [
    op
    for op in mg.OPS.values()
    if op.elementwise and None not in op.vjps and op.samples and not op.surrogate
    if not any(options for _, options in op.samples(np.random.default_rng(0)))
]
UNARY, BINARY = ([op for op in ELEMENTWISE if len(op.vjps) == n] for n in (1, 2))
OTHERS = {
    "sum": lambda x: np.sum(x, axis=-1, keepdims=True),
    "mean": lambda x: np.mean(x, axis=0, keepdims=True),
    "max": lambda x: np.max(x, axis=-1, keepdims=True),
    "gram": lambda x: x @ x.T,
    "transpose": lambda x: x.T,
    "rows": lambda x: x[[0, -1, 0]],
    "reversed": lambda x: x[::-1, 1:] if x.shape[1] > 1 else x[::-1],
    "joined": lambda x: np.concatenate([x, 2 * x], axis=0),
    "summed up": lambda x: np.cumsum(x, axis=-1),
    "softmax": lambda x: nn.softmax(x),
    "log_softmax": lambda x: nn.log_softmax(x),
    "norm": lambda x: x / np.sqrt(np.sum(x * x) + 0.1),
}


def into(domain, x):
    """`x` moved smoothly into the domain of an op."""
    low, high = domain
    if np.isfinite(low) and np.isfinite(high):
        return (low + high) / 2 + 0.4 * (high - low) * np.tanh(x)
    if np.isfinite(low):
        return low + 0.3 + x * x
    return high - 0.3 - x * x if np.isfinite(high) else x


def random_program(rng):
    """A function that draws nothing: each step is a choice made here."""
    steps = []
    for _ in range(rng.integers(2, 13)):
        kind = rng.choice(["unary", "binary", "other"], p=[0.5, 0.3, 0.2])
        if kind == "unary":
            steps.append((UNARY[rng.integers(len(UNARY))], 1, int(rng.integers(0, 4))))
        elif kind == "binary":
            steps.append((BINARY[rng.integers(len(BINARY))], 2, int(rng.integers(0, 4))))
        else:
            steps.append((OTHERS[list(OTHERS)[rng.integers(len(OTHERS))]], 0, int(rng.integers(0, 4))))

    scales = {}

    def program(*inputs):
        values = list(inputs)
        for i, (op, arity, back) in enumerate(steps):
            x = values[-1 - back % len(values)]
            if arity == 1:
                y = op(into(op.domain, x))
            elif arity == 2:
                other = values[-1 - (back + 1) % len(values)]
                if x.shape != other.shape:
                    other = np.mean(other)
                y = op(into(op.domain, x), other)
            else:
                y = op(x)
            if i not in scales:  # decided at the point, once: a program must not look at its own values
                size = np.abs(y).max().item() if 0 < y.size <= 60 else 0.0
                fits = np.isfinite(size) and size > 1e-3  # else the step is left out
                scales[i] = 2.0 ** -max(0, round(np.log2(size)) - 1) if fits else None
            if scales[i] is not None:
                values.append(y * scales[i])
        return values[-1], np.sum(values[len(values) // 2])

    return program, [np.round(rng.normal(size=(rng.integers(1, 4), 3)), 6) for _ in range(rng.integers(1, 4))]


def check(index, seed=0):
    """The report on one random graph; None where the program leaves the real numbers."""
    rng = np.random.default_rng([seed, index])
    program, inputs = random_program(rng)
    with np.errstate(all="ignore"):
        if not all(np.isfinite(y.data).all() for y in program(*map(mg.tensor, inputs))):
            return None
    return mg.gradcheck(program, *inputs, raises=False, seed=index)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    start, counts, ops = time.perf_counter(), collections.Counter(), 0
    index = 0
    while counts["checked"] < arguments.graphs:
        report = check(index, arguments.seed)
        index += 1
        if report is None:
            continue
        counts["checked"] += 1
        ops += report.ops
        counts["with a kink"] += bool(report.kinks)
        counts["with something that can't be told"] += bool(report.inconclusive or report.notes)
        if report.blame:
            counts["false alarms"] += 1
            print(f"graph {index - 1}: {report}")
        elif not report:
            counts["not told" if not report.failures and not report.broken else "false alarms"] += 1
            print(f"graph {index - 1}: {report}")
    print(
        f"{counts['checked']} right graphs, {ops} recorded ops: {counts['false alarms']} false alarms; "
        f"{dict(counts)}; {time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
