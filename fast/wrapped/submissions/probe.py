"""A step whose outcome is known, to tell by values what a task's tensors are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from truestep.fast.peers.torch_tensors import from_tensor
from truestep.fast.protocol import Array, Slot
from truestep.fast.wrapped import trials
from truestep.fast.wrapped.forms import apart
from truestep.fast.wrapped.submissions.asked import Asked
from truestep.fast.wrapped.trials import Named
from truestep.reference.advance import advanced
from truestep.reference.declared import Hyper, fields_of
from truestep.reference.rules import Optimizer

# What a state changes by in a probe that changes at all: more than by being rounded to float32.
_MOVES = 1e-5


@dataclass(frozen=True, slots=True)
class Probe:
    """One step of the reference: all terms alive, and a state that two steps have reached."""

    hyper: Hyper
    slot: Slot
    after: Named

    @classmethod
    def of(cls, rule: Optimizer, asked: Asked, offered: Mapping[str, str]) -> Probe:
        """With numbers of which none removes a term, as far as the task has them."""
        alive = {name: x for name, x in trials.alive(rule).items() if name in offered}
        hyper = rule.Hyper(**{**alive, **asked.capability(offered).fixed, **asked.dialect})
        p, grads = trials.drawn(trials.MATRIX, seed=1)
        rng = np.random.default_rng(2)
        inputs = {name: rng.normal(size=of(p.shape)) for name, of in rule.FACTS.inputs.items()}
        s = rule.init(hyper, p)
        for g in grads[:2]:
            s, p = advanced(rule, hyper, s, p, g, inputs)
        state, others = ({k: _single(x) for k, x in of.items()} for of in (fields_of(s), inputs))
        slot = Slot(p.astype(np.float32), grads[2].astype(np.float32), state, others)
        s, p = advanced(rule, hyper, s, p, grads[2], inputs)
        return cls(hyper, slot, {**fields_of(s), "p": p})

    def kept(self, role: str) -> bool:
        """Whether the step leaves a tensor of the state as it was."""
        return role in self.slot.state and not self.moves(role)

    def moves(self, role: str) -> bool:
        """Whether the step changes a tensor by more than rounding does."""
        return bool(np.any(np.abs(self.after[role] - tensor_of(self.slot, role)) > _MOVES))

    def apart(self, role: str, got: torch.Tensor) -> float:
        """How far a tensor is from the reference's, by its largest number, or p's by its change."""
        due = np.asarray(self.after[role], np.float64)
        array = np.asarray(from_tensor(got.detach().cpu()), np.float64)
        if array.size != due.size:
            return np.inf
        size = np.abs(due - self.slot.param) if role == "p" else np.abs(due)
        return apart(array.reshape(due.shape), due, np.max(size, initial=0.0))


def _single(x: Array) -> Array:
    """In float32; a count stays a count."""
    return x.astype(np.float32) if isinstance(x, np.ndarray) else x


def tensor_of(slot: Slot, role: str) -> Array:
    """A tensor before a step by the rule's name for it."""
    own = {"p": slot.param, "g": slot.grad}
    return np.asarray(own[role] if role in own else {**slot.inputs, **slot.state}[role])
