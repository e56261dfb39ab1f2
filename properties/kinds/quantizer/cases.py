"""Quantizer cases: hyperparameters and a tensor, drawn or built around the thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
    its float32 neighbours within `ulps`, in blocks that an element of 1 or -1 scales, times
    2^scale; "codes", every value of the format times 2^scale; "binades", numbers of both signs from
    every binade of float32, a block each where there are blocks; "blocks", blocks in which
    something is special, the last one short; "nans", nans of every class, in blocks of their own;
    "every_code", none: all codes are decoded, beside every sort of absmax. The tensor's seed
    decides what is random in them.
    """

    hyper: Mapping[str, object]
    tensor: TensorSpec = field(default_factory=lambda: TensorSpec((0,)))
    pattern: str = "tensor"
    scale: int = 0
    ulps: int = 2

    def to_json(self) -> dict[str, object]:
        """A dictionary that json accepts and restored reads back exactly."""
        return recorded(self)


def values(case: QuantizerCase, quantizer: Quantizer, hyper: Hyper) -> NDArray[np.float32]:
    """The float32 tensor of a case."""
    if case.pattern == "tensor":
        return array(case.tensor, FLOAT32)
    if case.pattern in ("binades", "blocks"):
        made = _binades if case.pattern == "binades" else _special_blocks
        block = hyper.block_size if quantizer.BLOCKS else _A_BINADE
        x = made(np.random.default_rng(case.tensor.seed), block)
        return laid_out(x.astype(np.float32), case.tensor.layout)
    if case.pattern == "nans":
        found = nans(FLOAT32)
        x32 = np.ones((found.size, hyper.block_size if quantizer.BLOCKS else 1), np.float32)
        x32[:, -1] = found
        return laid_out(x32.reshape(-1), case.tensor.layout)
    if case.pattern == "codes":
        x = quantizer.all_values(hyper)
        x = x[np.isfinite(x)]
    else:
        x = _around(quantizer.thresholds(hyper), case.ulps)
    if quantizer.BLOCKS:
        x = _scaled_by_one(x, hyper.block_size)
    with np.errstate(over="ignore"):
        return laid_out((x * 2.0**case.scale).astype(np.float32), case.tensor.layout)


# Numbers of one binade where there are no blocks.
_A_BINADE = 8


def _binades(rng: np.random.Generator, block: int) -> NDArray[np.float64]:
    """Numbers of every binade from the subnormals on; of long blocks every eighth binade's."""
    step = 1 if block <= _LONG else 8
    exponents = np.arange(-150 + rng.integers(step), 128, step)
    shape = exponents.size, block
    x = rng.uniform(1, 2, shape) * rng.choice((-1.0, 1.0), shape)
    found: NDArray[np.float64] = np.ldexp(x, exponents[:, None]).reshape(-1)
    return found


_LONG = 256
_ABSMAX = (0.0, 1.0, 0.1, 3.0, 2.0**-149, 2.0**-130, 2.0**-126, 2.0**127, np.inf, np.nan)


def _special_blocks(rng: np.random.Generator, block: int) -> NDArray[np.float64]:
    """Blocks of zeros, of one sign, of subnormal numbers, with one element unlike the others."""
    plain = rng.standard_normal((16, block))
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
    short = rng.standard_normal(block // 2 + 1)
    short[-1] = 7.0
    return np.concatenate([rng.permutation(plain).reshape(-1), short])


def every_stored(quantizer: Quantizer, hyper: Hyper, kind: np.dtype[Any]) -> Mapping[str, Array]:
    """Every code that the type of codes holds up to the last one, beside every sort of absmax."""
    last = 256 if quantizer.BLOCKS else 2 ** (8 * kind.itemsize)
    codes = np.arange(last).astype(kind)
    if not quantizer.BLOCKS:
        return {"code": codes}
    per = max(1, last // hyper.block_size)
    absmax = np.repeat(np.array(_ABSMAX, np.float32), per)
    return {"code": np.resize(codes, absmax.size * hyper.block_size), "absmax": absmax}


def _around(thresholds: NDArray[np.float64], ulps: int) -> NDArray[np.float64]:
    """Each threshold's nearest float32 and its neighbours on either side."""
    with np.errstate(over="ignore"):
        up = down = nearest = thresholds.astype(np.float32)
        out = [nearest]
        for _ in range(ulps):
            up = np.nextafter(up, np.float32(np.inf))
            down = np.nextafter(down, np.float32(-np.inf))
            out += [up, down]
    return np.concatenate(out).astype(np.float64)


def _scaled_by_one(x: NDArray[np.float64], block: int) -> NDArray[np.float64]:
    """x in blocks whose first, last or a middle element is 1 or -1, so that absmax is 1."""
    room = block - 1
    rows = np.zeros((-(-x.size // room), room))
    rows.reshape(-1)[: x.size] = x
    out = np.insert(rows, 0, 1.0, axis=1)
    for i, row in enumerate(out):
        row[0] = -1.0 if i % 2 else 1.0
        row[:] = np.roll(row, (0, block - 1, block // 2)[i % 3])
    return out.reshape(-1)
