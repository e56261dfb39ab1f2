"""Faults in the random numbers by which codes of state are rounded."""

from dataclasses import replace
from functools import partial

import numpy as np

from truestep.fast.protocol import Storage
from truestep.properties.museum.fault import Fault, fault
from truestep.properties.museum.faults.adamw import BEFORE
from truestep.properties.museum.kept import Stream, fresh
from truestep.reference.validation import Array

# A format with float scales and one with powers of two.
DRAWN = {
    "m": Storage("int8", {"block_size": 64, "rounding": "stochastic"}),
    "v": Storage("mxfp8_e4m3", {"rounding": "stochastic"}),
}
drawn = partial(fault, "adamw", "draws", dialect=BEFORE, storage=DRAWN, check="drawn_codes")


def _one_call(stream: Stream, shape: tuple[int, ...]) -> Array:
    return fresh(replace(stream, call=0), shape)


def _one_tensor(stream: Stream, shape: tuple[int, ...]) -> Array:
    return fresh(replace(stream, tensor=0), shape)


def _one_state(stream: Stream, shape: tuple[int, ...]) -> Array:
    return fresh(replace(stream, state=""), shape)


def _shared(stream: Stream, shape: tuple[int, ...], by: int) -> Array:
    """Each number for so many elements, one after another."""
    size = int(np.prod(shape))
    return np.repeat(fresh(stream, (-(-size // by),)), by)[:size].reshape(shape)


def _repeated(stream: Stream, shape: tuple[int, ...], period: int) -> Array:
    return np.resize(fresh(stream, (period,)), shape)


def _antithetic(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Of two neighbours one number, and what it lacks."""
    pairs = _shared(stream, shape, 2).reshape(-1)
    pairs[1::2] = 2**16 - 1 - pairs[1::2]
    return pairs.reshape(shape)


def _added(stream: Stream, shape: tuple[int, ...], more: int) -> Array:
    """All numbers too small or too large."""
    return fresh(stream, shape) + more


def _cut(stream: Stream, shape: tuple[int, ...], bits: int) -> Array:
    """So many bits of sixteen."""
    return fresh(stream, shape) >> (16 - bits) << (16 - bits)


def _constant(stream: Stream, shape: tuple[int, ...], number: int) -> Array:
    return np.full(shape, number)


DRAWS: dict[str, Fault] = {
    "adamw_state_antithetic_pairs": drawn(
        "of two neighbours one goes up where the other goes down [variance reduction misapplied]",
        noise=_antithetic,
    ),
    "adamw_state_cut_toward_zero": drawn(
        "codes are cut off where they are to be drawn [casts that take no random bits]",
        noise=partial(_constant, number=2**16 - 1),
    ),
    "adamw_state_drawn_too_low": drawn(
        "the probability of the larger code is 2^-9 too small [thresholds from 1 on]",
        noise=partial(_added, more=2**7),
    ),
    "adamw_state_drawn_too_high": drawn(
        "the probability of the larger code is 2^-9 too large [a rounding before the noise]",
        noise=partial(_added, more=-(2**7)),
    ),
    "adamw_state_few_bits": drawn(
        "four random bits are drawn [conversions to fewer bits than the random number was for]",
        noise=partial(_cut, bits=4),
    ),
    "adamw_state_half_the_noise": drawn(
        "fifteen of sixteen random bits are drawn [signed random integers]",
        noise=lambda stream, shape: fresh(stream, shape) >> 1,
    ),
    "adamw_state_nearest": drawn(
        "codes are the nearest where they are to be drawn [NVIDIA/TransformerEngine#3281]",
        noise=partial(_constant, number=2**15),
    ),
    "adamw_state_noise_of_block": drawn(
        "every 1024 elements have the same random numbers [offsets that lack the block's index]",
        noise=partial(_repeated, period=1024),
    ),
    "adamw_state_noise_of_lanes": drawn(
        "four elements share a random number [one draw of Philox for four elements]",
        noise=partial(_shared, by=4),
    ),
    "adamw_state_one_seed_for_calls": drawn(
        "every call has the same random numbers [karpathy/llm.c#597]", noise=_one_call
    ),
    "adamw_state_one_seed_for_states": drawn(
        "both moments are rounded by the same random numbers [one seed for a fused kernel]",
        noise=_one_state,
    ),
    "adamw_state_one_seed_for_tensors": drawn(
        "every tensor has the same random numbers [seeds that lack the tensor's index]",
        noise=_one_tensor,
    ),
}
