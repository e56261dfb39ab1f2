"""The language model as a trial: a small transformer on text drawn by Zipf's law. Needs torch.

Of rules that are of matrices, the model's own matrices are theirs; words, places, scores and
vectors are stepped by AdamW at a fixed rate, as those who train with such rules do.
"""

from __future__ import annotations

import math
import time
from functools import cache

import numpy as np
import torch

from truestep.fast.protocol import Array
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reports import adam_states
from truestep.reports.compare.outcome import Key, Outcome, outcome
from truestep.reports.compare.subjects import Trainer, factors, subject
from truestep.reports.train_8bit import BATCH, CONTEXT, HELD_OUT, Transformer

TOKENS = BATCH * CONTEXT  # of a step
# The rate of AdamW where it steps what a rule of matrices leaves: of the grid's rates, the one that
# is best for AdamW by itself here. With another, the rule would be judged by its company.
BESIDE_RATE = 1e-2
# How many losses a run tells.
_TOLD = 16


@cache
def _text() -> torch.Tensor:
    return torch.from_numpy(adam_states.text(np.random.default_rng(0), 200_000))


def parameters() -> int:
    """Numbers that the model learns."""
    return sum(p.numel() for p in Transformer().parameters())


class _Model:
    """The transformer, and the trainers of its tensors."""

    def __init__(self, key: Key) -> None:
        torch.manual_seed(key.seed)
        self.net = Transformer()
        tensors = dict(self.net.named_parameters())
        chosen = subject(key.rule)
        split = OPTIMIZERS[key.rule].FACTS.matrices
        inner = [n for n, p in tensors.items() if not split or (p.ndim > 1 and "layers" in n)]
        beside = [n for n in tensors if n not in inner]
        self._parts = [
            (Trainer(rule, rate, [tensors[n].detach().numpy() for n in names]), names)
            for rule, rate, names in (
                (chosen, key.rate, inner),
                (subject("adamw"), BESIDE_RATE, beside),
            )
            if names
        ]
        self._tensors = tensors

    def step(self, words: torch.Tensor, factor: float) -> None:
        self.net.zero_grad()
        self.net(words).backward()
        for trainer, names in self._parts:
            grads = [self._tensors[n].grad for n in names]
            trainer.step([g.numpy() for g in grads if g is not None], factor)
            self._set(names, trainer.params)

    def loss(self, held_out: torch.Tensor) -> float:
        """Of the words held out, at what the rules give back."""
        for trainer, names in self._parts:
            self._set(names, trainer.judged())
        with torch.no_grad():
            found = float(self.net(held_out))
        for trainer, names in self._parts:
            self._set(names, trainer.params)
        return found

    def _set(self, names: list[str], values: list[Array]) -> None:
        with torch.no_grad():
            for name, value in zip(names, values, strict=True):
                self._tensors[name].copy_(torch.from_numpy(np.ascontiguousarray(value)))


def _held_out() -> torch.Tensor:
    return _text()[-HELD_OUT:].unfold(0, CONTEXT + 1, CONTEXT)


def _batch(rng: np.random.Generator) -> torch.Tensor:
    words = _text()
    at = rng.integers(0, len(words) - HELD_OUT - CONTEXT, BATCH)
    return words[torch.from_numpy(at[:, None] + np.arange(CONTEXT + 1))]


def cost(key: Key, steps: int = 5) -> tuple[float, float]:
    """Seconds of processor time: of what every run does besides its steps, and of a step."""
    torch.set_num_threads(1)
    model, rng = _Model(key), np.random.default_rng(key.seed)
    model.step(_batch(rng), 1.0)
    start = time.process_time()
    for _ in range(steps):
        model.step(_batch(rng), 1.0)
    stepped = time.process_time()
    model.loss(_held_out())
    return (_TOLD + 1) * (time.process_time() - stepped), (stepped - start) / steps


def run(key: Key, steps: int) -> Outcome:
    """One run; the seed is of the first weights and of the batches, the same for every rule."""
    torch.set_num_threads(1)
    rng, held_out = np.random.default_rng(key.seed), _held_out()
    start = time.process_time()
    model = _Model(key)
    told = {round(steps * (i + 1) / _TOLD) for i in range(_TOLD)}
    curve = [(0, model.loss(held_out))]
    for step, factor in enumerate(factors(steps), 1):
        model.step(_batch(rng), factor)
        if step in told:
            curve.append((step, model.loss(held_out)))
            if not math.isfinite(curve[-1][1]):
                break
    return outcome(curve[-1][1], curve[0][1], time.process_time() - start, curve)
