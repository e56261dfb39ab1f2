"""Laws of quantizers: of formats with a scale for every block, and of casts to small floats."""

from collections.abc import Callable, Mapping

import numpy as np

from truestep.fast.protocol import Level
from truestep.properties.kinds.quantizer.step import Encoded, Subject
from truestep.properties.laws.claims import Claim, Claims, by_name
from truestep.reference.declared import Hyper
from truestep.reference.rules import Quantizer

# Numbers of examples of a law by level.
EXAMPLES: Mapping[Level, int] = {"smoke": 2, "standard": 12, "deep": 200}

Law = Callable[[Subject, Hyper, Encoded], Claims]


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


def blocks_are_independent(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """Whatever follows a block, its codes and its scale stay the same."""
    block, name = subject.rule.length(hyper), subject.rule.SCALE
    flat = out.x.reshape(-1)
    head = flat[: block * (flat.size // block)]
    more = block // 2 + 3 if subject.capability.multiple == 1 else block
    other = np.concatenate([head, np.full(more, 1e4, dtype=np.float32)])
    image = subject.encode(hyper, other)
    n = head.size
    yield Claim("code", image.code[:n], out.code.reshape(-1)[:n])
    k = n // block
    yield Claim(name, image.stored[name][:k], out.stored[name][:k])


def codes_unchanged_when_scaled_by_a_power_of_two(
    subject: Subject, hyper: Hyper, out: Encoded
) -> Claims:
    """Doubling a block doubles its scale and leaves its codes, barring over- and underflow."""
    x, name = out.x, subject.rule.SCALE
    sizes = np.abs(x[np.isfinite(x) & (x != 0)])
    if not np.all(np.isfinite(x)) or np.any(sizes < 2.0**-100) or np.any(sizes > 2.0**100):
        return
    floor = getattr(hyper, "absmax_floor", 0.0)
    if floor > 0 and np.any(subject.rule.block_absmax(hyper, x.astype(np.float64)) <= floor):
        return  # a floor does not scale
    least = subject.rule.scales(hyper, np.zeros(1))[1] if hasattr(hyper, "least") else 0.0
    if np.any((out.stored[name] <= least) & (least > 0)):
        return
    image = subject.encode(hyper, 4 * x)
    yield Claim("code", image.code, out.code)
    yield Claim(name, image.stored[name], 4 * out.stored[name])


def code_is_one_higher_when_doubled(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """Of powers of two: twice a number has the next code, barring over- and underflow."""
    x = np.abs(out.x)
    x = np.where((x >= 2.0**-126) & (x <= 2.0**125), x, np.float32(1))
    once, twice = (subject.encode(hyper, np.ldexp(x, k, out=np.empty_like(x))).code for k in (0, 1))
    yield Claim("code", twice, once + np.uint8(1))


def monotone(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """Ascending numbers, in a format without a sign their sizes, decode to ascending values."""
    x = out.x[np.isfinite(out.x)].reshape(-1)
    x = np.sort(x if signed(subject.rule) else np.abs(x))
    back = subject.encode(hyper, x).back
    kept = back[~np.isnan(back)]
    yield Claim("decoded", np.maximum.accumulate(kept), kept)


def odd(subject: Subject, hyper: Hyper, out: Encoded) -> Claims:
    """Negating a number negates what is read back."""
    image = subject.encode(hyper, np.negative(out.x, out=np.empty_like(out.x)))
    # A format without nans may put a number of either sign in the place of one.
    number = ~np.isnan(out.x)
    yield Claim("decoded", np.where(number, -image.back, 0), np.where(number, out.back, 0))


def signed(rule: Quantizer) -> bool:
    """Whether a format has numbers of either sign, as almost all have."""
    return bool(getattr(rule, "SIGNED", True))


# Which laws hold of which formats with groups: what the format has to say of itself.
NEEDS: Mapping[str, str] = {
    "blocks_are_independent": "INDEPENDENT",
    "codes_unchanged_when_scaled_by_a_power_of_two": "SCALES",
}
BLOCK_LAWS: dict[str, Law] = by_name(
    blocks_are_independent, codes_unchanged_when_scaled_by_a_power_of_two, idempotent
)
CAST_LAWS: dict[str, Law] = by_name(idempotent, monotone, odd)
POWER_LAWS: dict[str, Law] = by_name(code_is_one_higher_when_doubled, idempotent, monotone)
