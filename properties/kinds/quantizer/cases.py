"""Quantizer cases: hyperparameters and a tensor, drawn or built around the thresholds."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import Array
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.cases.restored import recorded
from truestep.properties.cases.tensors import TensorSpec, array, laid_out, nans
from truestep.reference.declared import Hyper
from truestep.reference.rules import Quantizer

FLOAT32 = format_named("float32")


@dataclass(frozen=True, slots=True)
class QuantizerCase:
    """What to encode under which hyperparameters.

    pattern: "tensor", the specification's values; "thresholds", every threshold of the format and
    its float32 neighbours within `ulps`, in groups whose scale one element makes 1, the last one
    short, times 2^scale, over again until there are as many elements as the tensor has; "codes",
    every value of the format times 2^scale; "sixteen_bits", every number of bfloat16 and of
    float16; "binades", numbers of both signs from every binade of float32, a group each where there
    are groups; "blocks", groups in which something is special, the last one short, or where a
    tensor is one group, another for each scale; "beside", groups whose extreme is next to where the
    scale changes that is stored of it; "nans", nans of every class, in groups of their own;
    "every_code", none: all codes are decoded, beside every sort of scale; "sweep", the scale-th
    part of all float32 numbers. The tensor's seed decides what is random in them.
    multiple: of what the size of the last axis is a multiple.
    """

    hyper: Mapping[str, object]
    tensor: TensorSpec = field(default_factory=lambda: TensorSpec((0,)))
    pattern: str = "tensor"
    scale: int = 0
    ulps: int = 2
    multiple: int = 1

    def to_json(self) -> dict[str, object]:
        """A dictionary that json accepts and restored reads back exactly."""
        return recorded(self)


def values(case: QuantizerCase, quantizer: Quantizer, hyper: Hyper) -> NDArray[np.float32]:
    """The float32 tensor of a case."""
    if case.pattern == "tensor":
        shape = fitting(case.tensor.shape, case.multiple)
        x: NDArray[np.float32] = array(replace(case.tensor, shape=shape), FLOAT32)
    else:
        x = _built(case, quantizer, hyper)
        if x.ndim == 1:
            # Whole multiples, and at least one of them.
            whole = max(x.size // case.multiple, min(x.size, 1)) * case.multiple
            x = np.resize(x, whole)
        x = laid_out(x, case.tensor.layout)
    if getattr(quantizer, "NONNEGATIVE", False):
        x = laid_out(np.abs(x), case.tensor.layout)
    return x


def fitting(shape: tuple[int, ...], multiple: int) -> tuple[int, ...]:
    """The shape with a last axis whose size is the next multiple."""
    if multiple == 1:
        return shape
    return (*shape[:-1], -(-shape[-1] // multiple) * multiple) if shape else (multiple,)


def _built(case: QuantizerCase, quantizer: Quantizer, hyper: Hyper) -> NDArray[np.float32]:
    if case.pattern == "beside":
        rng = np.random.default_rng(case.tensor.seed)
        return _arranged(quantizer, hyper, _beside(rng, quantizer, hyper), rng)
    if case.pattern == "sixteen_bits":
        return _sixteen_bits()
    if case.pattern in _OF_GROUPS:
        rng = np.random.default_rng(case.tensor.seed)
        made = _OF_GROUPS[case.pattern](rng, quantizer.length(hyper) if quantizer.BLOCKS else 8)
        return _arranged(quantizer, hyper, made.astype(np.float32), rng, case.scale)
    if case.pattern == "codes":
        x = quantizer.all_values(hyper)
        x = x[np.isfinite(x)]
    else:
        x = _around(quantizer.thresholds(hyper), case.ulps)
    count = math.prod(case.tensor.shape)
    if quantizer.BLOCKS:
        most = quantizer.extreme(hyper)
        groups = _of_unit_scale(quantizer, hyper, x[np.abs(x) <= most], most)
        more = max(len(groups), -(-count // groups.shape[1]))
        x = quantizer.arranged(hyper, np.resize(groups, (more, groups.shape[1])))
        x = np.append(x, _short(groups[0])) if quantizer.INDEPENDENT else x
    else:
        x = np.resize(x, max(x.size, count))
    with np.errstate(over="ignore"):
        x32: NDArray[np.float32] = (x * 2.0**case.scale).astype(np.float32)
        return x32


def _arranged(
    quantizer: Quantizer,
    hyper: Hyper,
    groups: NDArray[np.float32],
    rng: np.random.Generator,
    which: int = 0,
) -> NDArray[np.float32]:
    """A tensor of these groups, with a short one at the end where groups are cut in C order.

    Where a tensor is one group, one of them: with each number of which another.
    """
    if not quantizer.BLOCKS:
        return groups.reshape(-1)
    x: NDArray[np.float32] = quantizer.arranged(hyper, groups)
    if quantizer.groups(hyper, x.shape) == 1:
        one: NDArray[np.float32] = groups[(int(rng.integers(len(groups))) + which) % len(groups)]
        return one
    short = groups[-1][: groups.shape[1] // 2 + 1]
    return np.append(x, short[::-1]) if quantizer.INDEPENDENT else x


def _short(group: Array) -> Array:
    """A group without its middle half: what makes its scale is first or last."""
    part = group.size // 4
    return np.append(group[: part + 1], group[group.size - part :])


def _sixteen_bits() -> NDArray[np.float32]:
    """Every number of bfloat16 and of float16, nans of every class among them."""
    bits = np.arange(2**16)
    wide: NDArray[np.float32] = (bits.astype(np.uint32) << 16).view(np.float32)
    return np.concatenate([wide, bits.astype(np.uint16).view(np.float16).astype(np.float32)])


def _nans(rng: np.random.Generator, block: int) -> NDArray[np.float32]:
    """A nan of every class in a group of its own."""
    found = nans(FLOAT32)
    x = np.ones((found.size, block), np.float32)
    x[:, -1] = found
    return x


def _binades(rng: np.random.Generator, block: int) -> NDArray[np.float64]:
    """Numbers of every binade from the subnormals on; of long blocks every eighth binade's."""
    step = 1 if block <= _LONG else 8
    exponents = np.arange(-150 + rng.integers(step), 128, step)
    shape = exponents.size, block
    x = rng.uniform(1, 2, shape) * rng.choice((-1.0, 1.0), shape)
    found: NDArray[np.float64] = np.ldexp(x, exponents[:, None])
    return found


def _beside(rng: np.random.Generator, quantizer: Quantizer, hyper: Hyper) -> NDArray[np.float32]:
    """Groups whose extreme is up to so many numbers from where what is stored of it changes.

    Up to six from powers of two, and from those times the extreme of a scale of 1; up to sixteen
    from where few scales can be stored, of which a kernel's constants may not be so far off.
    """
    block, most = quantizer.length(hyper), quantizer.extreme(hyper)
    step = 1 if block <= _LONG else 8
    exponents = np.arange(-100 + rng.integers(step), 100, step)
    powers = np.concatenate([np.ldexp(x, exponents) for x in (1.0, 2 * np.frexp(most)[0])])
    turns = quantizer.turns(hyper) if hasattr(quantizer, "turns") else np.zeros(0)
    sizes = np.concatenate([powers, turns])
    off = np.concatenate([rng.integers(-6, 7, powers.size), rng.integers(-16, 17, turns.size)])
    bits = sizes.astype(np.float32).view(np.int32)
    beside = (bits + off.astype(np.int32)).view(np.float32)
    drawn = rng.uniform(-0.5, 0.5, (bits.size, block)) * sizes[:, None]
    x: NDArray[np.float32] = drawn.astype(np.float32)
    x[:, 0] = beside * rng.choice((-1, 1), bits.size)
    return x


_LONG = 256
SPECIAL_BLOCKS = 19


def _special_blocks(rng: np.random.Generator, block: int) -> NDArray[np.float64]:
    """Groups of zeros, of one sign or far from zero, subnormal, with one element unlike others."""
    plain = rng.standard_normal((SPECIAL_BLOCKS, block))
    largest, tiny = float(np.finfo(np.float32).max), 2.0**-149
    plain[0], plain[1], plain[2], plain[3] = 0.0, -0.0, np.nan, tiny
    plain[4], plain[5] = np.abs(plain[4]), -np.abs(plain[5])
    plain[6], plain[7] = plain[6] * tiny * 9, 1.0
    # The extreme first, last and anywhere; beyond everything else, and not finite.
    for row, at, value in (
        (8, 0, 9.0), (9, -1, -9.0), (10, int(rng.integers(block)), largest), (11, -1, np.inf),
        (12, 0, -np.inf), (13, int(rng.integers(block)), np.nan), (14, -1, 1e30),
    ):  # fmt: skip
        plain[row, at] = value
    plain[14, :-1] *= 1e-30
    plain[16], plain[17] = plain[16] + 40, plain[17] - 40
    plain[-1, 0] = 7.0
    return np.concatenate([rng.permutation(plain[:-1]), plain[-1:]])


_OF_GROUPS: Mapping[str, Callable[[np.random.Generator, int], Array]] = {
    "binades": _binades,
    "blocks": _special_blocks,
    "nans": _nans,
}


def _around(thresholds: NDArray[np.float64], ulps: int) -> NDArray[np.float64]:
    """Each threshold's nearest float32 and its neighbours on either side, of 0 both zeros."""
    with np.errstate(over="ignore"):
        up = down = nearest = thresholds.astype(np.float32)
        out = [nearest, -nearest[nearest == 0]]
        for _ in range(ulps):
            up = np.nextafter(up, np.float32(np.inf))
            down = np.nextafter(down, np.float32(-np.inf))
            out += [up, down]
    return np.concatenate(out).astype(np.float64)


def _of_unit_scale(
    quantizer: Quantizer, hyper: Hyper, x: NDArray[np.float64], most: float
) -> Array:
    """Groups of these numbers whose scale is 1, as the format makes them where it says how."""
    if hasattr(quantizer, "units"):
        return quantizer.units(hyper, x)  # type: ignore[no-any-return]
    return _scaled_by(most, x, quantizer.length(hyper))


def _scaled_by(most: float, x: NDArray[np.float64], block: int) -> NDArray[np.float64]:
    """x in groups whose first, last or a middle element has this size, which makes the scale 1."""
    room = block - 1
    rows = np.zeros((-(-x.size // room), room))
    rows.reshape(-1)[: x.size] = x
    out = np.insert(rows, 0, most, axis=1)
    for i, row in enumerate(out):
        row[0] = -most if i % 2 else most
        row[:] = np.roll(row, (0, block - 1, block // 2)[i % 3])
    return out
