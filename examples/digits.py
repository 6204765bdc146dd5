"""Learn handwritten digits, and look at it: training curve, confusion matrices, the graph of one step.

Trains the smallest network that is worth it, 64-10-10 with sigmoid hidden units and softmax cross-entropy, on
scikit-learn's 1,797 images of 8 x 8 pixels: 20,000 steps of 32 images each at a learning rate of 0.01.

    python examples/digits.py [--steps 20000] [--out out]
"""

import argparse
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
from sklearn.datasets import load_digits
from tqdm import tqdm

import microgradnd as mg
from microgradnd import nn
from microgradnd.nn import plots

BATCH, LR = 32, 0.01


def load_split():
    """Images, labels, and which 70 % of them are for training, drawn with legacy seed 1827."""
    digits = load_digits()
    np.random.seed(1827)
    train = np.random.choice(len(digits.data), int(0.7 * len(digits.data)), replace=False)
    test = np.setdiff1d(np.arange(len(digits.data)), train)
    return digits.data, digits.target, train, test


def build_network():
    """64-10-10 with all weights drawn from uniform(-1, 1) with legacy seed 2130, layer by layer, bias after weights."""
    np.random.seed(2130)
    model = nn.MLP([64, 10, 10], activation="sigmoid")
    for layer in model.layers:
        layer.W.data = np.random.uniform(-1, 1, size=layer.W.shape)
        layer.b.data = np.random.uniform(-1, 1, size=(1, layer.n_out))[0]
    return model


def train(model, X, y, steps):
    """Plain stochastic gradient descent; a loop that shows all there is to it. Gives the loss of each step."""
    optimizer = nn.SGD(model.parameters(), lr=LR)
    losses = np.empty(steps)
    for step in tqdm(range(steps), disable=None, unit="step"):
        rows = np.random.choice(len(X), BATCH, replace=False)
        loss = nn.cross_entropy(model(X[rows]), y[rows])
        losses[step] = loss.item()
        optimizer.zero_grad()
        loss.backward(retain_graph=False)
        optimizer.step()
        if step % (steps // 5 or 1) == 0:
            tqdm.write(f"step {step:6d}   loss {losses[step]:.3f}")
    return losses


def time_a_step(model, X, y, repeat=300):
    """Microseconds of forward, backward and update, the batch given: the median of `repeat`."""
    optimizer = nn.SGD(model.parameters(), lr=0.01)
    before, times = model.state_dict(), []
    for _ in range(repeat):
        start = time.perf_counter()
        loss = nn.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward(retain_graph=False)
        optimizer.step()
        times.append(time.perf_counter() - start)
    model.load_state_dict(before)
    return 1e6 * float(np.median(times))


def draw_training(losses, model, X, y, parts, path):
    """The loss of each step, and what is taken for what in training and test."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(16, 5), layout="constrained")
    plots.plot_batch_losses(losses, ax=axes[0]).set_title("training loss")
    for ax, (name, rows) in zip(axes[1:], parts.items(), strict=True):
        plots.plot_confusion_matrix(model, X[rows], y[rows], title=name, ax=ax)
    figure.savefig(path, dpi=120)


def draw_step(model, X, y, path):
    """The graph of the loss of one step, with values and gradients."""
    x = mg.tensor(X, name="images")
    loss = nn.cross_entropy(model(x), y)
    loss.backward()
    mg.draw(loss).save(path)


def main(steps, out):
    out.mkdir(parents=True, exist_ok=True)
    X, y, train_rows, test_rows = load_split()
    model = build_network()
    print(f"{len(train_rows)} images to train on, {len(test_rows)} to test on; {steps} steps of {BATCH} images")

    start = time.perf_counter()
    losses = train(model, X[train_rows], y[train_rows], steps)
    each = 1e6 * (time.perf_counter() - start) / steps
    alone = time_a_step(model, X[train_rows[:BATCH]], y[train_rows[:BATCH]])
    print(f"{alone:.0f} us a step (forward, backward, update), {each:.0f} us with drawing the batch and the bar")

    parts = {"training": train_rows, "test": test_rows}
    for name, rows in parts.items():
        print(f"{name} accuracy {np.mean(nn.predict(model, X[rows]).argmax(axis=1) == y[rows]):.1%}")

    draw_training(losses, model, X, y, parts, out / "digits_training.png")
    draw_step(model, X[train_rows[:BATCH]], y[train_rows[:BATCH]], out / "digits_graph.svg")
    print(f"wrote {out / 'digits_training.png'} and {out / 'digits_graph.svg'}")
    print("To go further: scale the images (X / 16), try nn.fit with nn.Adam, more hidden units and relu;")
    print("python examples/digits_best.py gets above 98.5 %.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--out", type=Path, default=Path("out"))
    main(**vars(parser.parse_args()))
