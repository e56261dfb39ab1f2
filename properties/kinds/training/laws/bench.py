"""What the laws of training-loop pieces speak about: one call, and claims on its outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from truestep.fast.protocol import TrainingBackend, TrainingCapability
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.profiles import ORACLE, arithmetic_of
from truestep.properties.kinds.training import step as training
from truestep.properties.laws.claims import SCALE, Claim, Claims
from truestep.reference.training import TRAINING
from truestep.reference.validation import Array

Fields = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call's outputs by name, as lists of arrays, and the bounds on their errors."""

    got: dict[str, list[Array]]
    bound: dict[str, list[Array]]

    def each(self, change: Callable[[list[Array]], list[Array]]) -> Outcome:
        """With every list changed alike, bounds included."""
        both = ({k: change(x) for k, x in part.items()} for part in (self.got, self.bound))
        return Outcome(*both)


@dataclass(frozen=True, slots=True)
class Trial:
    """Fields of a Hyper and the inputs of one call; laws change copies of it."""

    hyper: Fields
    inputs: Fields

    def where(self, **fields: Array) -> Trial:
        """With these hyperparameters, as far as the piece has them."""
        known = {k: x for k, x in fields.items() if k in self.hyper}
        return Trial({**self.hyper, **known}, self.inputs)

    def on(self, **inputs: Array) -> Trial:
        """With these inputs."""
        return Trial(self.hyper, {**self.inputs, **inputs})

    def each(self, change: Callable[[list[Array]], list[Array]]) -> Trial:
        """With every list changed alike."""
        return self.on(**{k: change(x) for k, x in self.inputs.items() if isinstance(x, list)})


@dataclass(frozen=True, slots=True)
class Bench:
    """A backend's piece under test."""

    backend: TrainingBackend
    capability: TrainingCapability

    @property
    def rule(self) -> str:
        """The piece's name."""
        return self.capability.rule

    def run(self, trial: Trial) -> Outcome:
        """One call."""
        piece = TRAINING[self.rule]
        hyper = piece.Hyper(**trial.hyper)
        got = training.call(self.backend, self.capability, hyper, trial.inputs)
        out = Outcome({}, {})
        profiles = (arithmetic_of(self.capability.arithmetic), ORACLE)
        kernel, oracle = (training.evaluate(piece, hyper, trial.inputs, a) for a in profiles)
        for name, x in got.items():
            out.got[name] = [np.asarray(a) for a in listed(x)]
            both = zip(listed(kernel[name]), listed(oracle[name]), strict=True)
            out.bound[name] = [_error(a) + _error(b) for a, b in both]
        return out


def listed(x: Array) -> list[Array]:
    """A list as it is, anything else as the list of it."""
    return list(x) if isinstance(x, (list, tuple)) else [x]


def _error(x: Array) -> Array:
    return np.asarray(x.e) if isinstance(x, Bounded) else np.zeros(())


def agree(
    left: Outcome,
    right: Outcome,
    names: Sequence[str] = (),
    *,
    degrees: Mapping[str, int] | None = None,
    bitwise: bool = False,
) -> Claims:
    """Claims that right's outputs are left's times SCALE^degree, within both bounds."""
    for name in names or left.got:
        factor = SCALE ** (degrees or {}).get(name, 0)
        pairs = zip(left.got[name], right.got[name], strict=True)
        errors = zip(left.bound[name], right.bound[name], strict=True)
        for (a, b), (e, f) in zip(pairs, errors, strict=True):
            bound = None if bitwise else np.broadcast_to(factor * e + f, a.shape)
            yield Claim(name, np.asarray(factor * a.astype(np.float64)), b, bound)


def bits(x: Array) -> Array:
    """The bytes of a tensor."""
    return np.frombuffer(np.asarray(x).tobytes(), dtype=np.uint8)


def one(name: str, got: Array, due: Array, bound: Array = None) -> Claim:
    """The claim that two tensors or numbers agree, in every bit or within a bound."""
    left, right = np.asarray(got), np.asarray(due)
    return Claim(name, left, right, None if bound is None else np.broadcast_to(bound, left.shape))
