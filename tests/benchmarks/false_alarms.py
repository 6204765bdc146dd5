"""Count false alarms of the gradient check over random graphs of right ops.

Each graph is a random program of a few up to two dozen steps over all differentiable elementwise ops of the registry and over
reductions, products, shapes, indices, sorting, joining, convolution, linear algebra and networks' own functions, broadcasting rows,
columns and single numbers against each other. Its inputs, of one to three axes, are ordinary numbers, small integers (so that there
are ties, and kinks right at the point), numbers over many orders of magnitude, or float32. Every op in it is right, so whatever the
check calls wrong is a false alarm.

    python tests/benchmarks/false_alarms.py [--graphs 10000] [--seed 0] [--first 0]
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
    "min": lambda x: np.min(x, axis=0, keepdims=True),
    "prod": lambda x: np.prod(x, axis=-1, keepdims=True),
    "var": lambda x: np.var(x, axis=-1, keepdims=True),
    "std": lambda x: np.std(x, keepdims=True) if x.size > 1 else x,
    "median": lambda x: np.median(x, axis=0, keepdims=True),
    "logsumexp": lambda x: mg.logsumexp(x, axis=-1, keepdims=True),
    "gram": lambda x: x @ np.swapaxes(x, -1, -2),
    "einsum": lambda x: np.einsum("...i,...j->...ij", x, x)[..., 0],
    "outer": lambda x: np.outer(x[..., 0], x[0]),
    "transposed": lambda x: x.T,
    "rolled": lambda x: np.roll(x, 1, axis=-1),
    "rows": lambda x: x[[0, -1, 0]],
    "reversed": lambda x: x[::-1, 1:] if x.shape[1] > 1 else x[::-1],
    "taken along": lambda x: np.take_along_axis(x, np.zeros((1,) * x.ndim, dtype=int), axis=-1),
    "upper half": lambda x: np.triu(x),
    "joined": lambda x: np.concatenate([x, 2 * x], axis=0),
    "stacked": lambda x: np.stack([x[0], np.sin(x[-1])]),
    "padded": lambda x: np.pad(x, 1)[1:],
    "repeated": lambda x: np.repeat(x, 2, axis=-1)[..., :4],
    "summed up": lambda x: np.cumsum(x, axis=-1),
    "multiplied up": lambda x: np.cumprod(x, axis=-1),
    "differences": lambda x: np.diff(x, axis=-1) if x.shape[-1] > 1 else x,
    "sorted": lambda x: np.sort(x, axis=-1),
    "smoothed": lambda x: np.convolve(np.ravel(x), [0.25, 0.5, 0.25]).reshape(1, -1),
    "clip": lambda x: np.clip(x, -0.5, 0.5),
    "where": lambda x: np.where(np.arange(x.shape[-1]) % 2 == 0, x, 3 * x),
    "softmax": lambda x: nn.softmax(x),
    "log_softmax": lambda x: nn.log_softmax(x),
    "norm": lambda x: x / np.sqrt(np.sum(x * x) + 0.1),
    "p-norm": lambda x: np.linalg.norm(x, 3, axis=-1, keepdims=True),
    "length": lambda x: np.linalg.norm(x, axis=-1, keepdims=True),
    "det": lambda x: np.linalg.det(small_square(x)).reshape(1, 1),
    "inv": lambda x: np.linalg.inv(small_square(x)),
    "solve": lambda x: np.linalg.solve(small_square(x), np.sin(small_square(2 * x))),
    "cholesky": lambda x: np.linalg.cholesky(small_square(x)),
    "eigenvalues": lambda x: np.linalg.eigvalsh(small_square(x)).reshape(1, -1),
    "checkpoint": lambda x: mg.checkpoint(lambda x: np.tanh(x) * x)(x),
    "layer norm": lambda x: nn.LayerNorm(x.shape[-1])(x),
}


def small_square(x):
    """A positive definite matrix that depends on all of `x`."""
    rows = np.tanh(x).reshape(-1, x.shape[-1])[:4]
    return rows @ rows.T / x.size + np.eye(len(rows))


KINDS = ["ordinary", "whole", "wide", "float32"]


def random_input(rng, kind):
    """An array of one to three axes, one of them possibly of length 1."""
    x = rng.normal(size=rng.integers(1, 4, 2) if rng.random() < 0.8 else rng.integers(1, 3, rng.choice([1, 3])))
    if kind == "whole":
        return np.round(x)
    if kind == "wide":
        return x * 10.0 ** rng.integers(-5, 5, x.shape)
    return x.astype(np.float32) if kind == "float32" else np.round(x, 6)


def into(domain, x):
    """`x` moved smoothly into the domain of an op."""
    low, high = domain
    if np.isfinite(low) and np.isfinite(high):
        return (low + high) / 2 + 0.4 * (high - low) * np.tanh(x)
    if np.isfinite(low):
        return low + 0.3 + x * x
    return high - 0.3 - x * x if np.isfinite(high) else x


def fit(one, other):
    """Whether two shapes broadcast together."""
    return all(a == b or 1 in (a, b) for a, b in zip(one[::-1], other[::-1], strict=False))


def random_program(rng):
    """A function that draws nothing: each step is a choice made here."""
    steps = []
    for _ in range(rng.integers(2, 13)):
        kind = rng.choice(["unary", "binary", "other"], p=[0.4, 0.3, 0.3])
        if kind == "unary":
            steps.append((UNARY[rng.integers(len(UNARY))], 1, int(rng.integers(0, 4))))
        elif kind == "binary":
            steps.append((BINARY[rng.integers(len(BINARY))], 2, int(rng.integers(0, 4))))
        else:
            steps.append((OTHERS[list(OTHERS)[rng.integers(len(OTHERS))]], 0, int(rng.integers(0, 4))))

    scales = {}

    def program(*inputs):
        values = [x if x.ndim > 1 else np.expand_dims(x, 0) for x in inputs]
        for i, (op, arity, back) in enumerate(steps):
            x = values[-1 - back % len(values)]
            if arity == 1:
                y = op(into(op.domain, x))
            elif arity == 2:
                other = values[-1 - (back + 1) % len(values)]
                if not fit(x.shape, other.shape):
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

    kind = rng.choice(KINDS, p=[0.55, 0.15, 0.15, 0.15])
    return program, [random_input(rng, kind) for _ in range(rng.integers(1, 4))]


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
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first graph, for running parts side by side"
    )
    arguments = parser.parse_args()
    start, counts, ops = time.perf_counter(), collections.Counter(), 0
    index = arguments.first
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
