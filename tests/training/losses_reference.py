"""The losses again in plain numpy, for N, C and D of a few: loops, and nothing shared with ours."""

from __future__ import annotations

import numpy as np


def unit(row):
    return row / np.sqrt(np.sum(row * row))


def log_sum_exp(values):
    largest = np.max(values)
    return largest + np.log(np.sum(np.exp(values - largest)))


def softmax(values):
    return np.exp(values - log_sum_exp(values))


def l_ct(v, e, tau=0.2, symmetric=False):
    v, e = [unit(row) for row in v], [unit(row) for row in e]
    n = len(v)
    there = [
        log_sum_exp([v[i] @ e[j] / tau for j in range(n)]) - v[i] @ e[i] / tau for i in range(n)
    ]
    back = [
        log_sum_exp([v[j] @ e[i] / tau for j in range(n)]) - v[i] @ e[i] / tau for i in range(n)
    ]
    mean = np.mean(there + back) if symmetric else np.mean(there)
    return 2 * tau * mean


def d(a, b, temperature):
    rows = []
    for teacher, student in zip(a, b, strict=True):
        p, q = softmax(teacher / temperature), softmax(student / temperature)
        rows.append(-sum(x * np.log(y) for x, y in zip(p, q, strict=True)))
    return temperature**2 * np.mean(rows)


def l_zs(v, e, t, temperature=2.0, scale=1 / 0.07):
    a = np.array([[scale * (x @ y) for y in t] for x in v])
    b = np.array([[scale * (x @ y) for y in t] for x in e])
    return d(a, b, temperature) + d(b.T, a.T, temperature)


def sinkhorn(logits):
    """On plain numbers, less the largest, as a textbook has it."""
    q = np.exp(logits - logits.max())
    for _ in range(3):
        q = q / q.sum(axis=0, keepdims=True)
        q = q / q.sum(axis=1, keepdims=True)
    return q


def l_kl(v, e, tau=0.1):
    v, e = [unit(row) for row in v], [unit(row) for row in e]
    n = len(v)
    target = sinkhorn(np.array([[v[i] @ v[j] / tau for j in range(n)] for i in range(n)]))
    rows = []
    for i in range(n):
        q = softmax(np.array([v[i] @ e[j] / tau for j in range(n)]))
        rows.append(sum(p * (np.log(p) - np.log(x)) for p, x in zip(target[i], q, strict=True)))
    return np.mean(rows)


def l_pred(e, target):
    return np.mean([1 - unit(a) @ unit(b) for a, b in zip(e, target, strict=True)])
