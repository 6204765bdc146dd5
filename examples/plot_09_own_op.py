"""
Write your own op, and check it
===============================

When NumPy has no function for it, when a formula can be made stabler than its parts, or when you know a slope better: an op is one
entry, a forward and one rule per argument. Backpropagation, second derivatives, the check and the picture come with it.
"""

# %%
# One entry
# ---------
# The Gaussian bump :math:`e^{-x^2/2}`, as in radial-basis networks. The rule is the *vector-Jacobian product*: it gets the gradient ``g`` of
# the output, the output ``y`` and the inputs, and gives the gradient of the input, in plain NumPy.

import matplotlib.pyplot as plt
import numpy as np
from course import OUT

import microgradnd as mg

bump = mg.op(
    lambda x: np.exp(-(x**2) / 2),
    lambda g, y, x: -g * x * y,
    name="bump",
    formula="exp(-{0}² / 2)",
    elementwise=True,
)

x = np.linspace(-4, 4, 201)
print("check, to second order:", bool(mg.gradcheck(bump, x[::20], order=2)))

# %%
# Three derivatives
# -----------------
# The rule is made of operations that record themselves, so it is differentiated like anything else. Nothing but the first
# derivative was typed in:

fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
f = bump
for order in range(4):
    ax.plot(x, f(x), label=["the bump", "first derivative", "second", "third"][order])
    f = mg.grad(lambda x, f=f: np.sum(f(x)))
ax.legend()
fig.savefig(OUT / "own_op.png")

# %%
# The picture knows it, too:

t = mg.tensor([0.5, -1.0], requires_grad=True, name="x")
mg.draw(bump(t).sum())

# %%
# A mistake, found
# ----------------
# Suppose the minus sign were forgotten. The check names op, input, index, and both numbers:

wrong = mg.op(lambda x: np.exp(-(x**2) / 2), lambda g, y, x: g * x * y, name="bump_without_minus", elementwise=True)
try:
    mg.gradcheck(wrong, np.array([0.0, 0.5, -1.0]))
except mg.GradcheckError as error:
    print(error)

# %%
# Two arguments, and options
# --------------------------
# One rule per argument, in order; a gradient that nobody asks for is never computed. Whatever is not differentiated, here the exponent, is a keyword
# option. ``elementwise=True`` lets the inputs broadcast: gradients are summed back over the axes that were stretched.

distance = mg.op(
    lambda a, b, *, p: (np.abs(a) ** p + np.abs(b) ** p) ** (1 / p),
    lambda g, y, a, b, *, p: g * np.sign(a) * (np.abs(a) / y) ** (p - 1),
    lambda g, y, a, b, *, p: g * np.sign(b) * (np.abs(b) / y) ** (p - 1),
    name="distance",
    formula="(|{0}|^{p} + |{1}|^{p})^(1/{p})",
    elementwise=True,
)
a, b = np.array([[0.3], [-1.2]]), np.array([0.8, -0.5, 2.0])
report = mg.gradcheck(distance, a, b, p=3, order=2)
print(f"broadcast (2, 1) with (3,) to {distance(a, b, p=3).shape}; check: {bool(report)}")
