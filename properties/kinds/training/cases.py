"""Cases of training-loop pieces: hyperparameters, and the inputs of consecutive calls."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from hypothesis import strategies as st

from truestep.fast.protocol import TrainingCapability
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.cases.dice import Dice, by_seed, rolled
from truestep.properties.cases.hypers import HYPER_BYTES, by_number
from truestep.properties.cases.restored import recorded, restored
from truestep.properties.cases.tensors import (
    KINDS,
    SHAPES,
    SPEC_BYTES,
    SPECIALS,
    TensorSpec,
    spec_of,
    values,
)
from truestep.reference.training import TRAINING, percentile_clipping

# Hyperparameters, or the inputs of a call, by name.
Named: TypeAlias = Mapping[str, Any]
Made: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TrainingCase:
    """The fields of a Hyper, and the inputs of each call by name.

    Tensors are specifications. From the second call on, inputs that the piece also gives out are
    those that the backend gave; what a call lists for them is not used.
    """

    hyper: Named
    calls: tuple[Named, ...]

    def to_json(self) -> Made:
        """A dictionary that json accepts and from_json restores exactly."""
        return recorded(self)

    @classmethod
    def from_json(cls, record: Named) -> TrainingCase:
        """The case that to_json wrote."""
        calls = tuple({k: _read(x) for k, x in call.items()} for call in record["calls"])
        return cls(dict(record["hyper"]), calls)


def _read(x: object) -> object:
    if isinstance(x, (list, tuple)):
        return tuple(_read(item) for item in x)
    return restored(TensorSpec, x) if isinstance(x, Mapping) else x


@dataclass(frozen=True, slots=True)
class Ranges:
    """From what a family of cases draws.

    tensors, calls: the least and the largest number of them. overflows: whether calls have nan or
    infinities in gradients now and then. exact: whether gradients have a norm that is a number of
    every format, with the threshold at it or next to it.
    """

    shapes: tuple[tuple[int, ...], ...] = SHAPES
    kinds: tuple[str, ...] = KINDS
    exponents: tuple[int, int] = (-6, 2)
    specials: tuple[str, ...] = SPECIALS
    tensors: tuple[int, int] = (1, 3)
    calls: tuple[int, int] = (1, 1)
    overflows: bool = False
    exact: bool = False


Drawn = Callable[[Dice], Any]


def _of(*values: object) -> Drawn:
    return lambda dice: dice.one_of(values)


def _power(dice: Dice, low: int, high: int) -> float:
    return 2.0 ** dice.between(low, high)


def _unit(dice: Dice) -> float:
    return float(f"{dice.one_of((1.0, 1.3, 2.0, 3.0, 7.0))}e{dice.between(-3, 1)}")


def _square(dice: Dice) -> float:
    return _unit(dice) * _power(dice, -8, 8)


# Numbers that JSON has no word for, by name.
NOT_FINITE: Mapping[str, float] = {"inf": math.inf, "nan": math.nan, "negative_inf": -math.inf}
# Numbers and counts by name of input; those that depend on the Hyper are set in _consistent.
NUMBERS: Mapping[str, Drawn] = {
    "bad": lambda dice: dice.between(0, 11),
    "batch": _of(1, 32, 256, 1000, 8192),
    "big_square": _square,
    "cooling": _of(0, 0, 1, 2, 5),
    "examples": _of(1.0, 2.0, 3.0, 5.0, 17.0, 0.5, 100.0),
    "fan_in": _of(1, 2, 3, 64, 100, 4096),
    "g2": lambda dice: _unit(dice) * dice.one_of((1.0, -1.0, 0.0)),
    "good": lambda dice: dice.between(0, 1999),
    "left": lambda dice: dice.between(0, 499),
    "logits": _of(250.0, 99.0, 1e4, 101.0, 100.0, 0.25, 31.0, -250.0, 3.0, 0.0, 1e30, *NOT_FINITE),
    "lr": _unit,
    "mean": _of(1.0, 0.5, 2.0),
    "module": _of("other", "embedding", "other"),
    "patience": lambda dice: dice.between(1, 3),
    "ratio": lambda dice: _unit(dice) * dice.one_of((1.0, -1.0, 0.0)),
    "role": _of("input", "hidden", "output", "bias"),
    "s": lambda dice: _unit(dice) * dice.one_of((1.0, 0.0)),
    "scale": lambda dice: 65536.0 if dice.flip() else _power(dice, -12, 24),
    "scales_above": lambda dice: tuple(_power(dice, 0, 20) for _ in range(dice.between(0, 3))),
    "seen": lambda dice: dice.between(0, 2),
    "size": lambda dice: dice.one_of((0, -1, 1, 256, 512, 2048, -256, 63, 0, 64)),
    "sizes": lambda dice: dice.between(1, 100),
    "small_square": _square,
    "t": _of(0, 1, 2, 9, 999, 12345),
    "tau": _of(0, 1, 2, 3, 7, 100),
    "warming": _of(0, 0, 1, 2, 5),
    "weight": _of(1.0, 2.0, 8.0, 0.5, 33.0),
}
# What a number, or the choice of a special element, takes of the dice at most.
_NUMBER_BYTES = 8
_OVERFLOWS = tuple(NOT_FINITE)
# Special elements that are not sizes.
_SIGNED = ("alternating", "negative_inf", "negative_zero")


def cases(capability: TrainingCapability, ranges: Ranges) -> st.SearchStrategy[TrainingCase]:
    """Cases of a piece."""
    return rolled(_bytes(capability, ranges), _maker(capability, ranges))


def of_seed(capability: TrainingCapability, ranges: Ranges, seed: int) -> TrainingCase:
    """The case of a seed."""
    return by_seed(_bytes(capability, ranges), _maker(capability, ranges))(seed)


def _bytes(capability: TrainingCapability, ranges: Ranges) -> int:
    """What a case takes of the dice at most, a shape one."""
    _, most = _numbers(capability, ranges)
    lists = {"tensors": most * SPEC_BYTES, "replicas": most * SPEC_BYTES, "counts": most}
    words = TRAINING[capability.rule].INPUTS.values()
    call = sum(lists.get(word, SPEC_BYTES) + _NUMBER_BYTES for word in words)
    return HYPER_BYTES + most + ranges.calls[1] * call + 4 * _NUMBER_BYTES


def _maker(capability: TrainingCapability, ranges: Ranges) -> Callable[[Dice], TrainingCase]:
    piece, shapes = TRAINING[capability.rule], _shapes(capability, ranges)
    numbers = _numbers(capability, ranges)
    fields = by_number(piece, capability.dialect, capability.fixed)

    def made(dice: Dice) -> TrainingCase:
        hyper = fields(dice.number(HYPER_BYTES))
        chosen = tuple(dice.one_of(shapes) for _ in range(dice.between(*numbers)))
        calls = tuple(
            _consistent(
                {k: _input(dice, k, word, chosen, ranges) for k, word in piece.INPUTS.items()},
                hyper,
            )
            for _ in range(dice.between(*ranges.calls))
        )
        if ranges.overflows and dice.flip():
            calls = (_overflowing_when_unscaled(dice, calls[0], hyper), *calls[1:])
        if ranges.exact:
            return _at_the_threshold(dice, capability, hyper, calls[0])
        return TrainingCase(_reaching(dice, capability, hyper, calls[0]), calls)

    return made


def _numbers(capability: TrainingCapability, ranges: Ranges) -> tuple[int, int]:
    """The least and the largest number of tensors, no more replicas than there may be workers."""
    if not capability.workers or "replicas" not in TRAINING[capability.rule].INPUTS.values():
        return ranges.tensors
    low, high = ranges.tensors
    return min(low, capability.workers), min(high, capability.workers)


def _shapes(capability: TrainingCapability, ranges: Ranges) -> tuple[tuple[int, ...], ...]:
    if capability.shapes == "any":
        return ranges.shapes
    least = 2 if capability.shapes == "matrices" else 0
    return tuple(s for s in ranges.shapes if 0 not in s and len(s) >= least)


def _input(
    dice: Dice, name: str, word: str, shapes: tuple[tuple[int, ...], ...], ranges: Ranges
) -> Any:
    if name in ("logits", "sizes"):
        return tuple(NUMBERS[name](dice) for _ in shapes)
    if name in NUMBERS and word not in ("tensors", "tensor", "array"):
        return NUMBERS[name](dice)
    chosen = {
        "tensors": shapes,
        "replicas": (shapes[0],) * len(shapes),
        "tensor": shapes[:1],
        "array": (dice.one_of(ranges.shapes),),
    }[word]
    given = ranges.kinds, ranges.exponents, ranges.specials
    tensors = tuple(spec_of(dice, shape, *given) for shape in chosen)
    if ranges.overflows and name in ("gradients", "gradient", "delta", "x") and dice.flip():
        i = dice.between(0, len(tensors) - 1)
        special = (dice.between(0, 600), dice.one_of(_OVERFLOWS))
        changed = dataclasses.replace(tensors[i], specials=(special,))
        tensors = (*tensors[:i], changed, *tensors[i + 1 :])
    return tensors[0] if word in ("tensor", "array") else tensors


def _overflowing_when_unscaled(dice: Dice, call: Made, hyper: Named) -> Made:
    """The call with a finite gradient that its scale, one below 1, makes infinite."""
    if not {"gradients", "scale"} <= set(call) or not call["gradients"]:
        return call
    scale = max(_power(dice, -6, -1), hyper.get("min_scale", 0.0))
    first, *others = call["gradients"]
    huge = dataclasses.replace(first, specials=(*first.specials, (first.seed, "largest")))
    return {**call, "gradients": (huge, *others), "scale": scale}


def _consistent(inputs: Made, hyper: Named) -> Made:
    """The inputs with counters and sums that a run can reach under these hyperparameters."""
    if "metric" in inputs:
        inputs |= _measured(inputs, hyper)
    if "patience" in inputs:
        inputs["good"] %= hyper["window"]
        inputs["patience"] = 1 + inputs["patience"] % hyper["hysteresis"]
        inputs["scale"] = min(max(inputs["scale"], hyper["min_scale"]), hyper["max_scale"])
    if "totals" in inputs:
        inputs["t"] %= hyper["steps"]
        if inputs["t"] == 0:
            inputs |= {"totals": _zeros(inputs["totals"]), "weight": 0.0}
    if "moments" in inputs and inputs["t"] == 0:
        inputs["moments"] = _zeros(inputs["moments"])
    if "g2" in inputs and inputs["t"] == 0:
        inputs |= {"g2": 0.0, "s": 0.0, "ratio": 0.0}
    if "gnorm_vec" in inputs:
        inputs["gnorm_vec"] = _squares(inputs["gnorm_vec"], inputs["gradient"], inputs["t"])
    if "module" in inputs:
        # Beside the least size, and whole blocks: what is drawn is how far from it.
        inputs["size"] = max(hyper["min_size"] + inputs["size"], 0)
    if "signs" in inputs:
        inputs |= _in_blocks(inputs["gradients"], inputs["signs"].seed)
    if "amax_history" in inputs:
        given, length = inputs["amax_history"], hyper["amax_history_len"]
        inputs["amax_history"] = _sizes(given, length, inputs["x"].exponent)
        # Quotients, and not powers of two.
        inputs["scale"] *= 1 + given.seed % 448 / 448
    return inputs


# Distances of a metric from the best one, in thresholds: on either side of the threshold, none on
# it, where rounding would decide. What else a metric or the best one may be.
_DISTANCES = (0.0, 0.5, 2.0, -0.5, -2.0, 8.0, 2.0, 0.5, -8.0)
_METRICS = ("nan", "inf", "negative_inf")


def _measured(inputs: Named, hyper: Named) -> Made:
    """Counters that a run can reach, and a metric beside the best one or not finite.

    At one in six the best one is still infinite, at a threshold of all of it at one in two.
    """
    seeds = inputs["best"].seed, inputs["metric"].seed
    sign = -1.0 if hyper.get("mode") == "max" else 1.0
    best = (-1.0) ** (seeds[0] % 3 == 2) * _decimal(seeds[0])
    width = hyper["rtol"] * abs(best) + hyper["atol"]
    # Whatever the threshold, as far that float32 tells it from the best one.
    width = max(width, 2.0**-10 * abs(best)) * _DISTANCES[seeds[1] % len(_DISTANCES)]
    metric = _number(best - sign * width)
    worst = "inf" if sign > 0 else "negative_inf"
    most = hyper["patience"] - (hyper.get("patience_ends") == "reached")
    cooling, warming = (
        inputs.get(name, 0) % (hyper.get(of, 0) + 1)
        for name, of in (("cooling", "cooldown"), ("warming", "warmup"))
    )
    waits = cooling > 0 or warming > 0
    # A run of good metrics is none of bad ones.
    good = "good" in inputs and seeds[1] // 64 % 2 == 1
    bad = 0 if waits or good else inputs["bad"] % (max(most, 0) + 1)
    found = {
        "bad": bad,
        "best": _number(best, worst if seeds[0] % (2 if hyper["rtol"] == 1 else 6) == 0 else ""),
        "cooling": cooling,
        "lr": max(inputs["lr"], hyper["min_lr"]),
        "metric": _number(best - sign * width, _METRICS[seeds[1] % 3] * (seeds[1] % 7 == 0)),
    }
    if "mean" in inputs:
        seen = inputs["seen"] % hyper["accumulation"]
        mean = metric.elements[0] * inputs["mean"] if seen else 0.0
        found |= {"seen": seen, "mean": mean}
    if "left" in inputs:
        found["lr"] = min(found["lr"], hyper["max_lr"])
        found["left"] = 1 + inputs["left"] % hyper["rests"]
        found["warming"] = 0 if cooling else warming
        found["good"] = 0 if waits or bad else inputs["good"] % (hyper["patience"] + 1)
    return found


def _decimal(seed: int) -> float:
    """A number from 0.001 to 70 that no binary format has."""
    return float(f"{(1.3, 3.1, 7.0, 2.0)[seed % 4]}e{seed // 4 % 5 - 3}")


def _number(x: float, special: str = "") -> TensorSpec:
    specials = ((0, special),) if special else ()
    return TensorSpec((), "explicit", elements=(x,), specials=specials)


# Lengths of blocks, NVFP4's more often than others.
_BLOCKS = (16, 16, 2, 32, 16, 128, 1, 8)


def _in_blocks(tensors: Sequence[TensorSpec], seed: int) -> Made:
    """The tensors with whole blocks along their last axes, and the signs of a block."""
    n = _BLOCKS[seed % len(_BLOCKS)]
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), n)
    shapes = [(*x.shape[:-1], -(-x.shape[-1] // n) * n) if x.shape else (n,) for x in tensors]
    fitting = zip(tensors, shapes, strict=True)
    return {
        "gradients": tuple(dataclasses.replace(x, shape=shape) for x, shape in fitting),
        "signs": TensorSpec((n,), "explicit", elements=tuple(signs.tolist())),
    }


def _sizes(x: TensorSpec, length: int, exponent: int) -> TensorSpec:
    """So many extremes of that order of magnitude, none negative."""
    kind = "zeros" if x.kind == "zeros" else "positive"
    held = tuple(special for special in x.specials if special[1] not in _SIGNED)
    return TensorSpec((length,), kind, x.seed, exponent, specials=held)


def _squares(x: TensorSpec, gradient: TensorSpec, t: int) -> TensorSpec:
    """Squared norms of earlier gradients of that one's order of magnitude; zeros before the first.

    x: whose seed and special elements they have.
    """
    square = _norm([gradient], largest=False) ** 2
    decade = round(math.log10(square)) if 0 < square < math.inf else 2 * gradient.exponent
    return _sizes(x if t else TensorSpec(x.shape, "zeros"), percentile_clipping.SLOTS, decade)


def _zeros(tensors: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(x.shape, "zeros", layout=x.layout) for x in tensors)


def _norm(tensors: Sequence[TensorSpec], largest: bool) -> float:
    parts = [values(spec, format_named("float32")).reshape(-1) for spec in tensors]
    x = np.concatenate([*parts, np.zeros(1)])
    with np.errstate(all="ignore"):
        return float(np.max(np.abs(x)) if largest else np.sqrt(np.sum(x * x)))


_FACTORS = (0.5, 0.9, 2.0, 1.0, 0.999, 1e-3, 10.0, 0.03)


def _reaching(dice: Dice, capability: TrainingCapability, hyper: Made, call: Named) -> Made:
    """The fields with thresholds of the size of what they are held against."""
    for name in ("max_norm", "max_value"):
        if name in hyper and name not in capability.fixed:
            largest = name == "max_value" or capability.dialect.get("norm") == "infinity"
            size = _norm(call["gradients"], largest) * dice.one_of(_FACTORS)
            # A limit that the format does not hold is no limit, and some kernels refuse it.
            if 1e-30 < size < min(1e30, format_named(capability.format).largest):
                hyper = {**hyper, name: float(np.float32(size))}
    return hyper


# Vectors of integers whose norm is an integer, so that no kernel rounds it.
_WHOLE = ((3, 4), (2, 3, 6), (1, 4, 8), (1, 1, 1, 1), (-5, 12), (2, -10, 11), (0, -4, 0, 3), (7,))


def _at_the_threshold(
    dice: Dice, capability: TrainingCapability, hyper: Made, call: Named
) -> TrainingCase:
    """Gradients of a norm that every kernel gets exactly, and a limit at it or beside it."""
    vector, scale = dice.one_of(_WHOLE), _power(dice, -10, 3)
    beside = dice.one_of((0.0, -(2.0**-23), 2.0**-23, -1e-5, 1e-5, -1e-3, 1e-3))
    largest = "max_value" in hyper or capability.dialect.get("norm") == "infinity"
    size = scale * (max(map(abs, vector)) if largest else math.hypot(*vector))
    limit = float(np.float32(size * (1 + beside)))
    elements = tuple(x * scale for x in vector)
    whole = TensorSpec((len(vector),), "explicit", elements=elements)
    call = dict(call)
    if "params" in call:
        # The unit's limit is the least norm eps times clipping, or that of equal parameters.
        hyper = {**hyper, "clipping": 0.25, "eps": 4 * limit if "eps" in hyper else 0.0}
        small = tuple(x / 64 for x in elements)
        call |= {"params": (dataclasses.replace(whole, elements=small),), "gradients": (whole,)}
        if dice.flip():
            larger = tuple(4 * x for x in elements)
            call["params"] = (dataclasses.replace(whole, elements=larger),)
            hyper["eps"] = scale / 64
    else:
        at = dice.between(0, len(vector))
        parts = [part for part in (elements[:at], elements[at:]) if part]
        call["gradients"] = tuple(
            TensorSpec((len(part),), "explicit", elements=part) for part in parts
        )
        hyper = {**hyper, "max_value" if "max_value" in hyper else "max_norm": limit}
    for name in set(hyper) & set(capability.fixed):
        hyper[name] = capability.fixed[name]
    return TrainingCase(hyper, (call,))
