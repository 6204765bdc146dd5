"""
Backpropagation, step by step
=============================

A network is a longer chain than a neuron, and its steps are matrix products. Nothing else is new. Here is a network's forward
pass, then its backward pass, first as a picture, then as text, then as a page that plays.
"""

# %%
# Forward
# -------
# A network with ten hidden units and random weights, on all hundred points at once. Rows are points: ``X`` is (100, 2), the hidden
# layer (100, 10), the output (100, 1).

import matplotlib.pyplot as plt
import numpy as np
from course import OUT, xor_blobs

import microgradnd as mg
from microgradnd import nn

X, y = xor_blobs()
hidden, output = np.random.RandomState(1342), np.random.RandomState(473)
W_hidden = mg.tensor(hidden.normal(size=(2, 10)), requires_grad=True, name="W_hidden")
b_hidden = mg.tensor(hidden.normal(size=(1, 10)), requires_grad=True, name="b_hidden")
W_output = mg.tensor(output.normal(size=(10, 1)), requires_grad=True, name="W_output")
b_output = mg.tensor(output.normal(size=(1, 1)), requires_grad=True, name="b_output")

A_hidden = nn.sigmoid(X @ W_hidden + b_hidden)
A_output = nn.sigmoid(A_hidden @ W_output + b_output)
print(f"hidden {A_hidden.shape}, output {A_output.shape}")
print(f"outputs between {A_output.data.min():.3f} and {A_output.data.max():.3f}: all below one half")

fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.hist(A_output.data.ravel(), np.linspace(0, 1, 20))
ax.axvline(0.5, color="C3", linestyle="--")
ax.set(xlabel="output", ylabel="points", title="An untrained network calls everything blue")
fig.savefig(OUT / "untrained.png")

# %%
# Those four lines recorded this graph:

mg.draw(A_output, grads=False)

# %%
# Backward, small enough to see
# -----------------------------
# Three hidden units, two points, one loss. Each edge carries the local derivative; what flows along it, from the loss to the left, is
# the gradient so far times that derivative, as a matrix product where the forward step was one.

rng = np.random.default_rng(0)
W1 = mg.tensor(rng.normal(size=(2, 3)).round(1), requires_grad=True, name="W1")
b1 = mg.tensor(np.zeros(3), requires_grad=True, name="b1")
W2 = mg.tensor(rng.normal(size=(3, 1)).round(1), requires_grad=True, name="W2")
b2 = mg.tensor(np.zeros(1), requires_grad=True, name="b2")
x = np.array([[-1.0, 1.0], [1.0, 1.0]])
target = np.array([[0.0], [1.0]])

A1 = np.tanh(x @ W1 + b1)
A2 = nn.sigmoid(A1 @ W2 + b2)
loss = ((A2 - target) ** 2).mean()
loss.backward()

drawing = mg.draw(loss)
drawing.save(OUT / "backpropagation.svg")
drawing

# %%
# The rules, checked
# ------------------
# For a layer :math:`Z = A W + b` the textbook has three rules:
#
# .. math::
#    \frac{dL}{dW} = A^T \frac{dL}{dZ}, \qquad
#    \frac{dL}{db} = \sum_{\text{points}} \frac{dL}{dZ}, \qquad
#    \frac{dL}{dA} = \frac{dL}{dZ} W^T.
#
# Every tensor on the way has kept its gradient, so we can hold them against it:

dZ2 = A2.grad * A2.data * (1 - A2.data)
print("dL/dW2 = A1ᵀ dL/dZ2:", np.allclose(W2.grad, A1.data.T @ dZ2))
print("dL/db2 = Σ dL/dZ2:  ", np.allclose(b2.grad, dZ2.sum(0)))
print("dL/dA1 = dL/dZ2 W2ᵀ:", np.allclose(A1.grad, dZ2 @ W2.data.T))

# %%
# The first steps back in words; ``print(mg.explain(loss))`` gives all of them:

text = mg.explain(loss)
print(text[text.index("Backward") :][:1500], "...")

# %%
# The player
# ----------
# The same as one HTML file that needs no network: step through both passes with the arrow keys, and watch gradients arrive.

player = drawing.save(OUT / "backpropagation.html")
print("open", player.relative_to(OUT.parent))
