"""What laws of quantizers claim of a tensor that a backend has encoded; ``laws`` has the list.

Faithful kernels may differ where a quotient is within rounding of a threshold, as the two ends of
one loop do, so that most laws speak of settled elements: of which the contract leaves one code.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import Array
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.cases.tensors import ALL_LAYOUTS, laid_out
from truestep.properties.kinds.quantizer.step import Encoded, Subject, beside
from truestep.properties.laws.claims import Claim, Claims
from truestep.reference.declared import Hyper
from truestep.reference.rules import Quantizer

# Half a unit in the last place of 1 in float32, and half of the least number.
_U, _ETA = 2.0**-24, 2.0**-150


def code_is_one_higher_when_doubled(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """Of powers of two: twice a number has the next code, barring over- and underflow."""
    x = np.abs(out.x)
    x = np.where((x >= 2.0**-126) & (x <= 2.0**125), x, np.float32(1))
    once, twice = (subject.encode(hyper, np.ldexp(x, k, out=np.empty_like(x))).code for k in (0, 1))
    yield Claim("code", twice, once + np.uint8(1))


def codes_unchanged_when_scaled_by_a_power_of_two(
    subject: Subject, hyper: Hyper, out: Encoded
) -> Claims:
    """Doubling a block doubles its scale and leaves its codes, barring over- and underflow."""
    x, name = out.x, subject.rule.SCALE
    if not _amid(x):
        return
    floor = getattr(hyper, "absmax_floor", 0.0)
    if floor > 0 and np.any(subject.rule.block_absmax(hyper, x.astype(np.float64)) <= floor):
        return  # a floor does not scale
    least = subject.rule.scales(hyper, np.zeros(1))[1] if hasattr(hyper, "least") else 0.0
    if np.any((out.stored[name] <= least) & (least > 0)):
        return
    image = subject.encode(hyper, np.multiply(4, x, out=np.empty_like(x)))
    yield Claim("code", image.code, out.code)
    yield Claim(name, image.stored[name], 4 * out.stored[name])


def equivariant_under_concatenation(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """Whole blocks and what follows them have the codes and scales that each has by itself."""
    block, flat = subject.rule.length(hyper), out.x.reshape(-1)
    whole = flat.size // block
    n = block * whole
    more = block // 2 + 3 if subject.capability.multiple == 1 else block
    other = np.resize(np.append(flat[::-1], np.float32(1e4)), more)
    alone = subject.encode(hyper, other)
    both = subject.encode(hyper, np.concatenate([flat[:n], other]))
    yield Claim("code", both.code[:n], out.code.reshape(-1)[:n])
    settled = _settled(subject, hyper, alone)
    yield Claim("code", *_where(settled, both.code[n:], alone.code))
    for name in _scales(out):
        yield Claim(name, both.stored[name][:whole], out.stored[name][:whole])
        yield Claim(name, both.stored[name][whole:], alone.stored[name])


def equivariant_under_permutation(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """Elements that change places within their group take their codes along."""
    group = _group(subject, hyper, out.x).reshape(-1)
    drawn = np.random.default_rng(group.size).random(group.size)
    place, moved = np.argsort(group, kind="stable"), np.lexsort((drawn, group))
    came = np.empty_like(moved)
    came[place] = moved
    x = out.x.reshape(-1)[came].reshape(out.x.shape)
    image = subject.encode(hyper, x)
    first = _first_decides(subject, hyper, out.x)
    keep = _settled(subject, hyper, image) & ~first
    yield Claim("code", *_where(keep, image.code, out.code.reshape(-1)[came].reshape(x.shape)))
    for name in _scales(out):
        same = np.ones(out.stored[name].shape, bool)
        same[_group(subject, hyper, x)[first]] = False
        yield Claim(name, *_where(same, image.stored[name], out.stored[name]))


def exponent_shifts_when_scaled_by_a_power_of_two(
    subject: Subject, hyper: Hyper, out: Encoded
) -> Claims:
    """Four times a tensor has exponents higher by two and the same codes, barring their limits."""
    if not _amid(out.x):
        return
    image = subject.encode(hyper, np.multiply(4, out.x, out=np.empty_like(out.x)))
    name = subject.rule.SCALE
    code = out.stored[name].astype(np.int64)
    # Of numbers that are amid the range no exponent but that of zeros is at its limit.
    free = ~_zero(subject, hyper, out.x)
    yield Claim(name, *_where(free, image.stored[name], code + 2))
    of_elements = subject.rule.per_element(hyper, free, out.x.shape)
    yield Claim("code", *_where(of_elements, image.code, out.code))


def extreme_in_the_top_binade(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """A group's largest element is at least the elements' largest power of two."""
    rule = subject.rule
    size = np.zeros(out.stored[rule.SCALE].shape)
    values = np.abs(rule.all_values(hyper))[out.code]
    np.maximum.at(size, _group(subject, hyper, out.x).reshape(-1), values.reshape(-1))
    code = out.stored[rule.SCALE]
    free = (code > 0) & (code < 254) & ~_zero(subject, hyper, out.x)
    yield Claim("code", *_where(free, np.maximum(size, 2.0**rule.row.emax), size))


def extreme_kept(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """A group's extreme is read back: exactly as absmax, else to the rounding of its scale."""
    rule, x = subject.rule, out.x.astype(np.float64)
    ulps = arithmetic_of(subject.capability.arithmetic).ulps_division
    low, high = (
        rule.per_element(hyper, np.abs(ends.astype(np.float64)), x.shape) * rule.extreme(hyper)
        for ends in rule.scales(hyper, x, division_ulps=ulps)
    )
    low, high = np.minimum(low, high), np.maximum(low, high)
    scale = rule.per_element(hyper, out.stored[rule.SCALE], x.shape)
    exists = np.isin(np.sign(x) * np.sign(scale) * rule.extreme(hyper), rule.all_values(hyper))
    # What is no extreme, or has a scale with a limit, is not between these two.
    keep = _settled(subject, hyper, out) & exists & (low <= np.abs(x)) & (np.abs(x) <= high)
    bound = np.where(kept_as(rule) == "absmax", 0.0, high - low + _U * high + _ETA)
    yield Claim("decoded", *_where(keep, out.back, x), bound=np.where(keep, bound, 0.0))


def groups_are_independent(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """Whatever becomes of every second group, the codes and scales of the others stay the same."""
    other = _group(subject, hyper, out.x) % 2 == 1
    image = subject.encode(hyper, np.where(other, np.float32(1e4) - out.x, out.x))
    keep = _settled(subject, hyper, out) & ~other
    yield Claim("code", *_where(keep, image.code, out.code))
    for name in _scales(out):
        yield Claim(name, image.stored[name][::2], out.stored[name][::2])


def idempotent(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """Encoding what was decoded gives the codes again, where a block's extreme is representable."""
    again = subject.encode(hyper, out.back)
    keep = np.isfinite(out.back)
    if subject.rule.BLOCKS:
        name = subject.rule.SCALE
        same = out.stored[name] == again.stored[name]
        if same.size and out.stored[name].dtype.kind == "f":
            # Of numbers whose scale was rounded to zero nothing is left.
            lost = subject.rule.per_element(hyper, out.stored[name] == 0, out.x.shape)
            keep = keep & ~(lost & (out.x != 0))
        keep = keep & subject.rule.per_element(hyper, same, out.x.shape)
        # A subnormal product is not exact, and a tiny value may then round to another code.
        keep = keep & ((np.abs(out.back) >= 2.0**-126) | (out.back == 0))
    left = np.where(keep, again.code, 0)
    yield Claim("code", left, np.where(keep, out.code, 0))


def independent_of_layout(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """Codes and scales are those of the numbers, however these lie in memory."""
    rule, settled = subject.rule, _settled(subject, hyper, out)
    images = [subject.encode(hyper, laid_out(out.x, layout)) for layout in ALL_LAYOUTS[2:]]
    if out.x.ndim > 1 and (not rule.BLOCKS or rule.INDEPENDENT):
        images.append(subject.encode(hyper, out.x.reshape(-1)))
    for image in images:
        yield Claim("code", *_where(settled, image.code.reshape(out.x.shape), out.code))
        for name in _scales(out):
            yield Claim(name, image.stored[name], out.stored[name])


def monotone(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """Ascending numbers, in a format without a sign their sizes, decode to ascending values."""
    x = out.x[np.isfinite(out.x)].reshape(-1)
    x = np.sort(x if signed(subject.rule) else np.abs(x))
    back = subject.encode(hyper, x).back
    kept = back[~np.isnan(back)]
    yield Claim("decoded", np.maximum.accumulate(kept), kept)


def monotone_in_a_group(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """Of two numbers of a group, the larger has no smaller value."""
    keep = _settled(subject, hyper, out)
    x, back, group = out.x[keep], out.back[keep], _group(subject, hyper, out.x)[keep]
    order = np.lexsort((x, group))
    back, alike = back[order], np.diff(group[order]) == 0
    yield Claim("decoded", *_where(alike, np.maximum(back[:-1], back[1:]), back[1:]))


def nearest_value_taken(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """No other value times the scale is nearer, so that the error is at most half of the gap."""
    rule, x = subject.rule, out.x.astype(np.float64)
    values = rule.all_values(hyper)
    usable = np.flatnonzero(np.isfinite(values))
    ascending, first = np.unique(values[usable], return_index=True)
    at = np.searchsorted(ascending, values[out.code])
    codes = [usable[first[np.clip(at + k, 0, ascending.size - 1)]] for k in (-1, 0, 1)]
    scales = beside(out.stored).values()
    due = [rule.decode(hyper, code, *scales) for code in codes]
    keep = _settled(subject, hyper, out) & np.isfinite(out.back)
    errors = [np.where(keep, np.abs(each - x), 0.0) for each in due]
    got, least = np.abs(np.where(keep, out.back - x, 0.0)), np.minimum.reduce(errors)
    rounding = (_U + rule.second_rounding(hyper)) * (1 + _U) * np.abs(np.where(keep, due[1], 0.0))
    yield Claim("error", np.maximum(got, least), least, bound=rounding + _ETA)


def odd(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """Negating a number negates what is read back."""
    image = subject.encode(hyper, np.negative(out.x, out=np.empty_like(out.x)))
    keep = _settled(subject, hyper, out) & _settled(subject, hyper, image)
    yield Claim("decoded", *_where(keep, -image.back, out.back))


def zero_stays_zero(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """Zero is read back as zero, whatever else is in its group, if that has a scale."""
    keep = _settled(subject, hyper, out) & (out.x == 0)
    yield Claim("decoded", *_where(keep, out.back, out.x))


def signed(rule: Quantizer) -> bool:
    """Whether a format has numbers of either sign, as almost all have."""
    return bool(getattr(rule, "SIGNED", True))


def _row(rule: Quantizer) -> Any:
    return getattr(rule, "row", None)


def signed_scale(rule: Quantizer) -> bool:
    """Whether a group's extreme gives the scale with its sign."""
    return bool(getattr(_row(rule), "signed", False))


def kept_as(rule: Quantizer) -> str:
    """How a scale is kept."""
    return str(getattr(_row(rule), "scale", "absmax"))


def _where(keep: Array, left: Array, right: Array) -> tuple[Array, Array]:
    """Both sides where the law speaks, zeros elsewhere."""
    return np.where(keep, left, 0), np.where(keep, right, 0)


def _scales(out: Encoded) -> list[str]:
    return [name for name in out.stored if name != "code"]


def _group(subject: Subject, hyper: Hyper, x: Array) -> NDArray[np.int64]:
    """The number of every element's group; of a cast, in which each is by itself, 0."""
    rule = subject.rule
    if not rule.BLOCKS:
        return np.zeros(x.shape, np.int64)
    found: NDArray[np.int64] = rule.per_element(
        hyper, np.arange(rule.groups(hyper, x.shape)), x.shape
    )
    return found


def _settled(subject: Subject, hyper: Hyper, out: Encoded) -> NDArray[np.bool_]:
    """Of which elements the contract leaves one code, beside a scale that is a number."""
    rule = subject.rule
    if not rule.BLOCKS:
        # A format without nans may put a number of either sign in the place of one.
        return ~np.isnan(out.x)
    arithmetic = arithmetic_of(subject.capability.arithmetic)
    scales = beside(out.stored).values()
    low, high = rule.admissible(
        hyper,
        out.x.astype(np.float64),
        *scales,
        division_ulps=arithmetic.ulps_division,
        flush_subnormals=arithmetic.subnormals == "flushed",
    )
    numbers = np.isfinite(rule.decode(hyper, out.code, *scales))
    one: NDArray[np.bool_] = (low == high) & np.isfinite(out.x) & numbers
    return one


def _amid(x: NDArray[np.float32]) -> bool:
    """Whether all numbers are finite and far from over- and underflow."""
    sizes = np.abs(x[x != 0])
    return bool(np.all((sizes >= 2.0**-100) & (sizes <= 2.0**100)))


def _zero(subject: Subject, hyper: Hyper, x: Array) -> NDArray[np.bool_]:
    """Which groups are of zeros alone."""
    group = _group(subject, hyper, x)
    held = np.bincount(group[x != 0], minlength=subject.rule.groups(hyper, x.shape))
    none: NDArray[np.bool_] = held == 0
    return none


def _first_decides(subject: Subject, hyper: Hyper, x: Array) -> NDArray[np.bool_]:
    """Elements of groups whose extreme has both signs, where the first of them gives the scale."""
    if not signed_scale(subject.rule) or not x.size:
        return np.zeros(x.shape, bool)
    group = _group(subject, hyper, x)
    least, most = np.full((2, int(group.max()) + 1), 0.0)
    np.minimum.at(least, group.reshape(-1), x.reshape(-1))
    np.maximum.at(most, group.reshape(-1), x.reshape(-1))
    both: NDArray[np.bool_] = (-least == most)[group]
    return both
