"""The input space of a training-loop piece as axes with strata, visited with every seed.

Numbers of tensors and of calls, ranks, layouts, kinds and orders of magnitude, special elements,
calls with infinities among others; hyperparameters drawn continuously, one of them in turn at each
of its corners, and counters at the last value before something happens.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from truestep.fast.protocol import Fixed, TrainingCapability
from truestep.properties.cases.hypers import continuous, corners, defaults
from truestep.properties.cases.strata import SHAPES, SIDES, by_row, spread
from truestep.properties.cases.tensors import (
    ALL_LAYOUTS,
    EXTREMES,
    KINDS,
    LAYOUTS,
    SPECIALS,
    TensorSpec,
)
from truestep.properties.kinds.training.cases import Ranges, TrainingCase, of_seed
from truestep.reference.training import TRAINING, delayed_scaling

NAME = "strata"

TENSORS, CALLS = (2, 1, 3, 2, 7), (1, 1, 1, 2, 2, 6)
EXPONENTS = (0, -3, 2, -8, 6, -19, 18, -30, 33, 38)
# What one element of the gradients is, "" for nothing else than the others.
ELEMENTS = ("", *dict.fromkeys((*EXTREMES, *SPECIALS)))
# What happens in a row's calls besides: nothing, nan and infinities, a finite gradient that its
# scale makes infinite (of a rate, that it may rise), a counter at its last value.
EVENTS = ("", "overflows", "unscaled", "last")
# What happens in rows of its own, with kind and order of magnitude: finite gradients whose sum is
# infinite, scales at their limit, and those that only a margin keeps within it. Where tensors are
# large or many, the limits bind ("bound").
_APART = {"sum": ("constant", 38), "limit": ("normal", -6), "margin": ("normal", -6)}
_ROWS_APART = 3
_ROWS = 40
# Elements of a tensor, a whole chunk of a launch and more than one, and numbers of small tensors,
# few and more than one launch takes.
SIZES, MANY = (2**16, 2**16 + 13), (7, 112)
# Counts and numbers past the ends of 8, 11, 16 and 24 bits, where they can be that large at all.
FAR: Mapping[str, tuple[float, ...]] = {
    "batch": (2**8 + 1, 2**11 + 1, 2**15, 2**16 + 8, 2**24 + 2),
    "examples": (2.0**8 + 1, 2.0**11 + 1, 2.0**15 + 1, 2.0**16 + 1, 2.0**17 + 1),
    "t": (2**8 - 1, 2**15 - 1, 2**16 - 1, 2**24, 2**31 - 2),
    "tau": (2**7 + 1, 2**8 + 1, 2**15 + 1, 2**16 + 1, 2**24 + 1),
}
_PLAIN = ("normal", "spread")
# Limits for gradients are drawn with the gradients, in whose size they have to be.
_WITH_TENSORS = ("max_norm", "max_value")
_GRADIENTS = ("delta", "gradient", "gradients", "x")


@dataclass(frozen=True, slots=True)
class _Row:
    shape: tuple[int, ...]
    kind: str
    exponent: int
    layout: str
    element: str
    event: str
    seed: int
    # In which tensor the element is, and at which position; there where the seed has it if None.
    tensor: int = 0
    position: int | None = None


def made(capability: TrainingCapability, seed: int) -> Sequence[TrainingCase]:
    """The cases of one seed."""
    rng = np.random.default_rng(seed)
    piece = TRAINING[capability.rule]
    given = {**capability.dialect, **capability.fixed}
    special = list(corners(piece, given))
    count = max(_ROWS, len(special))
    shapes = _shapes(capability)
    # Every shape first with nothing that hides what is special about it.
    first, others = len(shapes), count - len(shapes)
    kinds = [*spread(_PLAIN, first, rng), *spread(KINDS, others, rng)]
    elements = [*("" for _ in shapes), *spread(ELEMENTS, others, rng)]
    axes = zip(
        spread(shapes, count, rng), kinds, spread(EXPONENTS, count, rng),
        spread(LAYOUTS, count, rng), elements, spread(EVENTS, count, rng),
        spread(TENSORS, count, rng), spread(CALLS, count, rng),
        spread(by_row(special, count), count, rng),
        strict=True,
    )  # fmt: skip
    found = []
    for shape, kind, exponent, layout, element, event, tensors, calls, at in axes:
        row = _Row(shape, kind, exponent, layout, element, event, int(rng.integers(2**31)))
        if at and (0 in row.shape or row.kind in ("sparse", "zeros")):
            # What is special about a hyperparameter shows where there is something to compute.
            row = replace(row, shape=(8, 8), kind="normal")
        found.append(_row_of(capability, row, tensors, calls, rng, **at))
    for event, (kind, exponent) in _APART.items():
        for _ in range(_ROWS_APART):
            number = int(rng.integers(2**31))
            row = _Row((8, 8), kind, exponent, "contiguous", "", event, number)
            found.append(_row_of(capability, row, 2, 1, rng))
    found += [_row_of(capability, row, tensors, 1, rng) for row, tensors in _large(capability, rng)]
    return [*found, *_far(capability, rng), *_long(capability, rng)]


def _large(capability: TrainingCapability, rng: np.random.Generator) -> Iterator[tuple[_Row, int]]:
    """Large tensors, and with an infinity at the very end large ones and many.

    Many replicas would be as many workers, of which a family of its own has enough.
    """
    width = 256 if capability.shapes == "matrices" else 1
    many = () if "replicas" in TRAINING[capability.rule].INPUTS.values() else MANY
    places = [*(((-(-size // width), width), 1) for size in SIZES), *(((5, 1), n) for n in many)]
    for (rows, columns), tensors in places:
        for element in ("", "inf") if tensors == 1 else ("inf",):
            shape = (rows, columns) if capability.shapes == "matrices" else (rows,)
            number = int(rng.integers(2**31))
            yield _Row(shape, "normal", 0, "contiguous", element, "bound", number, -1, -1), tensors


def _long(capability: TrainingCapability, rng: np.random.Generator) -> Iterator[TrainingCase]:
    """Tensors of long sides, at defaults but for limits that bind."""
    usual = defaults(TRAINING[capability.rule], {**capability.dialect, **capability.fixed})
    at = {name: value for name, value in usual.items() if name not in _WITH_TENSORS}
    for shape, layout in zip(SIDES, spread(ALL_LAYOUTS, len(SIDES), rng), strict=True):
        row = _Row(shape, "normal", 0, layout, "", "bound", int(rng.integers(2**31)))
        yield _row_of(capability, row, 1, 1, rng, **at)


def _far(capability: TrainingCapability, rng: np.random.Generator) -> Iterator[TrainingCase]:
    """Counts and numbers as large as those of long runs on many machines."""
    words = TRAINING[capability.rule].INPUTS
    names = [name for name in FAR if name in words and not (name == "t" and "totals" in words)]
    for k in range(max((len(FAR[name]) for name in names), default=0)):
        row = _Row((8, 8), "normal", 0, "contiguous", "", "last", int(rng.integers(2**31)))
        case = _row_of(capability, row, 2, 1, rng)
        first = {**case.calls[0], **{name: FAR[name][k] for name in names}}
        yield TrainingCase(case.hyper, (first, *case.calls[1:]))
    if "sizes" in words:
        row = _Row((8, 8), "normal", 0, "contiguous", "", "", int(rng.integers(2**31)))
        case = _row_of(capability, row, 7, 1, rng)
        sizes = (3, *(int(x) for x in FAR["examples"]), 2**20)
        workers = len(case.calls[0]["sizes"])
        yield TrainingCase(case.hyper, ({**case.calls[0], "sizes": sizes[-workers:]},))


def _row_of(
    capability: TrainingCapability,
    row: _Row,
    tensors: int,
    calls: int,
    rng: np.random.Generator,
    **at: object,
) -> TrainingCase:
    given = {**capability.dialect, **capability.fixed}
    fields = continuous(TRAINING[capability.rule], given, rng, **at)
    held = {k: x for k, x in fields.items() if k not in _WITH_TENSORS or k in (*given, *at)}
    ranges = Ranges(
        shapes=(row.shape,), kinds=(row.kind,), exponents=(row.exponent, row.exponent),
        tensors=(tensors, tensors), calls=(calls, calls), overflows=row.event == "overflows",
    )  # fmt: skip
    holding = replace(capability, fixed=cast(Mapping[str, Fixed], held))
    return _with(of_seed(holding, ranges, row.seed), row, capability)


def _shapes(capability: TrainingCapability) -> Sequence[tuple[int, ...]]:
    least = 2 if capability.shapes == "matrices" else 0
    everything = capability.shapes == "any"
    return [s for s in SHAPES if everything or (0 not in s and len(s) >= least)]


def _with(case: TrainingCase, row: _Row, capability: TrainingCapability) -> TrainingCase:
    """The case in the row's layout, with its special element, and with what is to happen."""
    calls = [_laid_out(call, row) for call in case.calls]
    first, gradients = calls[0], calls[0].get("gradients")
    hyper = dict(case.hyper)
    if row.event == "bound":
        drawn = [name for name in _WITH_TENSORS if name in hyper and name not in capability.fixed]
        hyper |= {name: hyper[name] / 2**10 for name in drawn}
    if row.event in ("last", "limit") and "patience" in first:
        first["good"], first["patience"] = hyper["window"] - 1, 1
    if row.event in ("last", "limit", "unscaled") and "metric" in first:
        first |= _before_the_change(hyper, row.event)
    if row.event == "limit" and "patience" in first:
        hyper |= {"growth": 2.0, "max_scale": 2.0**30} | dict(capability.fixed)
        first["scale"] = hyper["max_scale"] / hyper["growth"]
        hyper["initial"] = min(hyper["initial"], hyper["max_scale"])
    if row.event in ("limit", "margin") and "amax_history" in first:
        hyper |= _beside_the_largest(first, row, hyper, capability)
    if row.event == "limit" and "delta" in first:
        # What is sparse and wide: far below the format's least number beside its greatest.
        hyper |= {"least": 2.0**-9, "greatest": 448.0, "tolerance": 1e-3} | dict(capability.fixed)
        first["fan_in"], first["delta"] = 4096, _special(first["delta"], (row.seed, "huge"))
    if row.event == "last" and "totals" in first and case.hyper["steps"] > 1:
        first["t"], first["weight"] = case.hyper["steps"] - 1, 2.0
    if row.event == "sum" and "scale" in first:
        first["scale"] = max(1.0, hyper.get("min_scale", 0.0))
    if row.event == "unscaled" and "scale" in first and gradients:
        # The least binary scale: what is divided by it is the largest finite gradient times 2^k.
        least = max(2.0**-6, case.hyper.get("min_scale", 0.0))
        largest = (row.seed, "largest")
        first["scale"] = min(first["scale"], least)
        first["gradients"] = (_special(gradients[0], largest), *gradients[1:])
    return TrainingCase(hyper, tuple(calls))


def _before_the_change(hyper: Mapping[str, Any], event: str) -> Mapping[str, Any]:
    """The counters before a rate falls ("last"), begins anew ("limit") or, if it can, rises.

    The next metric decides whether it does.
    """
    most = hyper["patience"] - (hyper.get("patience_ends") == "reached")
    found: dict[str, Any] = {"bad": max(most, 0), "cooling": 0}
    if "accumulation" in hyper:
        found["seen"] = hyper["accumulation"] - 1
    if "rests" in hyper:
        found |= {"warming": 0, "good": 0, "left": 1 if event == "limit" else hyper["rests"]}
        if event == "limit":
            # Below the least rate, since formats round that to either side.
            found["lr"] = hyper["min_lr"] / 2
        elif event == "unscaled":
            found |= {"bad": 0, "good": hyper["patience"], "lr": 0.95 * hyper["max_lr"]}
    return found


def _beside_the_largest(
    call: dict[str, object], row: _Row, hyper: Mapping[str, float], capability: TrainingCapability
) -> Mapping[str, float]:
    """Extremes just below what makes the largest scale, or above it; the margin that these have.

    Above it, where the quotient is limited without its margin, one that this alone would save.
    """
    alone, above = capability.dialect.get("overflow") == "of_quotient", row.event == "margin"
    margin = hyper["margin"] if "margin" in capability.fixed else 4 if above and alone else 0
    share = 2.0**-2 if above and alone else 1 + 2.0**-6 if above else 1 - 2.0**-6
    shift = 0 if alone else margin
    amax = hyper["largest"] * share * 2.0**-shift / delayed_scaling.GREATEST
    length = cast(TensorSpec, call["amax_history"]).shape[0]
    for name, count in (("amax_history", length), ("x", 3)):
        call[name] = TensorSpec((count,), "explicit", elements=(amax,) * count)
    return {"margin": margin}


def _laid_out(call: Mapping[str, Any], row: _Row) -> dict[str, Any]:
    position = row.seed if row.position is None else row.position
    special = ((position, row.element),) if row.element else ()

    def changed(name: str, x: Any, at: int = 0, count: int = 1) -> Any:
        if isinstance(x, tuple):
            return tuple(changed(name, item, i, len(x)) for i, item in enumerate(x))
        if not isinstance(x, TensorSpec) or x.kind == "explicit":
            return x
        x = replace(x, layout=ALL_LAYOUTS[(ALL_LAYOUTS.index(row.layout) + at) % len(ALL_LAYOUTS)])
        return _special(x, *special) if at == row.tensor % count and name in _GRADIENTS else x

    return {name: changed(name, x) for name, x in call.items()}


def _special(x: TensorSpec, *specials: tuple[int, str]) -> TensorSpec:
    return replace(x, specials=(*x.specials, *specials))
