"""
A backward pass that is slightly wrong
======================================

The notebook this project grew from wrote its backward pass by hand. It trains, its pictures look right, and its gradients are
wrong. This lesson rebuilds that arithmetic and lets the gradient check find the mistake.
"""

# %%
# The notebook's arithmetic
# -------------------------
# For each layer from the last to the first: compute ``dW`` and ``db``, *update the layer*, then propagate ``dZ`` through its
# weights to the layer below. Here it is for a network of two layers, sigmoid and softmax, as the rule of an op: given
# the gradient ``g`` of the loss, it returns one for every input.

import matplotlib.pyplot as plt
import numpy as np
from course import OUT, xor_blobs

import microgradnd as mg
from microgradnd import nn

X, labels = xor_blobs()
y = np.eye(2)[labels]


def forward(W0, b0, W1, b1):
    """Mean cross-entropy of the network on the blobs."""
    A0 = nn.sigmoid(X @ W0 + b0)
    return nn.cross_entropy(A0 @ W1 + b1, y)


def backward(W0, b0, W1, b1, lr):
    """The notebook's backward pass: each layer is updated before the gradient is taken through it."""
    A0 = nn.sigmoid(X @ W0 + b0)
    n = len(X)
    dZ = nn.softmax(A0 @ W1 + b1) - y
    dW1, db1 = A0.T @ dZ / n, dZ.sum(axis=0) / n
    W1 = W1 - lr * dW1  # the update, too early
    dZ = dZ @ W1.T * A0 * (1 - A0)  # so this W1 is not the one that computed the loss
    return X.T @ dZ / n, dZ.sum(axis=0) / n, dW1, db1


def notebook_network(lr):
    return mg.op(
        lambda W0, b0, W1, b1: np.asarray(forward(W0, b0, W1, b1)),
        vjp=lambda g, loss, W0, b0, W1, b1: tuple(g * d for d in backward(W0, b0, W1, b1, lr)),
        name="notebook_network",
    )


# %%
# Reading it, would you have noticed? Training doesn't show it: the direction is still downhill, only not quite the steepest.
#
# The check
# ---------

random = np.random.RandomState(159)
point = [random.uniform(-1, 1, shape) for shape in [(2, 3), 3, (3, 2), 2]]

report = mg.gradcheck(notebook_network(lr=0.1), *point, raises=False)
print(f"right: {bool(report)}")
print(report)

# %%
# It names the inputs whose gradients are wrong, those of the *first* layer, with index, analytic and numeric value. The last layer's are
# right. Whatever is wrong happens between the two, and there is only one line there.
#
# How wrong?
# ----------
# The error grows with the learning rate, since the early update does. A gradient has no business depending on the learning rate.

true = mg.grad(forward, argnums=(0, 1, 2, 3))(*point)


def relative_error(lr):
    wrong = backward(*point, lr)
    return np.linalg.norm(wrong[0] - true[0]) / np.linalg.norm(true[0])


rates = np.logspace(-4, 1, 30)
errors = [relative_error(lr) for lr in rates]
print(
    f"relative error of the first layer's gradient: {relative_error(0.1):.1%} at lr 0.1, {relative_error(1.0):.1%} at lr 1"
)

fig, ax = plt.subplots(figsize=(5, 3.4), layout="constrained")
ax.loglog(rates, errors, color="C3")
ax.set(xlabel="learning rate", ylabel="relative error of dL/dW0", title="An error that shrinks out of sight")
fig.savefig(OUT / "wrong_backward.png")

# %%
# The cure
# --------
# Take the gradient through the weights first, update after. With the update left out of ``backward`` the check passes:

report = mg.gradcheck(notebook_network(lr=0.0), *point)
print(f"right: {bool(report)}")

# %%
# Or write no backward pass at all:

report = mg.gradcheck(forward, *point, order=2)
print(f"right, second derivatives too: {bool(report)}")
