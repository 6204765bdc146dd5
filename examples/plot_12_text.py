"""
Text, letter by letter, with attention
======================================

A model that reads a text and guesses the next letter. It looks back at the letters before through *attention*: every place asks
a question, every earlier place offers an answer, and softmax decides who is heard. The text is made here, by a rule, so that one can
tell whether the rule was learnt.
"""

# %%
# A text with a rule
# ------------------
# Words that have nothing to do with each other, but each is said twice: ``mira mira talu talu ...``. To guess the second of a pair, the
# model must find the first and copy it. No letter alone tells.

import matplotlib.pyplot as plt
import numpy as np
from course import OUT

from microgradnd import nn

rng = np.random.default_rng(0)
LENGTH, WIDTH = 20, 32


def write(n_pairs):
    syllables = [consonant + vowel for consonant in "mtlrkns" for vowel in "aiu"]
    words = ["".join(rng.choice(syllables, 2)) for _ in range(n_pairs)]
    return "".join(f"{word} {word} " for word in words)


text = write(3_000)
alphabet = sorted(set(text))
codes = np.array([alphabet.index(letter) for letter in text])
starts = np.arange(0, len(codes) - LENGTH - 1, 10)  # each window starts with a pair
held_out = starts[-200:]
print(text[:60], "...")

# %%
# The model
# ---------
# Letters and places become vectors; a block of attention and a small network refines them; the last layer gives a logit for each
# letter. ``causal`` keeps every place from looking at what comes after.


class Block(nn.Module):
    def __init__(self, seed):
        self.calm = nn.LayerNorm(WIDTH)
        self.attend = nn.MultiHeadAttention(WIDTH, 2, causal=True, seed=seed)
        self.think = nn.Sequential(nn.LayerNorm(WIDTH), nn.MLP([WIDTH, 2 * WIDTH, WIDTH], activation="relu", seed=seed))

    def forward(self, x):
        x = x + self.attend(self.calm(x))
        return x + self.think(x)


class Reader(nn.Module):
    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.letters = nn.Embedding(len(alphabet), WIDTH, seed=rng)
        self.places = nn.Embedding(LENGTH, WIDTH, seed=rng)
        self.block = Block(rng)
        self.out = nn.Sequential(nn.LayerNorm(WIDTH), nn.Dense(WIDTH, len(alphabet), seed=rng))

    def forward(self, letters):
        x = self.letters(letters) + self.places(np.arange(letters.shape[1]))
        return self.out(self.block(x))


model = Reader(seed=0)
print(f"{sum(p.size for p in model.parameters()):,} parameters")

# %%
# Training
# --------


def window(starts):
    """Letters, and for each of them the one that follows."""
    places = starts[:, None] + np.arange(LENGTH + 1)
    return codes[places[:, :-1]], codes[places[:, 1:]]


def loss_of(letters, following):
    return nn.cross_entropy(model(letters).reshape(-1, len(alphabet)), following.ravel())


optimizer = nn.Adam(model.parameters(), lr=3e-3)
losses = []
for _ in range(300):
    loss = loss_of(*window(rng.choice(starts[:-200], 32)))
    optimizer.zero_grad()
    loss.backward(retain_graph=False)
    nn.clip_grad_norm(model.parameters(), 1.0)
    optimizer.step()
    losses.append(loss.item())
print(f"loss: {losses[0]:.2f} at first, {np.mean(losses[-20:]):.2f} at last")

# %%
# Has it learnt the rule?
# -----------------------
# On text it never saw, letter by letter: the first word of a pair can't be guessed, the second can be copied.

letters, following = window(held_out)
right = model(letters).data.argmax(axis=-1) == following
place = (held_out[:, None] + 1 + np.arange(LENGTH)) % 10
first, second = right[place < 4].mean(), right[(place >= 5) & (place < 9)].mean()
print(f"first word of a pair: {first:.0%} of letters right; second: {second:.0%}")

# %%
# Give it the beginning of a pair and let it go on:

told = "kuli "
letters = [alphabet.index(letter) for letter in told]
for _ in range(5):
    logits = model(np.array([letters])).data[0, -1]
    letters.append(int(logits.argmax()))
print(f"{told!r} goes on: {''.join(alphabet[i] for i in letters)!r}")

fig, (ax, bars) = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
ax.plot(losses, color="0.4", linewidth=0.7)
ax.set(xlabel="step", ylabel="loss", title="Learning to read")
shares = [right[place == i].mean() for i in range(10)]
bars.bar(range(10), shares, color=["0.7"] * 5 + ["C3"] * 5)
bars.set(xticks=range(10), xticklabels=list("mira mira "), ylabel="guessed right", title="The second word is copied")
fig.savefig(OUT / "text.png")
