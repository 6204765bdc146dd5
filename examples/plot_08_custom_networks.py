"""
Building a network in code
==========================

A network is a class with parts and a ``forward``. What the forward does is up to you: a detour around a layer, one layer used
twice, two outputs. Nothing is declared for the backward pass; it follows the graph that the forward has recorded.
"""

# %%
# A residual network
# ------------------
# Each block adds to its input instead of replacing it: ``x + f(x)``. Gradients then have a way around the block, and depth costs
# little. To see it, look at the gradient that arrives at the first of twenty layers, with and without the detour.

import matplotlib.pyplot as plt
import numpy as np
from course import OUT, plot_blobs, plot_probability, xor_blobs

import microgradnd as mg
from microgradnd import nn

X, y = xor_blobs()


class Deep(nn.Module):
    def __init__(self, depth, residual, seed):
        rng = np.random.default_rng(seed)
        self.enter = nn.Dense(2, 16, seed=rng)
        self.blocks = [nn.Dense(16, 16, "tanh", init=small, seed=rng) for _ in range(depth)]
        self.leave = nn.Dense(16, 2, seed=rng)
        self.residual = residual

    def forward(self, x):
        x = self.enter(x)
        for block in self.blocks:
            x = x + block(x) if self.residual else block(x)
        return self.leave(x)


def small(shape, rng):
    return rng.normal(0, 0.1, shape)


def arriving(model):
    """The norm of the gradient at the weights of each block."""
    nn.cross_entropy(model(X), y).backward()
    return [np.linalg.norm(block.W.grad) for block in model.blocks]


plain, residual = (arriving(Deep(20, detour, seed=0)) for detour in (False, True))
print(f"gradient at the first block: {plain[0]:.1e} plain, {residual[0]:.1e} residual")

fig, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
ax.semilogy(range(1, 21), plain, "o-", label="plain")
ax.semilogy(range(1, 21), residual, "s-", label="residual")
ax.set(xlabel="block", ylabel="norm of dL/dW", xticks=[1, 5, 10, 15, 20], title="What arrives at each block")
ax.legend()
fig.savefig(OUT / "residual.png")

# %%
# It trains, too:


def train(model, loss_of, lr, n_steps):
    optimizer = nn.Adam(model.parameters(), lr=lr)
    for _ in range(n_steps):
        loss = loss_of(model)
        optimizer.zero_grad()
        loss.backward(retain_graph=False)
        optimizer.step()
    return loss.item()


model = Deep(20, residual=True, seed=0)
train(model, lambda m: nn.cross_entropy(m(X), y), lr=0.01, n_steps=100)
print(f"residual network of 22 layers: {np.mean(model(X).data.argmax(axis=1) == y):.0%} right")

# %%
# One layer, used twice
# ---------------------
# Two points are alike if they have the same colour. Both go through *the same* encoder, and the distance of the codes decides. The encoder's
# weights are one set of parameters that the graph reaches along two ways; their gradients add up, as the chain rule wants.


class Twins(nn.Module):
    def __init__(self, seed):
        self.encoder = nn.MLP([2, 8, 2], activation="tanh", seed=seed)
        self.threshold = mg.tensor(1.0, requires_grad=True, name="threshold")

    def forward(self, pair):
        left, right = pair
        difference = self.encoder(left) - self.encoder(right)
        return self.threshold - (difference**2).sum(axis=1)  # a logit: above 0 for "alike"


rng = np.random.default_rng(0)
left, right = rng.integers(0, 100, (2, 400))
alike = (y[left] == y[right]).astype(int)
twins = Twins(seed=1)
train(twins, lambda m: nn.binary_cross_entropy(m((X[left], X[right])), alike), lr=0.02, n_steps=300)
print(f"parameters of the twins: {[name for name, _ in twins.named_parameters()]}")
print(f"alike or not: {np.mean((twins((X[left], X[right])).data > 0) == alike):.0%} right")

# %%
# ``nn.gradcheck`` names each parameter, and confirms the sum of the two ways:

report = nn.gradcheck(twins, nn.binary_cross_entropy, (X[left[:10]], X[right[:10]]), alike[:10])
print("gradient check:", bool(report))

# %%
# Two heads
# ---------
# One trunk, two questions: which colour, and how far from the origin? Two losses are added, and the trunk gets the gradients of both.


class TwoHeads(nn.Module):
    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.trunk = nn.MLP([2, 16, 16], activation="tanh", seed=rng)
        self.colour = nn.Dense(16, 2, seed=rng)
        self.distance = nn.Dense(16, 1, seed=rng)

    def forward(self, x):
        features = np.tanh(self.trunk(x))
        return self.colour(features), self.distance(features)


distance = np.linalg.norm(X, axis=1, keepdims=True)


def both(model):
    colour, far = model(X)
    return nn.cross_entropy(colour, y) + nn.mse_loss(far, distance)


heads = TwoHeads(seed=0)
train(heads, both, lr=0.01, n_steps=300)
colour, far = heads(X)
print(f"colour: {np.mean(colour.data.argmax(axis=1) == y):.0%} right")
print(f"distance: off by {np.sqrt(np.mean((far.data - distance) ** 2)):.3f} (root mean square)")

mg.draw(both(heads)).save(OUT / "two_heads.svg")
fig, ax = plt.subplots(figsize=(4.5, 4), layout="constrained")
shades = plot_probability(ax, lambda points: nn.softmax(heads(points)[0]).data[:, 1])
plot_blobs(ax, X, y)
fig.colorbar(shades, ax=ax, label="P(red)")
fig.savefig(OUT / "two_heads.png")
