"""
Second derivatives: Newton's method and a gradient penalty
==========================================================

A gradient is computed by operations, and operations are recorded. So it has a gradient itself. Two uses: a method that knows
the curvature of the valley, and a loss that asks for small slopes.
"""

# %%
# Newton's method
# ---------------
# Rosenbrock's valley is long, bent and flat, the classical test of an optimiser. Newton's step solves
# :math:`H\,\delta = -\nabla f` with the matrix :math:`H` of second derivatives.

import matplotlib.pyplot as plt
import numpy as np
from course import OUT, plot_blobs, plot_probability, xor_blobs

import microgradnd as mg
from microgradnd import nn


def valley(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


start = np.array([-1.2, 1.0])

newton = [start]
while np.linalg.norm(mg.grad(valley)(newton[-1])) > 1e-10:
    x = newton[-1]
    newton.append(x - np.linalg.solve(mg.hessian(valley)(x), mg.grad(valley)(x)))
print(f"Newton: {len(newton) - 1} steps, off by {np.linalg.norm(newton[-1] - 1):.1e}")

descent = [start]
for _ in range(5_000):
    descent.append(descent[-1] - 0.001 * mg.grad(valley)(descent[-1]))
print(f"gradient descent: {len(descent) - 1} steps, off by {np.linalg.norm(descent[-1] - 1):.1e}")

# %%
# Without the matrix
# ------------------
# With many parameters :math:`H` is too large to write down, but its product with a vector costs about as much as a gradient.
# Conjugate gradients need no more than that.


def solve(product, b, n_steps):
    """Conjugate gradients: x with ``product(x) = b``."""
    x, r = np.zeros_like(b), b
    p = r
    for _ in range(n_steps):
        Hp = product(p)
        step = (r @ r) / (p @ Hp)
        x, r_new = x + step * p, r - step * Hp
        p, r = r_new + (r_new @ r_new) / (r @ r) * p, r_new
    return x


x = np.array([1.2, 1.2])
direction = solve(lambda v: mg.hvp(valley, (x,), (v,))[0], -mg.grad(valley)(x), n_steps=2)
exact = np.linalg.solve(mg.hessian(valley)(x), -mg.grad(valley)(x))
print("the same direction without the matrix:", np.allclose(direction, exact))

# %%
# A gradient penalty
# ------------------
# Trained on twelve noisy points, a network makes steep cliffs between them. Asked in addition to keep the slope of its output
# small, at random places of the plane, it changes gently. The penalty contains a gradient, and training takes the gradient
# of that: ``create_graph=True`` records the inner one.

X, y = xor_blobs(n=6, sigma=0.6, seed=3)


def train(penalty):
    model = nn.MLP([2, 32, 32, 1], activation="tanh", seed=0)
    optimizer = nn.Adam(model.parameters(), lr=0.01)
    rng = np.random.default_rng(0)
    for _ in range(400):
        places = mg.tensor(rng.uniform(-2, 2, (64, 2)), requires_grad=True)
        (slope,) = mg.gradients(model(places).sum(), [places], create_graph=True)
        loss = nn.binary_cross_entropy(model(X), y[:, None]) + penalty * (slope**2).sum(axis=1).mean()
        optimizer.zero_grad()
        loss.backward(retain_graph=False)
        optimizer.step()
    return model, np.sqrt((slope.data**2).sum(axis=1)).mean()


fig, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
x1, x2 = np.meshgrid(np.linspace(-1.7, 1.7, 100), np.linspace(-3.5, 4.5, 100))
axes[0].contour(x1, x2, valley([x1, x2]), levels=np.logspace(-1, 3.5, 10), cmap="viridis")
axes[0].plot(*np.array(descent).T, color="C3", label=f"gradient descent, {len(descent) - 1} steps")
axes[0].plot(*np.array(newton).T, "ko-", markersize=4, linewidth=1, label=f"Newton, {len(newton) - 1} steps")
axes[0].set(title="Down Rosenbrock's valley", ylim=(-3.5, 4.5))
axes[0].legend(loc="upper center")
for ax, penalty in zip(axes[1:], [0.0, 0.03], strict=True):
    model, slope = train(penalty)
    accuracy = np.mean((model(X).data[:, 0] > 0) == y)
    print(f"penalty {penalty}: {accuracy:.0%} right, mean slope {slope:.1f}")
    shades = plot_probability(ax, lambda points, model=model: nn.sigmoid(model(points)).data)
    plot_blobs(ax, X, y)
    ax.set_title(f"penalty {penalty}: mean slope {slope:.1f}")
fig.colorbar(shades, ax=axes[2], label="P(red)")
fig.savefig(OUT / "second_derivatives.png")
