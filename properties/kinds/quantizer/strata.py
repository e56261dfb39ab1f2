"""The input space of a quantizer as axes with strata, each of which is visited with every seed.

Sizes around vectors, warps, blocks and launches, long sides, every rank and layout, every order of
magnitude of float32, every special value; block sizes and floors drawn with one of them in turn at
each of its corners. Beside them: all binades in one tensor, thresholds in one beyond a launch; of
formats with groups, those in which something is special, those whose extreme is next to where the
stored scale changes, and tiles that the tensor cuts off.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from truestep.fast.protocol import QuantizerCapability
from truestep.properties.cases.hypers import continuous, corners
from truestep.properties.cases.strata import SIDES, by_row, spread
from truestep.properties.cases.tensors import ALL_LAYOUTS, EXTREMES, LAYOUTS, SPECIALS, TensorSpec
from truestep.properties.kinds.quantizer.cases import SPECIAL_BLOCKS, QuantizerCase
from truestep.properties.kinds.quantizer.families import base
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.rules import Quantizer

NAME = "strata"

SHAPES = (
    (), (0,), (1,), (2,), (3,), (7,), (8,), (9,), (31,), (33,), (63,), (64,), (65,), (127,), (129,),
    (255,), (256,), (257,), (1023,), (1025,), (4095,), (4097,), (0, 4), (1, 1), (3, 5), (7, 31),
    (1, 130), (130, 1), (16, 33), (2, 3, 4), (5, 1, 3), (9, 1, 1), (65, 2, 1), (2, 3, 2, 2),
    (2, 1, 3, 2, 2),
)  # fmt: skip
# Beyond what one launch of a kernel's threads covers, so that those go round again.
LAUNCHES = ((2**16 - 1,), (2**16 + 1,), (2**20 + 13,))
_MANY = LAUNCHES[1]
# Rows of several elements for each thread of a block, more rows than a launch has blocks, and more
# axes than some loops.
_LONG = ((3, 8200), (2**16 + 3, 2), (1, 2, 1, 3, 1, 2))
KINDS = ("normal", "spread", "bits", "sparse", "constant", "zeros")
# Powers of ten from the least subnormal number of float32 to the largest.
EXPONENTS = tuple(range(-46, 39, 4))
# What one element of a tensor is, "" for nothing else than the others.
ELEMENTS = tuple(dict.fromkeys((*EXTREMES, *SPECIALS, "")))
# Elements beyond a whole number of blocks, and how many of those.
_BEYOND = ((-1, 1), (0, 1), (1, 1), (5, 3), (-1, 7))


def made(capability: QuantizerCapability, seed: int) -> Sequence[QuantizerCase]:
    """The cases of one seed."""
    rng = np.random.default_rng(seed)
    rule = QUANTIZERS[capability.rule]
    given = {**capability.dialect, **capability.fixed}
    found = [*_tensors(rule, given, rng), *_patterns(rule, given, rng)]
    # Whatever goes round again, or takes another path through many elements, decides ties too.
    found.append(QuantizerCase(base(capability), TensorSpec(_MANY), "thresholds"))
    for shape, last in _cut_tiles(rule):
        specials = tuple((int(at), "huge") for at in last)
        tensor = TensorSpec(shape, seed=int(rng.integers(2**32)), specials=specials)
        found.append(QuantizerCase(base(capability), tensor))
    if rule.BLOCKS:
        tensor = TensorSpec((0,), seed=int(rng.integers(2**32)), layout=LAYOUTS[1])
        # First, because what fails first is told, and of little else this is the only sign.
        found.insert(0, QuantizerCase(continuous(rule, given, rng), tensor, pattern="beside"))
    found += _plain(rule, given, rng)
    return [replace(case, multiple=capability.multiple) for case in found]


def _tensors(
    rule: Quantizer, given: Mapping[str, object], rng: np.random.Generator
) -> Iterator[QuantizerCase]:
    special = [*corners(rule, given), *_choices(rule, given)]
    count = max(len(SHAPES) + len(LAUNCHES), len(special))
    axes = zip(
        spread((*SHAPES, *LAUNCHES), count, rng), spread(LAYOUTS, count, rng),
        spread(KINDS, count, rng), spread(EXPONENTS, count, rng), spread(ELEMENTS, count, rng),
        spread(by_row(special, count), count, rng),
        strict=True,
    )  # fmt: skip
    for row, (shape, layout, kind, exponent, element, at) in enumerate(axes):
        hyper = continuous(rule, given, rng, **at)
        if shape in LAUNCHES and kind in ("constant", "sparse", "zeros"):
            kind = "normal"  # whatever is left out would be as it should
        if rule.BLOCKS and row % 3 == 0 and len(shape) == 1:
            beyond, blocks = _BEYOND[row // 3 % len(_BEYOND)]
            shape = (blocks * rule.length(rule.Hyper(**hyper)) + beyond,)
        seeds = rng.integers(2**32, size=2)
        specials = ((int(seeds[1]), element),) if element else ()
        tensor = TensorSpec(shape, kind, int(seeds[0]), exponent, specials=specials, layout=layout)
        yield QuantizerCase(hyper, tensor)


def _plain(
    rule: Quantizer, given: Mapping[str, object], rng: np.random.Generator
) -> Iterator[QuantizerCase]:
    """Every shape with nothing that hides what is special about it, and long sides."""
    shapes = (*SHAPES, *SIDES, *_LONG)
    for shape, layout in zip(shapes, spread(ALL_LAYOUTS, len(shapes), rng), strict=True):
        tensor = TensorSpec(shape, seed=int(rng.integers(2**32)), layout=layout)
        yield QuantizerCase(continuous(rule, given, rng), tensor)


def _choices(rule: Quantizer, given: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Every usual value of a field of a few, as of a block size or a switch."""
    for name, limits in rule.Hyper.RANGES.items():
        if name not in given:
            yield from ((name, value) for value in limits.usual)


def _is_one_group(rule: Quantizer) -> bool:
    """Whether a whole tensor has one scale, so that it holds one special group."""
    row = getattr(rule, "row", None)
    return row is not None and row.grouping == "tensor"


def _cut_tiles(rule: Quantizer) -> Iterator[tuple[tuple[int, int], Sequence[int]]]:
    """Rows of tiles, and columns, cut off by one element, and where each tile's last one is."""
    row = getattr(rule, "row", None)
    if row is not None and row.grouping == "tile":
        side: int = row.block
        wide, long = (side - 1, 8 * side + 1), (8 * side + 1, side - 1)
        ends = np.append(np.arange(1, 9) * side, 8 * side + 1) - 1
        yield wide, [(side - 2) * wide[1] + end for end in ends]
        yield long, [end * long[1] + side - 2 for end in ends]


def _patterns(
    rule: Quantizer, given: Mapping[str, object], rng: np.random.Generator
) -> Iterator[QuantizerCase]:
    ranges = rule.Hyper.RANGES
    usual = ranges["block_size"].usual if "block_size" in ranges else (None,)
    sizes = given.get("block_size", usual)
    for block in sizes if isinstance(sizes, tuple) else (sizes,):
        size = {"block_size": block} if "block_size" in ranges else {}
        for pattern in ("binades", "nans", *(("blocks",) if rule.BLOCKS else ())):
            hyper = continuous(rule, {**given, **size}, rng)
            tensor = TensorSpec((0,), seed=int(rng.integers(2**32)), layout=LAYOUTS[1])
            for k in range(SPECIAL_BLOCKS if pattern == "blocks" and _is_one_group(rule) else 1):
                yield QuantizerCase(hyper, tensor, pattern=pattern, scale=k)
