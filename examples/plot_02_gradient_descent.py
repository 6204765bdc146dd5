"""
Gradient descent on a perceptron
================================

A perceptron with two inputs separates the plane by a straight line. Here it learns, from a random start, which points
lie in the lower left, and we watch its path across the landscape of the loss.
"""

# %%
# The data
# --------
# Four clouds of points; class 1 is the cloud in the lower left.

import matplotlib.pyplot as plt
import numpy as np
from course import OUT, plot_blobs, plot_probability, xor_blobs

import microgradnd as mg
from microgradnd import nn

X, _ = xor_blobs()
y = ((X[:, 0] < 0) & (X[:, 1] < 0)).astype(int)

# %%
# Training is four lines
# ----------------------
# ``nn.binary_cross_entropy`` takes the sum :math:`z` itself (the *logit*) and applies the sigmoid inside, where it can
# be kept from overflowing. Each step: compute, go backward, move the parameters a little downhill, forget the gradients.

rng = np.random.default_rng(3)
w = mg.tensor(rng.uniform(-1, 1, 2), requires_grad=True, name="w")
b = mg.tensor(0.0, requires_grad=True, name="b")

path, losses = [w.data.copy()], []
for _ in range(100):
    batch = rng.choice(len(X), 8, replace=False)
    loss = nn.binary_cross_entropy(X[batch] @ w + b, y[batch])
    loss.backward()
    with mg.no_grad():
        w -= 1.0 * w.grad
        b -= 1.0 * b.grad
    w.zero_grad()
    b.zero_grad()
    path.append(w.data.copy())
    losses.append(loss.item())

accuracy = np.mean(((X @ w.data + b.data) > 0) == y)
print(f"loss: {losses[0]:.3f} at first, {losses[-1]:.3f} after 100 steps")
print(f"accuracy: {accuracy:.0%}")

# %%
# What happened
# -------------
# Left: the loss of each mini-batch. Middle: the landscape over the two weights (at the final bias), with the path taken.
# Right: where the perceptron draws its line.

path = np.array(path)
fig, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
left.plot(losses, color="black", linewidth=1)
left.set(xlabel="step", ylabel="loss of the batch", title="It learns")

w1, w2 = np.meshgrid(np.linspace(-6, 2, 60), np.linspace(-6, 2, 60))
logits = np.stack([w1, w2], axis=-1) @ X.T + b.data
landscape = np.mean(np.logaddexp(0, logits) - y * logits, axis=-1)
shades = middle.contourf(w1, w2, landscape, levels=20, cmap="viridis")
middle.plot(*path.T, color="white", linewidth=1, marker=".", markersize=3)
middle.set(xlabel="$w_1$", ylabel="$w_2$", title="The way down")
fig.colorbar(shades, ax=middle, label="loss")

plot_probability(right, lambda points: nn.sigmoid(points @ w.data + b.data))
plot_blobs(right, X, y)
right.set_title(f"Its line: {accuracy:.0%} right")
fig.savefig(OUT / "gradient_descent.png")
