"""A tensor that was rounded by chance several times: what the draws have in common.

Each element has a probability of its own to go up. These are held against what the draws did, as
``truestep.properties.kinds.optimizer.chances`` says, and errors of two draws, or of elements at a
distance, must not correlate. The probability that a faithful kernel fails is FALSE_ALARM in all,
shared equally among the sums (Bonferroni), of which those of all distances are one.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.judge.contracts import Judgement, identity
from truestep.properties.kinds.optimizer.chances import (
    SUMS,
    Drawn,
    Errors,
    Up,
    at_distances,
    errors,
    often,
)
from truestep.properties.kinds.optimizer.counts import Float
from truestep.properties.kinds.quantizer.rounding_statistics import FALSE_ALARM, bits_of
from truestep.properties.kinds.quantizer.step import Encoded, Subject, judged
from truestep.reference.declared import Hyper
from truestep.reference.rules import Quantizer
from truestep.reference.validation import Array

Found = Iterator[tuple[str, Judgement]]

OFTEN = "how often draws go up, weighted and summed,"
REPEATED = "how draws repeat one another, summed,"


def of_numbers(rule: Quantizer, hyper: Hyper, x: Array, draws: Sequence[Array]) -> Found:
    """Of what draws of a cast are read as: each is one of two neighbours, as often as is due.

    x: float32. draws: each shaped like x. Raises ValueError where they are too few to tell.
    """
    wide = x.astype(np.float64)
    low, high = (rule.decode(hyper, c).astype(np.float64) for c in rule.admissible(hyper, wide))
    reads = [each.astype(np.float64) for each in draws]
    for got in reads:
        right = _same(got, low) | _same(got, high)
        with np.errstate(invalid="ignore"):  # of two infinities
            nearest = np.where(np.abs(got - low) <= np.abs(high - got), low, high)
        yield "draw", identity(got, np.where(right, got, nearest))
    p = rule.probability_up(hyper, wide)
    yield from _statistics(np.stack([got > low for got in reads]), p, p, wide, bits_of(rule))


def _same(x: Float, y: Float) -> Up:
    """Equal, zeros of both signs told apart, nans alike."""
    alike: Up = (x == y) & (np.signbit(x) == np.signbit(y)) | np.isnan(x) & np.isnan(y)
    return alike


def of_codes(subject: Subject, hyper: Hyper, draws: Sequence[Encoded]) -> Found:
    """Of codes, with the scales that they are kept with: each is right, as often as is due.

    draws: of the same float32 tensor. Raises ValueError where they are too few to tell.
    """
    rule, wide = subject.rule, draws[0].x.astype(np.float64)
    for out in draws:
        yield from judged(subject, hyper, out)
    if not rule.BLOCKS:
        backs = [rule.decode(hyper, out.code).astype(np.float64) for out in draws]
        low = rule.decode(hyper, rule.admissible(hyper, wide)[0]).astype(np.float64)
        p = rule.probability_up(hyper, wide)
        yield from _statistics(np.stack([x > low for x in backs]), p, p, wide, bits_of(rule))
        return
    ulps = arithmetic_of(subject.capability.arithmetic).ulps_division
    ups, ends = [], []
    for out in draws:
        scale = out.stored[rule.SCALE]
        held = scale if scale.dtype.kind == "u" else scale.astype(np.float64)
        ups.append(rule.rank(out.code) > rule.lower(hyper, wide, held))
        ends.append(rule.probability_up(hyper, wide, held, division_ulps=ulps))
    # Scales of the same tensor are the same but for what a faithful kernel may round.
    least = np.minimum.reduce([least for least, _ in ends])
    most = np.maximum.reduce([most for _, most in ends])
    yield from _statistics(np.stack(ups), least, most, wide, bits_of(rule))


def _statistics(up: Up, least: Float, most: Float, x: Float, bits: int) -> Found:
    flat = up.reshape(len(up), 1, -1)
    known = np.isfinite(x) & (least < 1) & (most > 0)
    low, high, away = (each.reshape(-1) for each in (least, most, np.sign(np.nan_to_num(x))))
    drawn = Drawn(flat, low, high, known.reshape(-1), away)
    level = FALSE_ALARM / (2 * SUMS + 2)
    _require_enough(drawn, level, bits)
    yield OFTEN, often(drawn, level, bits)
    for found in (*_between_calls(drawn, level), *at_distances(_errors(drawn), level)):
        yield REPEATED, found


def _require_enough(drawn: Drawn, level: float, bits: int) -> None:
    """Raise ValueError where rounding to nearest, toward zero or alike each time would pass."""
    middle = (drawn.least + drawn.most) / 2
    other: dict[str, Callable[[], Judgement]] = {
        "to nearest": lambda: often(_as(drawn, middle > 0.5), level, bits),
        "toward zero": lambda: often(_as(drawn, drawn.away < 0), level, bits),
        "alike each time": lambda: _between_calls(_as(drawn, drawn.up[0, 0]), level)[0],
    }
    for how, judgement in other.items():
        found = judgement()
        if found.passed or not found.judged:
            raise ValueError(
                f"{len(drawn.up)} draws of {int(drawn.open.sum())} numbers that lie between two of "
                f"the format's cannot tell drawing from rounding {how}; give more"
            )


def _as(drawn: Drawn, up: Up) -> Drawn:
    """The draws of a kernel that decides alike each time."""
    every = np.broadcast_to(up, drawn.up.shape)
    return Drawn(every, drawn.least, drawn.most, drawn.open, drawn.away)


def _between_calls(drawn: Drawn, level: float) -> list[Judgement]:
    """How the draws of each element correlate from call to call."""
    x = _errors(drawn)
    return at_distances(Errors(*(getattr(x, f).T for f in Errors.__slots__)), level)


def _errors(drawn: Drawn) -> Errors:
    """Those of all calls, each along the last axis.

    A number may be drawn for going up or for going away from zero: errors are taken as they are,
    and toward the sign of what is rounded.
    """
    calls = [errors(drawn, call) for call in range(len(drawn.up))]
    return Errors(*(np.stack([getattr(call, f) for call in calls]) for f in Errors.__slots__))
