"""What laws speak about: steps of a kernel on one tensor, and claims on what they give."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import (
    Array,
    Group,
    OptimizerBackend,
    OptimizerCapability,
    Slot,
    Stepped,
)
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.profiles import ORACLE, arithmetic_of
from truestep.properties.kinds.optimizer import step as stepping
from truestep.properties.kinds.optimizer.laws.bounds import Bounds, Gradient, path_bounds
from truestep.properties.kinds.optimizer.laws.definitions import inputs_of
from truestep.properties.kinds.optimizer.sampling import observables
from truestep.properties.kinds.optimizer.storage import StoredRule, draws, rule_of
from truestep.properties.kinds.optimizer.stored import determined
from truestep.properties.laws.claims import Claim, Claims
from truestep.reference.rules import Optimizer
from truestep.reference.validation import Array as Flow

# Hyperparameters, and fields of a state, by name: numbers of several types.
Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one step gave, and the bounds on its errors.

    got: what is judged, by name: "p" and the state's arrays, or what the definition determines of
    them. state: the new state as it is. bounds: computes the bounds, which many claims never need.
    """

    got: dict[str, Array]
    state: Fields
    bounds: Callable[[], Bounds]

    @property
    def p(self) -> Array:
        """The new parameter."""
        return self.got["p"]

    @property
    def bound(self) -> Bounds:
        """The largest errors of a faithful kernel, by name."""
        return self.bounds()

    def as_is(self, name: str) -> bool:
        """Whether what is judged under a name is the state's array itself."""
        return np.array_equal(self.got[name], self.state[name], equal_nan=True)

    def wide(self, name: str) -> NDArray[np.float64]:
        """One output in float64."""
        return self.got[name].astype(np.float64)


# Inputs that are gradients, or make the function that is handed over.
OPPOSED = ("curvature", "others")


@dataclass(frozen=True, slots=True)
class Trial:
    """One tensor before a step, with the fields of its Hyper; laws change copies of it."""

    capability: OptimizerCapability
    hyper: Fields
    slot: Slot
    seed: int

    @property
    def rule(self) -> Optimizer:
        """The rule that the capability is judged by."""
        return rule_of(self.capability)

    @property
    def rng(self) -> np.random.Generator:
        """The law's own source of choices, the same at every use."""
        return np.random.default_rng(self.seed)

    @property
    def p(self) -> Array:
        """The parameter before the step."""
        return self.slot.param

    @property
    def g(self) -> Array:
        """The gradient."""
        return self.slot.grad

    @property
    def t(self) -> int:
        """The number of steps made."""
        return int(self.slot.state["t"])

    @property
    def arrays(self) -> list[str]:
        """Names of the state's arrays."""
        return [k for k, x in self.slot.state.items() if isinstance(x, np.ndarray)]

    def where(self, **fields: float) -> Trial:
        """With these hyperparameters, as far as the rule has them."""
        known = {k: v for k, v in fields.items() if k in self.hyper}
        return dataclasses.replace(self, hyper={**self.hyper, **known})

    def on(self, **tensors: Flow) -> Trial:
        """With these tensors: p, gradient, inputs or fields of the state."""
        state = {k: tensors.get(k, x) for k, x in self.slot.state.items()}
        inputs = {k: np.asarray(tensors.get(k, x)) for k, x in self.slot.inputs.items()}
        slot = Slot(tensors.get("p", self.p), tensors.get("gradient", self.g), state, inputs)
        return dataclasses.replace(self, slot=slot)

    def fresh(self, t: int = 0, **tensors: Flow) -> Trial:
        """With these tensors, before the first step of all; t puts the counter elsewhere.

        Inputs are fitted to the shape of p.
        """
        at = self.on(**tensors)
        state = at.rule.init(at.rule.Hyper(**at.hyper), np.asarray(at.p, dtype=np.float64))
        shapes = inputs_of(at.capability.rule, at.p.shape)
        fitted = {k: np.resize(x, shapes[k]) for k, x in at.slot.inputs.items()}
        stored = {
            k: t if k == "t" else np.asarray(getattr(state, k)).astype(np.asarray(x).dtype)
            for k, x in at.slot.state.items()
        }
        return at.on(**{**fitted, **stored})

    def plain(self) -> Trial:
        """Minimizing, without any decay of the parameter."""
        return self.where(weight_decay=0.0, lambd=0.0, maximize=False)

    def flat(self, curvature: float = 0.0) -> Trial:
        """With a function of this curvature, where it is a function that is handed over."""
        inputs = {k: x * 0 + curvature for k, x in self.slot.inputs.items() if k == "curvature"}
        return self.on(**inputs)

    def opposed(self) -> Trial:
        """With the gradient or gradients, or the function that is handed over, negated."""
        inputs = {k: -x for k, x in self.slot.inputs.items() if k in OPPOSED}
        return self.on(gradient=-self.g, **inputs)

    def after(self, out: Outcome, **tensors: Flow) -> Trial:
        """Behind the step that gave out, in copies."""
        copied = {k: x.copy() if isinstance(x, np.ndarray) else x for k, x in out.state.items()}
        return self.on(**{"p": out.state["p"].copy(), **copied, "t": self.t + 1, **tensors})


@dataclass(frozen=True, slots=True)
class Bench:
    """A backend's kernel under test, one capability of it.

    whole: whether bounds include the float64 definition's own error.
    """

    backend: OptimizerBackend
    capability: OptimizerCapability
    whole: bool = True

    @property
    def rule(self) -> Optimizer:
        """The rule that the capability is judged by."""
        return rule_of(self.capability)

    @property
    def fused(self) -> bool:
        """Whether an element may be rounded otherwise elsewhere: bitwise laws are then bounded.

        Kernels may fuse operations in one place only; sums over a tensor depend on its order.
        """
        summed = not self.rule.FACTS.elementwise
        return summed or arithmetic_of(self.capability.arithmetic).contraction

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
        return [self._outcome(t, x, t, [t.g]) for t, x in zip(trials, flat, strict=True)]

    def run(self, trial: Trial, gradients: Sequence[Gradient]) -> list[Outcome]:
        """Consecutive steps, whose bounds are those on the whole way from the first.

        A gradient may be a function of the parameter, in plain operations.
        """
        at, out = trial, []
        for i, gradient in enumerate(gradients):
            g = gradient(at.p) if callable(gradient) else gradient
            at = at.on(gradient=np.asarray(g).astype(at.p.dtype))
            group = Group(self.rule.Hyper(**at.hyper), [at.slot])
            ((new,),) = stepping.call(self.backend, self.capability, [group])
            out.append(self._outcome(at, new, trial, gradients[: i + 1]))
            at = at.after(out[-1])
        return out

    def _outcome(
        self, at: Trial, new: Stepped, start: Trial, gradients: Sequence[Gradient]
    ) -> Outcome:
        rule, hyper = self.rule, self.rule.Hyper(**at.hyper)
        got = state = {"p": new.param, **{k: new.state[k] for k in at.arrays}}
        if isinstance(rule, StoredRule):
            got = determined(rule, hyper, new.state, new.param)
        elif rule.FACTS.observables:
            got = observables(rule, hyper, new.state, new.param)
        if "p" not in got:
            raise Undecided("the definition leaves p open in this step")
        bounds = cache(
            lambda: path_bounds(self.capability, hyper, start.slot, gradients, whole=self.whole)
        )
        return Outcome(got, state, bounds)

    def agree(
        self, left: Outcome, right: Outcome, *, bitwise: bool, names: Sequence[str] | None = None
    ) -> Claims:
        """Claims that two outcomes are equal, bit for bit or within both their bounds.

        A tensor or a code that is stored by stochastic rounding has its bits from chance.
        """
        for name in left.got if names is None else names:
            bits = bitwise and not self._chance(name)
            bound = None if bits else left.bound[name] + right.bound[name]
            yield Claim(name, left.got[name], right.got[name], bound)

    def _chance(self, name: str) -> bool:
        kept = self.capability.storage.get(name.removesuffix("_code"))
        if kept is not None and name.endswith("_code"):
            return draws(kept)
        made = arithmetic_of(self.capability.arithmetic)
        return made.rounding == "stochastic" and made.stored(name).name != made.compute


def unless_open(out: Outcome, name: str) -> NDArray[np.float64]:
    """A bound of 0, but where the contract says nothing: of 0 / (0 + eps), eps rounded to 0."""
    return np.where(np.isinf(out.bound[name]), np.inf, 0.0)


def exact(x: Flow) -> Flow:
    """x as it is, for a formula in float64 that keeps a bound on its own rounding: a Bounded."""
    return Bounded.exact(np.asarray(x), ORACLE)


def due(name: str, out: Outcome, formula: Flow) -> Claim:
    """The claim that an output is what a formula says."""
    shape = out.got[name].shape
    v, e = np.broadcast_to(formula.v, shape), np.broadcast_to(formula.e, shape)
    return Claim(name, out.got[name], v, out.bound[name] + e)


def at_most(name: str, size: Flow, limit: Flow, bound: Flow = 0.0) -> Claim:
    """The claim that size, known within bound beyond its own rounding, is at most limit."""
    most = np.broadcast_to(limit.v, np.shape(size.v))
    return Claim(name, np.maximum(size.v, most), most, size.e + limit.e + bound)


def norm(x: Flow) -> Flow:
    """The Euclidean norm over all elements."""
    return np.sqrt(np.sum(x * x))


def way(start: Trial, out: Outcome) -> tuple[Flow, Flow]:
    """The length of the step, and by how much the kernel's may differ."""
    return norm(exact(out.p) - exact(start.p)), np.sqrt(np.sum(out.bound["p"] ** 2))


Law = Callable[[Bench, Trial], Claims]
