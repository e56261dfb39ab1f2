"""The families of an optimizer's cases: what each varies, and how many examples it tries."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from truestep.fast.protocol import OptimizerCapability
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.cases.dice import Dice, by_seed, independent
from truestep.properties.cases.tensors import EXTREMES, TensorSpec, explicit
from truestep.properties.judge.results import check_id
from truestep.properties.kinds.kind import Family, examples
from truestep.properties.kinds.optimizer.cases import (
    SLOT_BYTES,
    GroupCase,
    OptimizerCase,
    SlotCase,
    Slots,
    cases,
    independent_case,
    slots,
)
from truestep.properties.kinds.optimizer.storage import drawn, hypers, rule_of

Cases = st.SearchStrategy[OptimizerCase]


def _cases(
    capability: OptimizerCapability,
    slot: st.SearchStrategy[SlotCase],
    groups: int = 1,
    tensors: int = 1,
    steps: tuple[int, int] = (1, 3),
) -> Cases:
    fields = hypers(capability)
    return cases(fields, slot, max_groups=groups, max_slots=tensors, steps=steps)


def _of(
    ranges: Slots, groups: int = 1, tensors: int = 1, steps: tuple[int, int] = (1, 3)
) -> Callable[[OptimizerCapability], Cases]:
    """Tensors from these ranges: so many, in so many groups, at the most."""
    return lambda capability: _cases(capability, slots(ranges), groups, tensors, steps)


def _combinations(capability: OptimizerCapability) -> Cases:
    return independent(independent_case(lambda rng: drawn(capability, rng)))


def _of_its_own(capability: OptimizerCapability, seed: int) -> Sequence[OptimizerCase]:
    """Two of these, which only this implementation is given."""
    made = independent_case(lambda rng: drawn(capability, rng))
    name = check_id(capability, "").encode()
    rng = np.random.default_rng([seed, zlib.crc32(name)])
    return [made(int(number)) for number in rng.integers(2**32, size=2)]


def _special_values(capability: OptimizerCapability) -> Cases:
    ranges = Slots(shapes=((9,), (17,), (65,)), specials=EXTREMES, counts=(0, 1, 9))
    return _cases(capability, slots(ranges).map(_with_every_extreme), tensors=2)


def _with_every_extreme(slot: SlotCase) -> SlotCase:
    """The slot with each extreme somewhere in its parameter, its gradient or both.

    Half of them, by another bit, have a fresh state.
    """
    state, where = slot.grad.seed % 2, slot.grad.seed // 2 % 3
    return replace(
        slot,
        param=slot.param if where == 1 else _extreme(slot.param),
        grad=slot.grad if where == 2 else _extreme(slot.grad),
        history=slot.history if state else 0,
    )


def _extreme(spec: TensorSpec) -> TensorSpec:
    every = tuple((spec.seed + k, name) for k, name in enumerate(EXTREMES))
    return replace(spec, specials=(*spec.specials, *every))


def _full_range(capability: OptimizerCapability) -> Cases:
    ranges = Slots(shapes=((33,), (64,)), kinds=("bits",), param_kinds=("bits",))
    if not rule_of(capability).FACTS.elementwise:
        # Sums of squares leave the range unless all numbers stay within the root of it.
        most = max(int(np.log10(format_named(capability.format).largest) / 2) - 3, 0)
        ranges = Slots(
            shapes=((33,), (64,), (5, 8)),
            kinds=("spread",),
            param_kinds=("spread",),
            grads=(-most, most),
            params=(-most, most),
        )
    return _cases(capability, slots(ranges))


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
    return _cases(capability, slot)


# Nine times through the sizes, for what compiles does so by shape: more than the 110 tensors of
# which one launch knows at most in PyTorch's and apex's multi_tensor_apply. Empty tensors between
# and last: where lists of launches have lost tensors.
_SIZES = tuple((n,) for n in (1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 33, 64))
_MANY = (*4 * _SIZES, (0,), (), *4 * _SIZES, (3, 5), (5, 3), *_SIZES, (0,))


def _many_tensors(capability: OptimizerCapability) -> Cases:
    ranges = Slots(counts=(9,), kinds=("normal",))

    def drawn_slots(dice: Dice) -> tuple[SlotCase, ...]:
        return tuple(replace(ranges.drawn(dice, shape), history=1) for shape in _MANY)

    # The first row that Hypothesis draws is all zeros: tensors alike could change places unseen.
    slots = independent(by_seed(len(_MANY) * SLOT_BYTES, drawn_slots))
    group = st.builds(GroupCase, hyper=hypers(capability), slots=slots)
    return st.builds(OptimizerCase, groups=st.tuples(group), steps=st.just(1))


def _large(capability: OptimizerCapability) -> Cases:
    # Of an elementwise rule one tile is evaluated, however often it repeats.
    kinds, shapes = ("tiled",), _LARGE
    if not rule_of(capability).FACTS.elementwise:
        kinds, shapes = ("normal", "spread"), _LARGE[:2]  # type: ignore[assignment]
    ranges = Slots(shapes=shapes, kinds=kinds, param_kinds=kinds)
    return _cases(capability, slots(ranges), steps=(1, 1))


def _at_each(
    counts: Sequence[int], between: int = 0
) -> Callable[[OptimizerCapability, int], Sequence[OptimizerCase]]:
    """One tensor at each of these counts and at some below the last, of every order of magnitude.

    They come in random order, with three steps from every second, and from the last.
    """

    def made(capability: OptimizerCapability, seed: int) -> Sequence[OptimizerCase]:
        rng = np.random.default_rng(seed)
        others = np.exp(rng.uniform(0, np.log(counts[-1]), between)).astype(int)
        out = []
        for i, t in enumerate(rng.permutation([*counts, *others])):
            ranges = Slots(counts=(int(t),), shapes=_SMALL)
            slot = ranges.drawn(Dice(rng.bytes(SLOT_BYTES)))
            group = GroupCase(drawn(capability, rng), (slot,))
            out.append(OptimizerCase((group,), steps=3 if i % 2 or t == counts[-1] else 1))
        return out

    return made


# Counts at which counters in 8, 11 (float16), 16 and 24 bits (float32) stop being exact.
_EDGES = (254, 255, 256, 257, 511, 2047, 2048, 2049, 32767, 65535, 65536, 2**24 - 4)
_BEYOND = (2**24 - 1, 2**24, 2**24 + 1, 2**25 + 1, 2**31 - 2)
# Around the chunks of 65,536 elements that launches over many tensors are cut into, and several.
_LARGE = ((2**16 + 1,), (2**16 - 1,), (3 * 2**16 + 11,), (257, 769), (2**15 + 3,))
_SMALL = ((3,), (17,))

FAMILIES: dict[str, Family[OptimizerCapability, OptimizerCase]] = {
    "all_zero": Family(
        "zero gradients and empty state",
        _of(Slots(kinds=("zeros",), shapes=((3,), (64,), (3, 5)), specials=("zero",)), tensors=2),
        examples(2, 6, 100),
    ),
    "combinations": Family(
        "counts, shapes, layouts and hyperparameters drawn independently of one another",
        _combinations,
        examples(6, 11, 2000),
        simplified=False,
        own=_of_its_own,
    ),
    "counter": Family(
        "step counters up to 2^24 - 1",
        _of(Slots(counts=_EDGES, shapes=_SMALL), tensors=2),
        examples(3, 14, 300),
        first=_at_each(_EDGES, between=2),
    ),
    "counter_beyond_float32": Family(
        "step counters beyond 2^24",
        _of(Slots(counts=_BEYOND, shapes=_SMALL)),
        examples(2, 5, 100),
        first=_at_each(_BEYOND),
    ),
    "element_by_element": Family(
        "small tensors over the whole range, element by element",
        _element_by_element,
        examples(3, 10, 1000),
        by_format=True,
    ),
    "full_range": Family(
        "random bit patterns, or the widest range in which squares can be summed",
        _full_range,
        examples(2, 8, 300),
        by_format=True,
    ),
    "large": Family(
        "tensors beyond the sizes where kernels go parallel", _large, examples(1, 1, 30)
    ),
    "lockstep": Family(
        "groups, layouts, reachable states, several steps",
        _of(Slots(), groups=2, tensors=3),
        examples(6, 9, 2000),
    ),
    "many_tensors": Family(
        "more tensors than one launch takes", _many_tensors, examples(1, 1, 10), simplified=False
    ),
    "special_values": Family(
        "nan, infinities, the largest and the least numbers", _special_values, examples(3, 10, 300)
    ),
    "update_alone": Family(
        "zero parameters, which show the update undimmed, and gradients of the size of eps",
        _of(Slots(shapes=((9,), (17,), (64,)), grads=(-14, 1), param_kinds=("zeros",)), tensors=2),
        examples(4, 10, 1000),
    ),
}
