"""CLIP's two towers in plain numpy, one input and one head at a time; slow, and without torch."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
State = dict[str, Array]


def vision(state: State, frame: Array, heads: int, activation: str) -> Array:
    """The embedding [dimension], L2-normalised, of a frame [3, size, size]."""
    kernel = state["visual.conv1.weight"]
    patch = kernel.shape[-1]
    rows = range(0, frame.shape[1], patch)
    patches = [frame[:, y : y + patch, x : x + patch] for y in rows for x in rows]
    tokens = [state["visual.class_embedding"]]
    tokens += [np.tensordot(kernel, each, axes=3) for each in patches]
    x = np.stack(tokens) + state["visual.positional_embedding"]
    x = norm(state, "visual.ln_pre", x)
    x = blocks(state, "visual.", x, heads, activation, causal=False)
    return unit(norm(state, "visual.ln_post", x[:1])[0] @ state["visual.proj"])


def text(state: State, tokens: list[int], heads: int, activation: str) -> Array:
    """The embedding [dimension], L2-normalised, of the tokens of a text, read at the highest."""
    x = state["token_embedding.weight"][tokens] + state["positional_embedding"]
    x = blocks(state, "", x, heads, activation, causal=True)
    x = norm(state, "ln_final", x)
    return unit(x[tokens.index(max(tokens))] @ state["text_projection"])


def blocks(
    state: State, prefix: str, x: Array, heads: int, activation: str, *, causal: bool
) -> Array:
    layer = 0
    while f"{prefix}transformer.resblocks.{layer}.ln_1.weight" in state:
        name = f"{prefix}transformer.resblocks.{layer}"
        x = x + attention(state, f"{name}.attn", norm(state, f"{name}.ln_1", x), heads, causal)
        y = linear(state, f"{name}.mlp.c_fc", norm(state, f"{name}.ln_2", x))
        x = x + linear(state, f"{name}.mlp.c_proj", activate(y, activation))
        layer += 1
    return x


def attention(state: State, name: str, x: Array, heads: int, causal: bool) -> Array:
    parts = x @ state[f"{name}.in_proj_weight"].T + state[f"{name}.in_proj_bias"]
    q, k, v = np.split(parts, 3, axis=1)
    width = q.shape[1] // heads
    found = np.empty_like(q)
    for start in range(0, q.shape[1], width):
        part = slice(start, start + width)
        for token in range(len(x)):
            seen = token + 1 if causal else len(x)
            scores = k[:seen, part] @ q[token, part] / math.sqrt(width)
            weights = np.exp(scores - scores.max())
            found[token, part] = weights @ v[:seen, part] / weights.sum()
    return linear(state, f"{name}.out_proj", found)


def activate(x: Array, activation: str) -> Array:
    if activation == "quick_gelu":
        return x / (1 + np.exp(-1.702 * x))
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def linear(state: State, name: str, x: Array) -> Array:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def norm(state: State, name: str, x: Array) -> Array:
    centred = x - x.mean(axis=1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    return centred / deviation * state[f"{name}.weight"] + state[f"{name}.bias"]


def unit(x: Array) -> Array:
    return x / np.linalg.norm(x)
