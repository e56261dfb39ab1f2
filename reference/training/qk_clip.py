"""QK-Clip, weights of queries and keys shrunk where attention's logits grow (Kimi Team 2025).

Rule
    gamma_h = threshold / S_h where S_h > threshold, else 1, for every head h
    W_q = gamma_h^alpha W_q
    W_k = gamma_h^(1 - alpha) W_k

Shapes
    queries, keys: each head's own weights, of one shape by head, any rank, 0-d and empty included.
    logits: S_h, the largest logit of each head over the batch, before the softmax. run: lists of
    all three, to the lists clipped.

Domain
    threshold > 0 and finite; 0 <= alpha <= 1.

Choices
    It follows a step of Muon without Nesterov's momentum, with the scale of root mean squares
    (muon's scale "rms"): both together are MuonClip. It is a piece of its own because it is told
    what the forward pass saw, and because it is of pairs of tensors.
    parts: the "whole" of queries and keys; of latent attention the "rotary" ones, whose queries are
    multiplied by gamma and whose keys, which all heads share, stay.
    nan_logit: nan is not above the threshold and clips nothing ("ignored", the report's text), or
    it makes the weights nan ("spreads": pytorch-optimizer, by the larger of logit and threshold).

Special cases
    Logits up to the threshold, and negative ones, keep every bit. An infinite logit makes the
    weights 0, by an exponent of 0 keeps them. nan in weights stays, and so does inf but for a
    factor of 0. Empty tensors stay empty.

Judged
    The weights by the bounded contract.

Sources
    Kimi Team, "Kimi K2: Open Agentic Intelligence", 2025 (arXiv:2507.20534), algorithm 1.
    pytorch-optimizer 4.1 MuonClip.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Real
from truestep.reference.validation import Array

DIALECTS = {
    "nan_logit": {
        "ignored": "a logit of nan clips nothing",
        "spreads": "a logit of nan makes the weights nan",
    },
    "parts": {
        "whole": "queries and keys share the factor",
        "rotary": "queries take the whole factor, shared keys none",
    },
}
INPUTS = {"keys": "tensors", "logits": "numbers", "queries": "tensors"}
OPTIONAL = ()


class Hyper(declared.Hyper):
    """The largest logit that is left alone, and the queries' share of the factor."""

    threshold: Annotated[float, Real(0.0, open="low", usual=(100.0, 30.0, 1.0, 0.3))] = 100.0
    alpha: Annotated[float, Real(0.0, 1.0, usual=(0.5, 0.25, 0.7, 1.0), edges=(0.0,))] = 0.5
    nan_logit: Literal["ignored", "spreads"] = "ignored"
    parts: Literal["whole", "rotary"] = "whole"


def factor(h: Hyper, logit: Array) -> Array:
    """What the product of queries and keys is to shrink by."""
    if h.nan_logit == "spreads":
        return h.threshold / np.maximum(logit, h.threshold)
    above = logit > h.threshold
    return np.where(above, h.threshold / np.where(above, logit, 1.0), 1.0)


def run(
    h: Hyper, *, queries: Sequence[Array], keys: Sequence[Array], logits: Sequence[Array]
) -> dict[str, Array]:
    """The weights of all heads, each clipped by its own logit."""
    factors = [factor(h, logit) for logit in logits]
    if h.parts == "rotary":
        return {
            "queries": [gamma * w for gamma, w in zip(factors, queries, strict=True)],
            "keys": list(keys),
        }
    return {
        "queries": [gamma**h.alpha * w for gamma, w in zip(factors, queries, strict=True)],
        "keys": [gamma ** (1 - h.alpha) * w for gamma, w in zip(factors, keys, strict=True)],
    }
