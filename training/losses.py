"""The losses of "Expanding Event Modality Applications through a Robust CLIP-Based Encoder".

Formulas are those of arXiv 2412.03093 and of its released code. Every function is pure: float
tensors in, one number out, in the dtype given (float32 or wider: sums of exponentials do not fit
into 16 bits). N rows of a batch, C prompts, D numbers an embedding; v are f_I(image), e are
f_E(events), t are f_T(prompts). Where a gradient is wanted it flows through every argument that
requires one: freezing a tower is the caller's matter.

Three things that the released code does are not done here: L_ct has a gradient, exponentials of
1 / tau are never taken (all is done on logarithms, so tau = 0.01 is as good as 0.2), and what is
reported as a loss is what is minimised (`total`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from saccade.training.config import LossConfig

SINKHORN_ROUNDS = 3


def l_ct(v: Tensor, e: Tensor, tau: float = 0.2, symmetric: bool = False) -> Tensor:
    """Contrast of images and events (InfoNCE, scaled as in the paper's code).

    2 tau mean_i -log(exp(v^_i.e^_i / tau) / sum_j exp(v^_i.e^_j / tau)), image -> event only; with
    `symmetric` the mean of that and of event -> image.

    Args:
        v, e: float [N, D], pairs row by row; they need not be normalised.
        tau: temperature; the code has 0.02, its parent method ECDP 0.2.
        symmetric: both directions.
    """
    logits = F.normalize(v, dim=1) @ F.normalize(e, dim=1).T / tau
    loss = -logits.log_softmax(dim=1).diagonal().mean()
    if symmetric:
        loss = (loss - logits.log_softmax(dim=0).diagonal().mean()) / 2
    return 2 * tau * loss


def distillation(teacher: Tensor, student: Tensor, temperature: float) -> Tensor:
    """D(a, b) = T^2 CE(softmax(a / T), softmax(b / T)), mean over rows (ZSCL, Zheng et al. 2023).

    Args:
        teacher, student: a and b, logits float [rows, columns].
        temperature: T.
    """
    target = (teacher / temperature).softmax(dim=1)
    logs = (student / temperature).log_softmax(dim=1)
    return -(target * logs).sum(dim=1).mean() * temperature**2


def l_zs(
    v: Tensor, e: Tensor, t: Tensor, temperature: float = 2.0, scale: float = 1 / 0.07
) -> Tensor:
    """Zero-shot consistency: events are to see the prompts as the images do (ZSCL).

    D(A, B) + D(B^T, A^T) with A = s v t^T and B = s e t^T, none of them normalised.

    Args:
        v, e: float [N, D], pairs row by row.
        t: float [C, D], of all prompts.
        temperature: T of D.
        scale: s.
    """
    a, b = scale * v @ t.T, scale * e @ t.T
    return distillation(a, b, temperature) + distillation(b.T, a.T, temperature)


def sinkhorn(logits: Tensor, rounds: int = SINKHORN_ROUNDS) -> Tensor:
    """log of exp(logits) after `rounds` normalisations of its columns, then its rows.

    Ends on the rows: each is the logarithm of a distribution. No exponential of `logits` is ever
    taken, so float32 serves for any temperature (Sinkhorn and Knopp 1967, in the log domain).

    Args:
        logits: float [N, N].
        rounds: the paper has 3.
    """
    for _ in range(rounds):
        logits = logits.log_softmax(dim=0).log_softmax(dim=1)
    return logits


def l_kl(v: Tensor, e: Tensor, tau: float = 0.1) -> Tensor:
    """Events are to be to the images as these are to each other.

    KL(Sinkhorn_3(v^ v^T / tau) || softmax(v^ e^T / tau)), mean over rows, with v^ and e^
    L2-normalised. tau is 0.01 in the code and 0.1 in its parent method ECDP.

    Args:
        v, e: float [N, D], pairs row by row.
        tau: temperature of both.
    """
    v, e = F.normalize(v, dim=1), F.normalize(e, dim=1)
    target = sinkhorn(v @ v.T / tau)
    logs = (v @ e.T / tau).log_softmax(dim=1)
    return (target.exp() * (target - logs)).sum(dim=1).mean()


def l_pred(e: Tensor, target: Tensor) -> Tensor:
    """mean_i (1 - cos(e_i, target_i)): fine-tuning, where target_i = t of the class of i.

    Distillation is the same towards a teacher's embeddings.

    Args:
        e, target: float [N, D], row by row.
    """
    return (1 - F.cosine_similarity(e, target, dim=1)).mean()


@dataclass(frozen=True)
class Features:
    """What the towers give for a batch, not normalised.

    Attributes:
        e: float [N, D], of the events.
        v: float [N, D], of the paired images; None where the data have none.
        t: float [C, D], of all prompts.
        y: int64 [N], the row of `t` of each sample's class.
    """

    e: Tensor
    v: Tensor | None
    t: Tensor
    y: Tensor


def terms(found: Features, settings: LossConfig) -> dict[str, Tensor]:
    """Each loss that has a weight, unweighted, by the weight's name.

    Raises:
        AssertionError: one needs images and there are none (refused with the configuration).
    """
    losses: dict[str, Tensor] = {}
    if settings.pred:
        losses["pred"] = l_pred(found.e, found.t[found.y])
    if settings.needs_images:
        assert found.v is not None, "the losses compare with images, and there are none"
        v, e = found.v, found.e
        if settings.ct:
            losses["ct"] = l_ct(v, e, settings.tau_e, settings.symmetric)
        if settings.zs:
            losses["zs"] = l_zs(v, e, found.t, settings.temperature, settings.scale)
        if settings.kl:
            losses["kl"] = l_kl(v, e, settings.tau_i)
        if settings.distill:
            losses["distill"] = l_pred(e, v)
    return losses


def total(losses: Mapping[str, Tensor], settings: LossConfig) -> Tensor:
    """The weighted sum of all that `terms` gives: what is logged is what is minimised."""
    return torch.stack([getattr(settings, name) * loss for name, loss in losses.items()]).sum()
