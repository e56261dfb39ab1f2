"""What a format stores beside its codes, by name: one scale to a group, or as the format says."""

from collections.abc import Mapping

import numpy as np

from truestep.fast.protocol import Array
from truestep.reference.declared import Hyper
from truestep.reference.rules import Quantizer
from truestep.reference.stored_arrays import Stored

# Numbers of every sort, and of both signs where a format has those.
_NUMBERS = (0.0, 1.0, 0.1, 3.0, 2.0**-149, 2.0**-130, 2.0**-126, 2.0**127, np.inf, np.nan)
_SIGNED = (*_NUMBERS, -3.0, -0.1)
# Elements to be decoded, as far as they are at least so many groups.
_ELEMENTS, _GROUPS = 2**16, 16


def kept_beside(rule: Quantizer, hyper: Hyper, shape: tuple[int, ...]) -> Mapping[str, Stored]:
    """The arrays beside the codes of a tensor of this shape, in their order."""
    if hasattr(rule, "beside"):
        named: Mapping[str, Stored] = rule.beside(hyper, shape)
        return named
    kind = rule.scales(hyper, np.zeros(1))[0].dtype
    codes = 256 if kind.kind == "u" else 0
    return {rule.SCALE: Stored(kind, (rule.groups(hyper, shape),), codes)}


def due_beside(
    rule: Quantizer, hyper: Hyper, x: Array, held: Mapping[str, Array], division_ulps: float
) -> Mapping[str, tuple[Array, Array]]:
    """Of each array that is judged the least and the largest that a faithful kernel may store."""
    if hasattr(rule, "intervals"):
        due: Mapping[str, tuple[Array, Array]] = rule.intervals(
            hyper, x, *held.values(), division_ulps=division_ulps
        )
        return due
    return {rule.SCALE: rule.scales(hyper, x, division_ulps=division_ulps)}


def every_stored(rule: Quantizer, hyper: Hyper, code: np.dtype[np.uint8]) -> Mapping[str, Array]:
    """Every code that stands for a number, beside every sort of scale: all, if it is a code too."""
    if not rule.BLOCKS:
        return {"code": np.arange(rule.all_values(hyper).size).astype(code)}
    codes = np.arange(2 ** (8 * code.itemsize)).astype(code)
    codes = codes[rule.rank(codes) >= 0]
    if not hasattr(rule, "beside"):
        return _by_scale(rule, hyper, codes)
    length = rule.length(hyper)
    groups = max(_GROUPS, _ELEMENTS // length)
    made = rule.arranged(hyper, np.resize(codes, (groups, length)))
    held, rng = {"code": made}, np.random.default_rng(5)
    for name, kept in kept_beside(rule, hyper, made.shape).items():
        held[name] = _drawn(kept, rng)
    return held


def _by_scale(rule: Quantizer, hyper: Hyper, codes: Array) -> Mapping[str, Array]:
    (kept,) = kept_beside(rule, hyper, (1,)).values()
    sorts = np.arange(256) if kept.codes else np.array(_NUMBERS)
    per = max(1, codes.size // rule.length(hyper))
    with np.errstate(over="ignore"):
        scale = np.repeat(sorts, per).astype(kept.dtype)
    code = rule.arranged(hyper, np.resize(codes, (scale.size, rule.length(hyper))))
    if rule.groups(hyper, code.shape) == 1:
        scale = np.array([3.0]).astype(kept.dtype)
    return {"code": code, rule.SCALE: scale}


def _drawn(kept: Stored, rng: np.random.Generator) -> Array:
    """Codes and numbers of every sort; of one for the whole tensor, one that hides no other."""
    if kept.codes:
        return rng.integers(kept.least, kept.least + kept.codes, kept.shape).astype(kept.dtype)
    if kept.shape == (1,):
        return np.array([3.0]).astype(kept.dtype)
    with np.errstate(over="ignore"):
        return rng.choice(_SIGNED, kept.shape).astype(kept.dtype)
