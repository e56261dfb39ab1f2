"""What laws speak about: one step of a kernel on one tensor, and claims that two results agree."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import Capability, Group, Slot
from truestep.properties import stepping
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.profiles import ORACLE, arithmetic_of
from truestep.reference.optimizers import OPTIMIZERS, Rule


@dataclass(frozen=True, slots=True)
class Claim:
    """left and right agree: bit for bit if bound is None, else within bound, element by element."""

    tensor: str
    left: NDArray[Any]
    right: NDArray[Any]
    bound: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One step's outputs by name ("p" and the state's arrays) and the bounds on their errors."""

    got: dict[str, NDArray[Any]]
    bound: dict[str, NDArray[np.float64]]

    @property
    def p(self) -> NDArray[Any]:
        """The new parameter."""
        return self.got["p"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One tensor before a step, with the fields of its Hyper; laws change copies of it."""

    hyper: Mapping[str, Any]
    slot: Slot
    seed: int

    @property
    def rng(self) -> np.random.Generator:
        """The law's own source of choices, the same at every use."""
        return np.random.default_rng(self.seed)

    def where(self, **fields: Any) -> Trial:
        """With these hyperparameters, as far as the rule has them."""
        known = {k: v for k, v in fields.items() if k in self.hyper}
        return dataclasses.replace(self, hyper={**self.hyper, **known})

    def on(self, **tensors: Any) -> Trial:
        """With these tensors: p, g or fields of the state."""
        state = {k: tensors.get(k, x) for k, x in self.slot.state.items()}
        slot = Slot(tensors.get("p", self.slot.param), tensors.get("g", self.slot.grad), state)
        return dataclasses.replace(self, slot=slot)

    def fresh(self) -> Trial:
        """Before the first step of all."""
        zeros = {k: x * 0 if isinstance(x, np.ndarray) else 0 for k, x in self.slot.state.items()}
        return self.on(**zeros)

    def each(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Trial:
        """With every tensor of the parameter's shape changed alike."""
        tensors = {"p": self.slot.param, "g": self.slot.grad, **self.slot.state}
        return self.on(**{k: change(x) for k, x in tensors.items() if isinstance(x, np.ndarray)})

    @property
    def arrays(self) -> list[str]:
        """Names of the state's arrays."""
        return [k for k, x in self.slot.state.items() if isinstance(x, np.ndarray)]


@dataclass(frozen=True, slots=True)
class Bench:
    """A backend's kernel under test, one capability of it."""

    backend: Any
    capability: Capability

    @property
    def rule(self) -> Rule:
        """The reference rule."""
        return OPTIMIZERS[self.capability.rule]

    @property
    def fused(self) -> bool:
        """Whether kernels may fuse operations here and not there: bitwise laws are then bounded."""
        return arithmetic_of(self.capability.arithmetic).contraction

    def step(self, trial: Trial) -> Outcome:
        """One step on one tensor."""
        return self.step_all([trial])[0]

    def step_all(self, trials: list[Trial], *, together: bool = False) -> list[Outcome]:
        """One call on several tensors: each in a group of its own, or all in the first's group."""
        if together:
            hyper = self.rule.Hyper(**trials[0].hyper)
            groups = [Group(hyper, [trial.slot for trial in trials])]
        else:
            groups = [Group(self.rule.Hyper(**t.hyper), [t.slot]) for t in trials]
        stepped = stepping.call(self.backend, self.capability, groups)
        flat = [item for group in stepped for item in group]
        out = []
        for trial, new in zip(trials, flat, strict=True):
            got = {"p": new.param, **{k: new.state[k] for k in trial.arrays}}
            out.append(Outcome(got, self._bounds(trial)))
        return out

    def _bounds(self, trial: Trial) -> dict[str, NDArray[np.float64]]:
        hyper = self.rule.Hyper(**trial.hyper)
        total: dict[str, NDArray[np.float64]] = {}
        for arithmetic in (arithmetic_of(self.capability.arithmetic), ORACLE):
            for name, value in stepping.evaluate(self.rule, hyper, trial.slot, arithmetic).items():
                if isinstance(value, Bounded):
                    total[name] = total.get(name, np.zeros(())) + value.e
        return total

    def agree(
        self, left: Outcome, right: Outcome, *, bitwise: bool, names: list[str] | None = None
    ) -> Iterator[Claim]:
        """Claims that two outcomes are equal, bit for bit or within both their bounds."""
        for name in names or list(left.got):
            bound = None if bitwise else left.bound[name] + right.bound[name]
            yield Claim(name, left.got[name], right.got[name], bound)


Law = Callable[[Bench, Trial], Iterator[Claim]]
