"""gefen's first moments on the CPU: codes of a codebook of 256 values under the absmax of a block.

The codebook is handed over, as the maps of quantile_8bit; which one it would learn, by squares over
a histogram, is not judged, nor its steps, in which a block has one second moment.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from gefen.gefen import gefen_dequantize_unpacked_indices, gefen_nearest_codebook_indices

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, Capability, QuantizerCapability
from truestep.reference.declared import Hyper
from truestep.reference.quantizers import QUANTIZERS

RULE = "quantile_8bit"


@cache
def _codebook(hyper: Hyper) -> torch.Tensor:
    return to_tensor(QUANTIZERS[RULE].all_values(hyper).astype(np.float32))


def _per_element(x: torch.Tensor, size: int, count: int) -> torch.Tensor:
    return x.repeat_interleave(size)[:count]


class Backend:
    """Its search and what it reads, between the lines of its step that divide and multiply."""

    name = "gefen"

    def capabilities(self) -> tuple[Capability, ...]:
        """Ties go down."""
        return (QuantizerCapability(rule=RULE, fixed={"least": 0.0}),)

    def encode(self, capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
        """Codes, and absmax of blocks, of which its periods leave none short."""
        flat, size = to_tensor(x.reshape(-1).copy()), hyper.block_size
        padded = torch.nn.functional.pad(flat, (0, -flat.numel() % size)).view(-1, size)
        absmax = padded.abs().amax(dim=1, keepdim=True)
        normal = torch.where(absmax > 0, padded / absmax, torch.zeros_like(padded))
        code = gefen_nearest_codebook_indices(_codebook(hyper), normal).reshape(-1)
        return {
            "code": from_tensor(code[: x.size]).reshape(x.shape),
            "scale": from_tensor(absmax.reshape(-1)),
        }

    def decode(self, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
        """What codes stand for, times absmax."""
        code = to_tensor(stored["code"].reshape(-1).copy())
        absmax = _per_element(to_tensor(stored["scale"]), hyper.block_size, code.numel())
        values = gefen_dequantize_unpacked_indices(_codebook(hyper), code, absmax)
        return from_tensor(values * absmax).reshape(stored["code"].shape)
