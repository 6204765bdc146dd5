"""
One neuron, by hand and on the graph
====================================

A neuron takes numbers in, weighs them, adds a bias, and squashes the sum. Training it needs one thing only: how much
does the loss change when a weight changes a little? This lesson works that out three times, by hand, on the graph,
and by trying, and the three agree.
"""

# %%
# The neuron
# ----------
# One input :math:`x`, one weight :math:`w`, one bias :math:`b`. The neuron says how probable class 1 is,
#
# .. math:: z = w x + b, \qquad a = \sigma(z) = \frac{1}{1 + e^{-z}},
#
# and the loss says how bad that is when the truth is :math:`y = 1`:  :math:`L = -\log a`.

# sphinx_gallery_thumbnail_path = "images/neuron.svg"
import numpy as np
from course import OUT

import microgradnd as mg

x, w, b = 2.0, 0.5, -0.5
z = w * x + b
a = 1 / (1 + np.exp(-z))
L = -np.log(a)
print(f"z = {z:.4f}   a = {a:.4f}   L = {L:.4f}")

# %%
# By hand
# -------
# Start at the end and go back, one operation at a time. Each has a slope of its own; the chain rule multiplies them:
#
# .. math::
#    \frac{dL}{da} = -\frac{1}{a}, \qquad
#    \frac{dL}{dz} = \frac{dL}{da}\, a (1 - a), \qquad
#    \frac{dL}{dw} = \frac{dL}{dz}\, x, \qquad
#    \frac{dL}{db} = \frac{dL}{dz}.

dL_da = -1 / a
dL_dz = dL_da * a * (1 - a)
by_hand = {"w": dL_dz * x, "b": dL_dz}
print(f"by hand:       dL/dw = {by_hand['w']:.6f}   dL/db = {by_hand['b']:.6f}")

# %%
# On the graph
# ------------
# The same lines with tensors. While they run, each result remembers the operation that made it and what went in.
# ``backward`` starts at the loss and goes from result to inputs, exactly as we did.

w = mg.tensor(0.5, requires_grad=True, name="w")
b = mg.tensor(-0.5, requires_grad=True, name="b")
z = w * x + b
a = 1 / (1 + np.exp(-z))
L = -np.log(a)
L.backward()
print(f"on the graph:  dL/dw = {w.grad:.6f}   dL/db = {b.grad:.6f}")
print(f"on the way:    dL/da = {a.grad:.6f}   dL/dz = {z.grad:.6f}")

# %%
# Every tensor on the way keeps its gradient, so that one can look. And one should look:

drawing = mg.draw(L)
drawing.save(OUT / "one_neuron.svg")
drawing

# %%
# The same as text, step by step:

print(mg.explain(L, shapes=False))

# %%
# By trying
# ---------
# What does "changes a little" mean? Try it: move the weight up and down by a small step and see how the loss responds.


def loss(w, b):
    return -np.log(1 / (1 + np.exp(-(w * x + b))))


h = 1e-5
tried = (loss(0.5 + h, -0.5) - loss(0.5 - h, -0.5)) / (2 * h)
print(f"by trying:     dL/dw = {tried:.6f}")

# %%
# ``mg.gradcheck`` does this for every input, with better steps and an estimate of its own error:

report = mg.gradcheck(loss, 0.5, -0.5)
print(f"gradient check passed: {bool(report)}")

# %%
# One step down
# -------------
# The gradient points uphill. A step the other way makes the loss smaller; repeating that is all there is to training.

with mg.no_grad():
    w -= 1.0 * w.grad
    b -= 1.0 * b.grad
print(f"loss before the step: {L.item():.4f}   after: {loss(w.item(), b.item()):.4f}")
