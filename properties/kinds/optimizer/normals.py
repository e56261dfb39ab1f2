"""What a rule draws from the normal distribution, by a generator that is the kernel's own.

Two tensors without parameter and gradient take step after step, and the kernel is handed no draws:
what moves them is its own, divided by what the definition multiplies it by. Of exactly normal draws

- the sum is normal, and the sum of squares chi-squared;
- the empirical distribution strays from the normal one by more than sqrt(log(2 / a) / 2n) with
  probability a at the most (Dvoretzky, Kiefer, Wolfowitz, with Massart's constant);
- the products of some with others, divided by the norm of the others, sum to a normal number;
- a quadratic form, by a matrix A whose trace is 0, exceeds 2 |A|_F sqrt(t) + 2 |A|_2 t with
  probability exp(-t) at the most (Laurent and Massart 2000, Lemma 1; Boucheron, Lugosi and Massart
  2013, Example 2.12).

The last but one is asked of two tensors in a step, the last of elements and of steps at every
distance: n products of one with another at a distance are the form of half of two shifts, whose
norms are sqrt(n / 2) and at most 1. The probability that a faithful kernel fails is FALSE_ALARM for
the check as a whole, shared equally among what is tested (Bonferroni), of which all distances are
one. How far a draw is known follows from the bound on the step. Generators of float32 numbers have
no normal numbers beyond five or six; of this many draws no test sees it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri, ndtr, ndtri

from truestep.fast.protocol import Array, Group, OptimizerBackend, OptimizerCapability, Slot
from truestep.properties.arithmetic.lift import Lift, Outputs, bounded, plain, stepped
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.arithmetic.sampled import FALSE_ALARM
from truestep.properties.cases.hypers import continuous
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.judge.contracts import Judged, Judgement
from truestep.properties.judge.records import Place
from truestep.properties.judge.results import SLACK
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.counts import Float, by_distance, within
from truestep.properties.kinds.optimizer.step import Steps, begun, called
from truestep.properties.kinds.optimizer.storage import rule_of
from truestep.reference.rules import Optimizer

NAME = "normal_draws"
# 2^18 draws of two tensors: a variance off by 3 % is off by ten standard deviations.
_SHAPE = (64, 64)
_STEPS = 32
_TRIES = 64
_WAYS = (
    "their sum", "the sum of their squares", "their distribution", "two tensors correlate",
    "steps correlate", "elements correlate",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawn:
    """Draws by step, tensor and element, and how far each is known."""

    x: Float
    e: Float

    def of(self, tensor: int) -> "Drawn":
        """Those of one tensor."""
        return Drawn(self.x[:, tensor], self.e[:, tensor])

    def along(self, axis: int) -> "Drawn":
        """The same, that axis the last."""
        return Drawn(np.moveaxis(self.x, axis, -1), np.moveaxis(self.e, axis, -1))


def applies(capability: OptimizerCapability) -> bool:
    """Whether the rule draws."""
    return bool(rule_of(capability).FACTS.drawn)


def case(capability: OptimizerCapability, seed: int) -> OptimizerCase:
    """One group of two tensors, or of one, at rest before its first step."""
    rng, rule = np.random.default_rng(seed), rule_of(capability)
    zeros = TensorSpec(_SHAPE, "zeros", seed=seed)
    slots = (SlotCase(zeros, zeros),) * (1 if capability.single else 2)
    given = {**capability.dialect, **capability.fixed}
    for _ in range(_TRIES):
        found = OptimizerCase((GroupCase(continuous(rule, given, rng), slots),), steps=_STEPS)
        [group] = begun(rule, capability, found)
        if np.all(_given(rule, group, plain(), 1.0)["p"]):  # not without a rate, say
            break
    return found


def judged(
    backend: OptimizerBackend, capability: OptimizerCapability, case: OptimizerCase
) -> Steps:
    """As many steps, each from rest, and the tests of what was drawn in them."""
    rule = rule_of(capability)
    [group] = begun(rule, capability, case)
    steps = []
    for t in range(case.steps):
        at = _resting(group, rule, t)
        [made] = called(rule, backend, capability, [at])
        steps.append([_drawn(rule, at, new.param, capability) for new in made])
    x, e = (np.array([[pair[k] for pair in each] for each in steps]) for k in (0, 1))
    yield [group], [Judged(0, 0, way, "p", found) for way, found in _tests(Drawn(x, e))]


def _resting(group: Group, rule: Optimizer, t: int) -> Group:
    """The group after t steps, without parameters, gradients, past and draws."""

    def at(slot: Slot) -> Slot:
        zeros = {name: x * 0 for name, x in slot.inputs.items() if name not in rule.FACTS.drawn}
        return Slot(slot.param * 0, slot.grad * 0, {**slot.state, "t": t}, zeros)

    return Group(group.hyper, [at(slot) for slot in group.slots])


def _given(rule: Optimizer, group: Group, lift: Lift, x: float | Float) -> Outputs:
    """The step of the group's first tensor, with these draws."""
    slot = group.slots[0]
    drawn = {name: np.zeros(slot.param.shape) + x for name in rule.FACTS.drawn}
    full = Slot(slot.param, slot.grad, slot.state, {**slot.inputs, **drawn})
    return stepped(rule, group.hyper, full, lift)


def _drawn(
    rule: Optimizer, group: Group, param: Array, capability: OptimizerCapability
) -> tuple[Float, Float]:
    """What was drawn, from where it moved p, and how far that is known; both flat."""
    lift = bounded(arithmetic_of(capability.arithmetic))
    rest = _given(rule, group, lift, 0.0)["p"].v
    by = _given(rule, group, lift, 1.0)["p"].v - rest
    with np.errstate(divide="ignore", invalid="ignore"):
        x = (param.astype(np.float64) - rest) / by
        e = SLACK * _given(rule, group, lift, x)["p"].e / np.abs(by)
    return x.reshape(-1), e.reshape(-1)


def _tests(drawn: Drawn) -> Iterator[tuple[int, Judgement]]:
    """Each way in which draws may be others than they are due, and its judgement."""
    if lost := np.count_nonzero(~np.isfinite(drawn.x) | ~np.isfinite(drawn.e)):
        yield 0, within(float(lost), 0.0, 0.0, 0.5, drawn.x.size)
        return
    level = FALSE_ALARM / len(_WAYS)
    for way, test in enumerate(_OF_EACH):
        yield way, test(drawn, level)
    if drawn.x.shape[1] > 1:
        yield 3, _correlation(drawn.of(0), drawn.of(1), level)
    yield 4, _at_distances(drawn.along(0), level)
    yield 5, _at_distances(drawn, level)


def _sum(drawn: Drawn, level: float) -> Judgement:
    count = drawn.x.size
    error = math.sqrt(count) * _quantile(level) + float(np.sum(drawn.e))
    return within(float(np.sum(drawn.x)), 0.0, 0.0, error, count)


def _squares(drawn: Drawn, level: float) -> Judgement:
    count = drawn.x.size
    known = float(np.sum(2 * np.abs(drawn.x) * drawn.e + drawn.e**2))
    least, most = (float(chdtri(count, x)) for x in (1 - level / 2, level / 2))
    error = (most - least) / 2 + known
    middle = (least + most) / 2
    return within(float(np.sum(drawn.x**2)), middle, middle, error, count)


def _distribution(drawn: Drawn, level: float) -> Judgement:
    count = drawn.x.size
    due = ndtr(np.sort(drawn.x, axis=None))
    places = np.arange(count + 1) / count
    far = max(np.max(places[1:] - due), np.max(due - places[:-1]))
    # No normal density is above 1 / sqrt(2 pi).
    error = math.sqrt(math.log(2 / level) / (2 * count)) + np.max(drawn.e) / math.sqrt(2 * math.pi)
    return within(float(far), 0.0, 0.0, float(error), count)


def _at_distances(drawn: Drawn, level: float) -> Judgement:
    """The worst sum of products of draws at a distance along the last axis."""
    x, size = np.abs(drawn.x), drawn.x.shape[-1]
    got = by_distance(drawn.x, drawn.x)
    # The least of the terms, e e, is a sum of squares that a transform's rounding may lose.
    known = by_distance(x, drawn.e) + by_distance(drawn.e, x) + float(np.sum(drawn.e**2))
    counts = drawn.x.size // size * np.arange(size - 1, 0, -1)
    t = math.log(2 * (size - 1) / level)
    error = np.sqrt(2 * counts * t) + 2 * t + known
    at = int(np.argmax(np.abs(got) / error))
    return within(got[at], 0.0, 0.0, error[at], int(counts[at]))


def _correlation(one: Drawn, other: Drawn, level: float) -> Judgement:
    norm = float(np.sqrt(np.sum(other.x**2)))
    product = np.abs(one.x) * other.e + np.abs(other.x) * one.e + one.e * other.e
    got = float(np.sum(one.x * other.x)) / norm
    # The norm is known to within that of the errors.
    known = (float(np.sum(product)) + abs(got) * float(np.sqrt(np.sum(other.e**2)))) / norm
    return within(got, 0.0, 0.0, _quantile(level) + known, one.x.size)


# Of draws by themselves, in the order of _WAYS.
_OF_EACH = (_sum, _squares, _distribution)


def _quantile(level: float) -> float:
    """What a normal number exceeds, on either side, with that probability."""
    return float(-ndtri(level / 2))


def place(found: Judged) -> Place:
    """What was tested, in words."""
    told = f"of {found.judgement.judged} draws, {_WAYS[found.slot]}"
    return Place(
        f"{told} (false-alarm probability of the check {FALSE_ALARM:g})", {"group": 0, "slot": 0}
    )
