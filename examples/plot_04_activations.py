"""
What an activation does
=======================

The same network, the same blobs, the same start, three times, each with another function in its hidden layer. The picture shows
the function above and the boundary it makes below.
"""

# %%
# The network
# -----------
# Two inputs, one hidden layer of three units, two outputs for the two classes; softmax turns the outputs into probabilities,
# inside ``nn.cross_entropy``. The settings are the notebook's: weights uniform in [-1, 1], batches of 32, learning rate 0.1,
# 10,000 steps, seed 159.

import matplotlib.pyplot as plt
import numpy as np
from course import OUT, plot_blobs, plot_probability, xor_blobs

import microgradnd as mg
from microgradnd import nn

X, y = xor_blobs()


def train(activation):
    random = np.random.RandomState(159)
    model = nn.MLP([2, 3, 2], activation=activation)
    for p in model.parameters():
        p.data = random.uniform(-1, 1, p.shape)
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    for _ in range(10_000):
        batch = random.choice(len(X), 32, replace=False)
        loss = nn.cross_entropy(model(X[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward(retain_graph=False)
        optimizer.step()
    return model


# %%
# Function above, boundary below
# ------------------------------
# The slope of each function, dashed, is not typed in anywhere: ``mg.grad`` takes it from the function.

fig, axes = plt.subplots(2, 3, figsize=(10, 6.5), layout="constrained", sharex="row", sharey="row")
t = np.linspace(-5, 5, 201)
for activation, above, below in zip([nn.sigmoid, nn.tanh, nn.relu], *axes, strict=True):
    model = train(activation)
    accuracy = np.mean(model(X).data.argmax(axis=1) == y)
    print(f"{activation.name:8s} {accuracy:.0%} right")

    above.axhline(0, color="black", linewidth=0.5)
    above.axvline(0, color="black", linewidth=0.5)
    above.plot(t, activation(t), color="C3", linewidth=3, label=r"$\phi$")
    above.plot(
        t, mg.grad(lambda t, phi=activation: phi(t).sum())(t), color="black", linestyle="--", label=r"$\phi\prime$"
    )
    above.set(title=activation.name, xlabel="$z$", ylim=(-1.2, 3))
    above.legend()

    shades = plot_probability(below, lambda points, model=model: nn.softmax(model(points)).data[:, 1])
    plot_blobs(below, X, y)
    below.set_title(f"{accuracy:.0%} right")
fig.colorbar(shades, ax=axes[1], label="P(red)")
fig.savefig(OUT / "activations.png")
