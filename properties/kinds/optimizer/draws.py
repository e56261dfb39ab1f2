"""State tensors whose codes are drawn: how often each goes up, and that no draw repeats another.

Two equal tensors take the same step many times over; what their codes do is counted as
``truestep.properties.kinds.optimizer.chances`` says. Draws that must not correlate are those of two
tensors, two calls, two steps, two states, or of elements at a distance in one tensor.

The probability that a faithful kernel fails is FALSE_ALARM for the check as a whole, shared equally
among what is tested (Bonferroni), of which all distances are one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from truestep.fast.protocol import Group, OptimizerBackend, OptimizerCapability, Slot, Stepped
from truestep.properties.arithmetic.profiles import ORACLE, arithmetic_of
from truestep.properties.arithmetic.sampled import FALSE_ALARM
from truestep.properties.cases.hypers import continuous
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.judge.contracts import Judged
from truestep.properties.judge.records import Place
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.chances import (
    SUMS,
    Drawn,
    Errors,
    at_distances,
    correlated,
    errors,
    often,
)
from truestep.properties.kinds.optimizer.counts import Float
from truestep.properties.kinds.optimizer.fitting import fitted
from truestep.properties.kinds.optimizer.step import Steps, begun, called, drawn_at
from truestep.properties.kinds.optimizer.storage import StoredRule, drawn_storage, draws, rule_of
from truestep.properties.kinds.optimizer.stored import moments
from truestep.reference.storages import STORAGES

NAME = "drawn_codes"
# Draws of each tensor: 2^22 in all with two tensors, so that where a probability is off by 2^-9 the
# weighted sum is by thirteen standard deviations, and a code that is certain is missed eight times.
_SHAPE = (128, 128)
_CALLS = 128
# A kernel that fails after a few calls is not called more often.
_FEW = 4
_TRIES = 64
# Of rests of so many bits a float32 number's last place is the last.
_BELOW = 16
# An element whose probability is less certain than this says little; if hardly any is, than that.
_VAGUE, _VAGUER = 2.0**-6, 2.0**-3
_TOLD = ("how often a code goes up", "draws correlate")


def applies(capability: OptimizerCapability) -> bool:
    """Whether chance decides the codes of some tensor, by more than float32's rounding does."""
    return any(
        draws(how) and getattr(STORAGES[how.quantizer], "bits", 0) < _BELOW
        for how in capability.storage.values()
    )


def case(capability: OptimizerCapability, seed: int) -> OptimizerCase:
    """One group of two tensors with the same numbers, or of one; no drawn state stays zero."""
    rng = np.random.default_rng(seed)
    for _ in range(_TRIES):
        found = _drawn_case(capability, rng)
        if _moves(capability, found):  # not without momentum, say
            break
    return found


def _drawn_case(capability: OptimizerCapability, rng: np.random.Generator) -> OptimizerCase:
    number = int(rng.integers(2**32))
    slot = SlotCase(
        TensorSpec(_SHAPE, "normal", seed=number), TensorSpec(_SHAPE, "normal", seed=number ^ 1),
        t=9, history=3,
    )  # fmt: skip
    given = {**capability.dialect, **capability.fixed}
    hyper = continuous(rule_of(capability), given, rng) | drawn_storage(capability)
    return fitted(OptimizerCase((GroupCase(hyper, (slot, slot)),), steps=2), capability)


def _moves(capability: OptimizerCapability, case: OptimizerCase) -> bool:
    """Whether some number of every drawn state is not zero after the step."""
    rule = rule_of(capability)
    assert isinstance(rule, StoredRule)
    [group] = begun(rule, capability, case)
    [due] = moments(rule, group.hyper, group.slots[:1], ORACLE)
    names = [name for name in rule.kept if draws(group.hyper.storage[name])]
    return all(np.any(due[name].v != 0) for name in names)


def judged(
    backend: OptimizerBackend, capability: OptimizerCapability, case: OptimizerCase
) -> Steps:
    """The same step many times, and one that follows: what their codes have in common."""
    rule = rule_of(capability)
    assert isinstance(rule, StoredRule)
    [group] = begun(rule, capability, case)
    results = [called(rule, backend, capability, [group])[0] for _ in range(_FEW)]
    after = _after(rule, capability, group, case, results[0])
    later = called(rule, backend, capability, [after])[0]
    told, next_told = _Told(rule, capability, group), _Told(rule, capability, after)
    first, second = told.of(results), next_told.of([later])
    pairs = [(name, pair) for name in first for pair in _pairs(name, first, second)]
    level = FALSE_ALARM / (len(pairs) + (2 * SUMS + 1) * len(first))
    found = [Judged(0, 0, 1, name, correlated(*pair, level)) for name, pair in pairs]
    for name, drawn in first.items():
        found += [Judged(0, 0, 1, name, each) for each in at_distances(errors(drawn), level)]
    found += [Judged(0, 0, 0, name, often(drawn, level)) for name, drawn in first.items()]
    if not any(each.judgement.judged and not each.judgement.passed for each in found):
        results += [called(rule, backend, capability, [group])[0] for _ in range(_CALLS - _FEW)]
        every = told.of(results).items()
        found += [Judged(0, 0, 0, name, often(drawn, level)) for name, drawn in every]
    yield [group], found


def place(found: Judged) -> Place:
    """What was counted, in words."""
    return Place(
        f"of {found.judgement.judged} codes of {found.tensor}, {_TOLD[found.slot]} "
        f"(false-alarm probability of the check {FALSE_ALARM:g}): the sum",
        {"group": 0, "slot": 0},
    )


def _after(
    rule: StoredRule,
    capability: OptimizerCapability,
    group: Group,
    case: OptimizerCase,
    made: Sequence[Stepped],
) -> Group:
    """The group before the step that follows these results."""
    slots = []
    for spec, new in zip(case.groups[0].slots, made, strict=True):
        gradient, inputs = drawn_at(rule, capability, spec.grad, 1)
        slots.append(Slot(new.param, gradient, new.state, inputs))
    return replace(group, slots=slots)


class _Told:
    """What is due of the draws of a group's first tensor, and of those equal to it."""

    def __init__(self, rule: StoredRule, capability: OptimizerCapability, group: Group) -> None:
        self.rule, self.storage = rule, group.hyper.storage
        self.arithmetic = arithmetic_of(capability.arithmetic)
        kinds = (self.arithmetic, ORACLE)
        [due], [truth] = (moments(rule, group.hyper, group.slots[:1], a) for a in kinds)
        self.numbers = {
            name: (due[name].v, due[name].e + truth[name].e)
            for name in rule.kept
            if draws(self.storage[name])
        }

    def of(self, results: Sequence[Sequence[Stepped]]) -> Mapping[str, Drawn]:
        """By state, what the elements did."""
        return {name: self._drawn(name, results) for name in self.numbers}

    def _drawn(self, name: str, results: Sequence[Sequence[Stepped]]) -> Drawn:
        quantizer, how = self.rule.quantizer(name), self.storage[name]
        x, error = self.numbers[name]
        known = np.isfinite(x) & np.isfinite(error)
        x, error = np.where(known, x, 0.0), np.where(known, error, 0.0)
        first, of = results[0][0], self.rule.scale_of(name)
        scale = np.asarray(first.param if of == "p" else first.state[of])
        wide = scale if scale.dtype.kind == "u" else scale.astype(np.float64)
        ulps = self.arithmetic.ulps_division
        least, most = quantizer.probability_up(how, x, wide, error=error, division_ulps=ulps)
        codes = np.array([[new.state[f"{name}_code"] for new in made] for made in results])
        up = quantizer.rank(codes) > quantizer.lower(how, x, wide)
        chance = known & (least < 1) & (most > 0)
        open_ = chance & (most - least < _VAGUE)
        if np.count_nonzero(open_) < chance.size / 16:
            open_ = chance & (most - least < _VAGUER)
        each = (y.reshape(-1) for y in (least, most, open_, np.sign(x)))
        return Drawn(up.reshape(*codes.shape[:2], -1), *each)


def _pairs(
    name: str, first: Mapping[str, Drawn], later: Mapping[str, Drawn]
) -> Iterator[tuple[Errors, Errors, Float]]:
    """Every two sets of draws that have nothing to do with one another, and signs.

    A number may be drawn for going up or for going away from zero: errors are taken as they are,
    and toward the sign of what is rounded.
    """
    of = first[name]
    own = errors(of)
    pairs = [(own, errors(of, call=1)), (own, errors(later[name]))]
    if of.up.shape[1] > 1:
        pairs += [(own, errors(of, slot=1)), (own, errors(of, call=1, slot=1))]
    pairs += [(own, errors(drawn)) for other, drawn in first.items() if other > name]
    for x, y in pairs:
        yield x, y, np.ones(x.p.shape)
        yield x, y, x.away * y.away
