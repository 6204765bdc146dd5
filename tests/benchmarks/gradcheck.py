"""Time the gradient check of a network's parameters against checks that build whole Jacobians.

All check the same gradients: mean cross-entropy of a 64-10-10 tanh network on a batch of 32, its 760 parameters. The full
Jacobian check is what `torch.autograd.gradcheck` does, written down in NumPy: two calls of the function per input element
at a fixed step, one backward per output element, then all matrices compared; here with the scalar loss as output, and with the
320 logits. With PyTorch installed its own check is timed too.

    python tests/benchmarks/gradcheck.py [--rounds 5]
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse  # noqa: E402
import time  # noqa: E402
from statistics import median  # noqa: E402

import numpy as np  # noqa: E402

import microgradnd as mg  # noqa: E402
import microgradnd.nn as nn  # noqa: E402

SIZES, BATCH = [64, 10, 10], 32


def full_jacobian_check(f, arrays, eps=1e-6, rtol=1e-3, atol=1e-5):
    """Numeric and analytic Jacobian of every input, element by element."""
    tensors = [mg.tensor(a, requires_grad=True) for a in arrays]
    y = f(*tensors)
    for i, a in enumerate(arrays):
        numeric = np.empty((a.size, y.size))
        for k in range(a.size):
            sides = []
            for sign in (1, -1):
                moved = [b.copy() for b in arrays]
                moved[i].flat[k] += sign * eps
                sides.append(f(*map(mg.tensor, moved)).data.ravel())
            numeric[k] = (sides[0] - sides[1]) / (2 * eps)
        analytic = np.empty_like(numeric)
        for j in range(y.size):
            seed = np.zeros(y.shape)
            seed.flat[j] = 1
            analytic[:, j] = mg.gradients(y, [tensors[i]], seed)[0].data.ravel()
        if not np.allclose(analytic, numeric, rtol, atol):
            raise AssertionError(f"Jacobian mismatch for input {i}")


def torch_check(X, t, arrays):
    """The same by PyTorch's own check, if it is installed."""
    try:
        import torch
    except ImportError:
        return None

    def loss(W0, b0, W1, b1):
        z = torch.tanh(torch.from_numpy(X) @ W0 + b0) @ W1 + b1
        return torch.nn.functional.cross_entropy(z, torch.from_numpy(t))

    tensors = [torch.from_numpy(a).requires_grad_() for a in arrays]
    return lambda: torch.autograd.gradcheck(loss, tensors)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    rng = np.random.default_rng(0)
    X, t = rng.normal(size=(BATCH, SIZES[0])), rng.integers(0, SIZES[-1], BATCH)
    model = nn.MLP(SIZES, activation="tanh", seed=0)
    arrays = [p.data.copy() for p in model.parameters()]

    def logits(W0, b0, W1, b1):
        return np.tanh(X @ W0 + b0) @ W1 + b1

    ways = {
        "ours, nn.gradcheck: random directions, and every op by itself": lambda: nn.gradcheck(
            model, nn.cross_entropy, X, t
        ),
        "ours, every element too": lambda: mg.gradcheck(
            lambda *p: nn.cross_entropy(logits(*p), t), *arrays, exhaustive=True
        ),
        "full Jacobian of the loss": lambda: full_jacobian_check(lambda *p: nn.cross_entropy(logits(*p), t), arrays),
        "full Jacobian of the 320 logits": lambda: full_jacobian_check(logits, arrays),
        "torch.autograd.gradcheck of the loss": torch_check(X, t, arrays),
    }
    times = {name: [] for name, way in ways.items() if way is not None}
    for _ in range(rounds):
        for name in times:
            start = time.process_time()
            ways[name]()
            times[name].append(time.process_time() - start)
    for name, taken in times.items():
        print(f"{median(taken) * 1e3:9.1f} ms  {name}")


if __name__ == "__main__":
    main()
