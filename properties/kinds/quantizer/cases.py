"""Quantizer cases: hyperparameters and a tensor, drawn or built around the thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from truestep.properties.arithmetic.formats import format_named
from truestep.properties.cases.restored import recorded
from truestep.properties.cases.tensors import TensorSpec, array, laid_out
from truestep.reference.declared import Hyper
from truestep.reference.rules import Quantizer

FLOAT32 = format_named("float32")


@dataclass(frozen=True, slots=True)
class QuantizerCase:
    """What to encode under which hyperparameters.

    pattern: "tensor", the specification's values; "thresholds", every threshold of the format and
    its float32 neighbours within `ulps`, in blocks that an element of 1 or -1 scales, times
    2^scale; "codes", every value of the format times 2^scale.
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
    if case.pattern == "codes":
        x = quantizer.all_values(hyper)
        x = x[np.isfinite(x)]
    else:
        x = _around(quantizer.thresholds(hyper), case.ulps)
    if quantizer.BLOCKS:
        x = _scaled_by_one(x, hyper.block_size)
    with np.errstate(over="ignore"):
        return laid_out((x * 2.0**case.scale).astype(np.float32), case.tensor.layout)


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
