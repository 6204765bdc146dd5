"""
Why softmax and cross-entropy give A - y
========================================

Books and notebooks state that for a softmax (or sigmoid) output with cross-entropy the gradient at the output layer is
"prediction minus truth". It is usually derived on paper and then typed in. Here it falls out, and we check it.
"""

# %%
# In parts
# --------
# Two points, three classes. ``z`` are the outputs of the last layer, ``A`` the probabilities, ``y`` the truth, one-hot.

# sphinx_gallery_thumbnail_path = "images/softmax_in_parts.svg"
import numpy as np
from course import OUT

import microgradnd as mg
from microgradnd import nn

y = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
z = mg.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, -0.5]], requires_grad=True, name="z")
e = np.exp(z)
A = e / e.sum(axis=1, keepdims=True)
loss = -(y * np.log(A)).sum()
loss.backward()

drawing = mg.draw(loss)
drawing.save(OUT / "softmax_in_parts.svg")
drawing

# %%
# Exponential, sum, quotient, logarithm, product: a handful of simple slopes, and where they meet at ``z`` they have
# cancelled down to this:

print("dL/dz  =", z.grad.round(4).tolist())
print("A - y  =", (A.data - y).round(4).tolist())
print("equal:", np.allclose(z.grad, A.data - y, rtol=1e-12, atol=1e-14))

# %%
# Why do they cancel? The logarithm's slope at ``A`` is :math:`-y/A`; the softmax passes on
# :math:`A\,(g - \sum_k g_k A_k)` of a gradient :math:`g`. Put one into the other, and use that the :math:`y` of a point sum to one:
#
# .. math:: A_i \Big( -\frac{y_i}{A_i} + \sum_k y_k \Big) = A_i - y_i.
#
# Neither step is to be believed. The check moves every number of ``z`` and compares:


def in_parts(z):
    e = np.exp(z)
    return -(y * np.log(e / e.sum(axis=1, keepdims=True))).sum()


report = mg.gradcheck(in_parts, z.data, order=2)
print("gradient check, first and second derivatives:", bool(report))

# %%
# The sigmoid, too
# ----------------

t = np.array([1.0, 0.0, 1.0])
s = mg.tensor([0.3, -2.0, 4.0], requires_grad=True, name="s")
a = nn.sigmoid(s)
(-(t * np.log(a) + (1 - t) * np.log(1 - a)).sum()).backward()
print("sigmoid: dL/dz equals A - y:", np.allclose(s.grad, a.data - t, rtol=1e-12, atol=1e-14))

# %%
# Why it is one op here
# ---------------------
# Written in parts, the mathematics is right and the arithmetic is not: the exponential of a large number is infinite, and the
# logarithm of a probability too small to store is minus infinity.

large = np.array([[1000.0, 0.0, -1000.0]])
label = np.array([2])
with np.errstate(all="ignore"):
    e = np.exp(large)
    print("in parts:  ", -np.log(e / e.sum())[0, 2])

z = mg.tensor(large, requires_grad=True, name="z")
loss = nn.cross_entropy(z, label)
loss.backward()
print("as one op: ", loss.item(), "with gradient", z.grad.tolist())

# %%
# ``nn.cross_entropy`` takes the logits and shifts them first, so that nothing overflows. It is one box in the picture, and its edge
# says it: the probabilities, less one at the label.

mg.draw(loss)
