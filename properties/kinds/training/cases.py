"""Cases of training-loop pieces: hyperparameters, and the inputs of consecutive calls."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from truestep.fast.protocol import TrainingCapability
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.cases.hypers import hypers
from truestep.properties.cases.restored import recorded, restored
from truestep.properties.cases.tensors import KINDS, SHAPES, SPECIALS, TensorSpec, specs, values
from truestep.reference.training import TRAINING

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True, slots=True)
class TrainingCase:
    """The fields of a Hyper, and the inputs of each call by name.

    Tensors are specifications. From the second call on, inputs that the piece also gives out are
    those that the backend gave; what a call lists for them is not used.
    """

    hyper: Mapping[str, Any]
    calls: tuple[Mapping[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """A dictionary that json accepts and from_json restores exactly."""
        return recorded(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> TrainingCase:
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


def _powers(low: int, high: int) -> st.SearchStrategy[float]:
    return st.integers(low, high).map(lambda k: 2.0**k)


_UNITS = st.builds(
    lambda m, k: float(f"{m}e{k}"), st.sampled_from((1.0, 1.3, 2.0, 3.0, 7.0)), st.integers(-3, 1)
)
# Numbers and counts by name of input; those that depend on the Hyper are set in _consistent.
NUMBERS: dict[str, st.SearchStrategy[Any]] = {
    "batch": st.sampled_from((1, 32, 256, 1000, 8192)),
    "big_square": st.builds(lambda a, b: a * b, _UNITS, _powers(-8, 8)),
    "examples": st.sampled_from((1.0, 2.0, 3.0, 5.0, 17.0, 0.5, 100.0)),
    "fan_in": st.sampled_from((1, 2, 3, 64, 100, 4096)),
    "g2": st.builds(lambda a, s: a * s, _UNITS, st.sampled_from((1.0, -1.0, 0.0))),
    "good": st.integers(0, 1999),
    "patience": st.integers(1, 3),
    "ratio": st.builds(lambda a, s: a * s, _UNITS, st.sampled_from((1.0, -1.0, 0.0))),
    "role": st.sampled_from(("input", "hidden", "output", "bias")),
    "s": st.builds(lambda a, s: a * s, _UNITS, st.sampled_from((1.0, 0.0))),
    "scale": st.one_of(st.just(65536.0), _powers(-12, 24)),
    "scales_above": st.lists(_powers(0, 20), max_size=3).map(tuple),
    "sizes": st.integers(1, 100),
    "small_square": st.builds(lambda a, b: a * b, _UNITS, _powers(-8, 8)),
    "t": st.sampled_from((0, 1, 2, 9, 999, 12345)),
    "tau": st.sampled_from((0, 1, 2, 3, 7, 100)),
    "weight": st.sampled_from((1.0, 2.0, 8.0, 0.5, 33.0)),
}
_OVERFLOWS = ("inf", "nan", "negative_inf")


def cases(capability: TrainingCapability, ranges: Ranges) -> st.SearchStrategy[TrainingCase]:
    """Cases of a piece."""
    fields = hypers(TRAINING[capability.rule], capability.dialect, capability.fixed)
    shape = st.sampled_from(_shapes(capability, ranges))
    return _cases(capability, ranges, fields, shape)


@st.composite
def _cases(
    draw: Draw,
    capability: TrainingCapability,
    ranges: Ranges,
    fields: st.SearchStrategy[dict[str, Any]],
    shape: st.SearchStrategy[tuple[int, ...]],
) -> TrainingCase:
    words = TRAINING[capability.rule].INPUTS.items()
    hyper = draw(fields)
    shapes = tuple(draw(shape) for _ in range(draw(st.integers(*ranges.tensors))))
    calls = tuple(
        _consistent({k: _input(draw, k, word, shapes, ranges) for k, word in words}, hyper)
        for _ in range(draw(st.integers(*ranges.calls)))
    )
    if ranges.overflows and draw(st.booleans()):
        calls = (_overflowing_when_unscaled(draw, calls[0], hyper), *calls[1:])
    if ranges.exact:
        case: TrainingCase = draw(_at_the_threshold(capability, hyper, calls[0]))
        return case
    return TrainingCase(_reaching(draw, capability, hyper, calls[0]), calls)


@cache
def _specs(ranges: Ranges) -> st.SearchStrategy[TensorSpec]:
    return specs(((),), ranges.kinds, ranges.exponents, ranges.specials)


def _shapes(capability: TrainingCapability, ranges: Ranges) -> tuple[tuple[int, ...], ...]:
    if capability.shapes == "any":
        return ranges.shapes
    least = 2 if capability.shapes == "matrices" else 0
    return tuple(s for s in ranges.shapes if 0 not in s and len(s) >= least)


def _input(
    draw: Draw, name: str, word: str, shapes: tuple[tuple[int, ...], ...], ranges: Ranges
) -> Any:
    if name == "sizes":
        return tuple(draw(NUMBERS[name]) for _ in shapes)
    if name in NUMBERS and word not in ("tensors", "tensor", "array"):
        return draw(NUMBERS[name])
    chosen = {
        "tensors": shapes,
        "replicas": (shapes[0],) * len(shapes),
        "tensor": shapes[:1],
        "array": (draw(st.sampled_from(ranges.shapes)),),
    }[word]
    tensors = tuple(dataclasses.replace(draw(_specs(ranges)), shape=shape) for shape in chosen)
    if ranges.overflows and name in ("gradients", "gradient", "delta") and draw(st.booleans()):
        i = draw(st.integers(0, len(tensors) - 1))
        special = (draw(st.integers(0, 600)), draw(st.sampled_from(_OVERFLOWS)))
        changed = dataclasses.replace(tensors[i], specials=(special,))
        tensors = (*tensors[:i], changed, *tensors[i + 1 :])
    return tensors[0] if word in ("tensor", "array") else tensors


def _overflowing_when_unscaled(
    draw: Draw, call: dict[str, Any], hyper: Mapping[str, Any]
) -> dict[str, Any]:
    """The call with a finite gradient that its scale, one below 1, makes infinite."""
    if not {"gradients", "scale"} <= set(call) or not call["gradients"]:
        return call
    scale = max(draw(_powers(-6, -1)), hyper.get("min_scale", 0.0))
    first, *others = call["gradients"]
    huge = dataclasses.replace(first, specials=(*first.specials, (first.seed, "largest")))
    return {**call, "gradients": (huge, *others), "scale": scale}


def _consistent(inputs: dict[str, Any], hyper: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs with counters and sums that a run can reach under these hyperparameters."""
    if "good" in inputs:
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
    return inputs


def _zeros(tensors: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(x.shape, "zeros", layout=x.layout) for x in tensors)


def _norm(tensors: Sequence[TensorSpec], largest: bool) -> float:
    parts = [values(spec, format_named("float32")).reshape(-1) for spec in tensors]
    x = np.concatenate([*parts, np.zeros(1)])
    with np.errstate(all="ignore"):
        return float(np.max(np.abs(x)) if largest else np.sqrt(np.sum(x * x)))


_FACTORS = (0.5, 0.9, 2.0, 1.0, 0.999, 1e-3, 10.0, 0.03)


def _reaching(
    draw: Draw, capability: TrainingCapability, hyper: dict[str, Any], call: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields with thresholds of the size of what they are held against."""
    for name in ("max_norm", "max_value"):
        if name in hyper and name not in capability.fixed:
            largest = name == "max_value" or capability.dialect.get("norm") == "infinity"
            size = _norm(call["gradients"], largest) * draw(st.sampled_from(_FACTORS))
            # A limit that the format does not hold is no limit, and some kernels refuse it.
            if 1e-30 < size < min(1e30, format_named(capability.format).largest):
                hyper = {**hyper, name: float(np.float32(size))}
    return hyper


# Vectors of integers whose norm is an integer, so that no kernel rounds it.
_WHOLE = ((3, 4), (2, 3, 6), (1, 4, 8), (1, 1, 1, 1), (-5, 12), (2, -10, 11), (0, -4, 0, 3), (7,))


@st.composite
def _at_the_threshold(
    draw: Draw, capability: TrainingCapability, hyper: dict[str, Any], call: Mapping[str, Any]
) -> TrainingCase:
    """Gradients of a norm that every kernel gets exactly, and a limit at it or beside it."""
    vector, scale = draw(st.sampled_from(_WHOLE)), 2.0 ** draw(st.integers(-10, 3))
    beside = draw(st.sampled_from((0.0, -(2.0**-23), 2.0**-23, -1e-5, 1e-5, -1e-3, 1e-3)))
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
        if draw(st.booleans()):
            larger = tuple(4 * x for x in elements)
            call["params"] = (dataclasses.replace(whole, elements=larger),)
            hyper["eps"] = scale / 64
    else:
        at = draw(st.integers(0, len(vector)))
        parts = [part for part in (elements[:at], elements[at:]) if part]
        call["gradients"] = tuple(
            TensorSpec((len(part),), "explicit", elements=part) for part in parts
        )
        hyper = {**hyper, "max_value" if "max_value" in hyper else "max_norm": limit}
    for name in set(hyper) & set(capability.fixed):
        hyper[name] = capability.fixed[name]
    return TrainingCase(hyper, (call,))
