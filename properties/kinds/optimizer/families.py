"""The families of an optimizer's cases: what each varies, and how many examples it tries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from truestep.fast.protocol import OptimizerCapability
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.cases.dice import Dice, rolled
from truestep.properties.cases.tensors import EXTREMES, explicit
from truestep.properties.kinds.kind import Family
from truestep.properties.kinds.optimizer.cases import (
    SLOT_BYTES,
    GroupCase,
    OptimizerCase,
    SlotCase,
    Slots,
    cases,
    independent_cases,
    slots,
)
from truestep.properties.kinds.optimizer.storage import drawn, hypers, rule_of

Cases = st.SearchStrategy[OptimizerCase]


def _lockstep(capability: OptimizerCapability) -> Cases:
    return cases(hypers(capability), slots())


def _combinations(capability: OptimizerCapability) -> Cases:
    return independent_cases(lambda rng: drawn(capability, rng))


def _update_alone(capability: OptimizerCapability) -> Cases:
    ranges = Slots(shapes=((9,), (17,), (64,)), grads=(-14, 1), param_kinds=("zeros",))
    return cases(hypers(capability), slots(ranges), max_groups=1, max_slots=2)


# Counts at which counters in 8, 11 (float16), 16 and 24 bits (float32) stop being exact.
_EDGES = (254, 255, 256, 257, 511, 2047, 2048, 2049, 32767, 65535, 65536, 2**24 - 4)
_BEYOND = (2**24 - 1, 2**24, 2**24 + 1, 2**25 + 1, 2**31 - 2)


def _counter(capability: OptimizerCapability) -> Cases:
    ranges = Slots(counts=_EDGES, shapes=((3,), (17,)))
    return cases(hypers(capability), slots(ranges), max_groups=1, max_slots=2)


def _counter_beyond_float32(capability: OptimizerCapability) -> Cases:
    ranges = Slots(counts=_BEYOND, shapes=((3,), (17,)))
    return cases(hypers(capability), slots(ranges), max_groups=1, max_slots=1)


def _special_values(capability: OptimizerCapability) -> Cases:
    ranges = Slots(shapes=((9,), (17,), (65,)), specials=EXTREMES, counts=(0, 1, 9))
    slot = slots(ranges).map(_with_every_extreme)
    return cases(hypers(capability), slot, max_groups=1, max_slots=2)


def _with_every_extreme(slot: SlotCase) -> SlotCase:
    """The slot with each extreme somewhere in its gradient; every other one has a fresh state."""
    first = slot.grad.seed
    every = tuple((first + k, name) for k, name in enumerate(EXTREMES))
    grad = replace(slot.grad, specials=(*slot.grad.specials, *every))
    return replace(slot, grad=grad, history=slot.history if first % 2 else 0)


def _full_range(capability: OptimizerCapability) -> Cases:
    if rule_of(capability).FACTS.elementwise:
        ranges = Slots(shapes=((33,), (64,)), kinds=("bits",), param_kinds=("bits",))
    else:
        # Sums of squares leave the range unless all numbers stay within the root of it.
        most = int(np.log10(format_named(capability.format).largest) / 2) - 3
        widest = (-max(most, 0), max(most, 0))
        ranges = Slots(
            shapes=((33,), (64,), (5, 8)),
            kinds=("spread",),
            param_kinds=("spread",),
            grads=widest,
            params=widest,
        )
    return cases(hypers(capability), slots(ranges), max_groups=1, max_slots=1)


def _element_by_element(capability: OptimizerCapability) -> Cases:
    format = format_named(capability.format)
    slot = st.integers(1, 4).flatmap(
        lambda n: st.builds(
            SlotCase,
            param=explicit((n,), format),
            grad=explicit((n,), format),
            t=st.sampled_from((0, 1, 9)),
            history=st.just(1),
        ).map(lambda s: replace(s, history=min(s.history, s.t)))
    )
    return cases(hypers(capability), slot, max_groups=1, max_slots=1)


def _large(capability: OptimizerCapability) -> Cases:
    shapes = ((2**15 + 3,), (2**16 - 1,), (257, 129))
    slot = slots(Slots(shapes=shapes, kinds=("normal", "spread")))
    return cases(hypers(capability), slot, max_groups=1, max_slots=1, steps=(1, 2))


def _all_zero(capability: OptimizerCapability) -> Cases:
    slot = slots(Slots(kinds=("zeros",), shapes=((3,), (64,), (3, 5)), specials=("zero",)))
    return cases(hypers(capability), slot, max_groups=1, max_slots=2)


# Empty tensors between and last: where lists of launches have lost tensors.
_SEVENTY = (
    *((n,) for n in range(1, 33)),
    (0,),
    (),
    (3, 5),
    *((n,) for n in range(33, 67)),
    (0,),
)


def _many_tensors(capability: OptimizerCapability) -> Cases:
    ranges = Slots(counts=(9,), kinds=("normal",))

    def seventy(dice: Dice) -> tuple[SlotCase, ...]:
        return tuple(ranges.drawn(dice, shape) for shape in _SEVENTY)

    group = st.builds(
        GroupCase, hyper=hypers(capability), slots=rolled(len(_SEVENTY) * SLOT_BYTES, seventy)
    )
    return st.builds(OptimizerCase, groups=st.tuples(group), steps=st.just(1))


# Numbers of examples: what fits the time of each level on two cores, not part of any contract.
FAMILIES: dict[str, Family[OptimizerCapability, OptimizerCase]] = {
    "all_zero": Family(
        "zero gradients and empty state", _all_zero, {"smoke": 2, "standard": 6, "deep": 100}
    ),
    "combinations": Family(
        "counts, shapes, layouts and hyperparameters drawn independently of one another",
        _combinations,
        {"smoke": 6, "standard": 40, "deep": 2000},
    ),
    "counter": Family(
        "step counters up to 2^24 - 1", _counter, {"smoke": 3, "standard": 14, "deep": 300}
    ),
    "counter_beyond_float32": Family(
        "step counters beyond 2^24",
        _counter_beyond_float32,
        {"smoke": 2, "standard": 5, "deep": 100},
    ),
    "element_by_element": Family(
        "small tensors over the whole range, element by element",
        _element_by_element,
        {"smoke": 3, "standard": 15, "deep": 1000},
    ),
    "full_range": Family(
        "random bit patterns, or the widest range in which squares can be summed",
        _full_range,
        {"smoke": 2, "standard": 8, "deep": 300},
    ),
    "large": Family(
        "tensors beyond the sizes where kernels go parallel",
        _large,
        {"smoke": 1, "standard": 2, "deep": 30},
    ),
    "lockstep": Family(
        "groups, layouts, reachable states, several steps",
        _lockstep,
        {"smoke": 6, "standard": 40, "deep": 2000},
    ),
    "many_tensors": Family(
        "seventy tensors in one call", _many_tensors, {"smoke": 1, "standard": 2, "deep": 10}
    ),
    "special_values": Family(
        "nan, infinities, the largest and the least numbers",
        _special_values,
        {"smoke": 3, "standard": 15, "deep": 300},
    ),
    "update_alone": Family(
        "zero parameters, which show the update undimmed, and gradients of the size of eps",
        _update_alone,
        {"smoke": 4, "standard": 30, "deep": 1000},
    ),
}
