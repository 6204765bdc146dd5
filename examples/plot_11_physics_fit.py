"""
Fitting a physical model
========================

A pendulum swings and slows down. From noisy angles, find its length and its friction. The simulation is plain NumPy, written
without a thought of gradients; ``mg.grad`` differentiates through every one of its time steps.
"""

# %%
# The simulation
# --------------
# The angle obeys :math:`\ddot\varphi = -\frac{g}{\ell} \sin\varphi - c\,\dot\varphi`. Each step moves velocity first, then angle.

import matplotlib.pyplot as plt
import numpy as np
from course import OUT
from scipy.optimize import minimize

import microgradnd as mg

dt, n_steps = 0.02, 250


def swing(parameters):
    """Angles over time, for (length in m, friction in 1/s)."""
    length, friction = parameters
    angle, velocity, angles = 2.0, 0.0, []
    for _ in range(n_steps):
        velocity = velocity + dt * (-9.81 / length * np.sin(angle) - friction * velocity)
        angle = angle + dt * velocity
        angles.append(angle)
    return np.stack(angles)


# %%
# The measurement
# ---------------

truth = np.array([1.3, 0.4])
rng = np.random.default_rng(0)
measured = swing(truth) + rng.normal(0, 0.1, n_steps)


def misfit(parameters):
    return np.mean((swing(parameters) - measured) ** 2)


# %%
# The fit
# -------
# A library's optimiser does the searching; it asks for value and gradient, and ``mg.value_and_grad`` gives both from one run. Is a
# gradient through 250 steps right? Ask the check before relying on it.

guess = np.array([1.0, 0.1])
print("gradient check:", bool(mg.gradcheck(misfit, guess)))

fit = minimize(mg.value_and_grad(misfit), guess, jac=True, method="BFGS")
print(f"true:   length {truth[0]:.3f}, friction {truth[1]:.3f}")
print(f"fitted: length {fit.x[0]:.3f}, friction {fit.x[1]:.3f}, after {fit.nfev} simulations")

# %%
# How sure?
# ---------
# At the minimum, the curvature of the misfit says how well the data pin the parameters down: twice the noise variance over the number of points,
# times the inverse Hessian, is their covariance.

covariance = 2 * fit.fun / n_steps * np.linalg.inv(mg.hessian(misfit)(fit.x))
errors = np.sqrt(np.diag(covariance))
print(f"standard errors: length {errors[0]:.4f}, friction {errors[1]:.4f}")

t = dt * np.arange(1, n_steps + 1)
fig, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
ax.plot(t, measured, ".", color="0.6", markersize=3, label="measured")
ax.plot(t, swing(guess), "--", color="C0", label="first guess")
ax.plot(t, swing(fit.x), color="C3", label="fitted")
ax.set(xlabel="time [s]", ylabel="angle [rad]")
ax.legend(ncols=3, loc="upper right")
fig.savefig(OUT / "physics_fit.png")
