"""turboadam's second moments on the CPU, as its PyTorch lines keep them, in 4 and in 8 bits.

Left out: what its optimizer does, which rounds them at random by pairs of numbers that add up to 1,
and first moments of 2 bits in units of an update that the last step was for.
"""

from collections.abc import Mapping

import numpy as np
import torch
from turboadam.oneq import compress_v_logscale, decompress_v
from turboadam.quantize import pack_nbit_indices, unpack_nbit_indices

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, Capability, QuantizerCapability
from truestep.reference.declared import Hyper

BITS = {"log_range_4bit": 4, "log_range_8bit": 8}
FLOAT16 = np.dtype(np.float16)


class Backend:
    """Both numbers of bits."""

    name = "turboadam"

    def capabilities(self) -> tuple[Capability, ...]:
        """One each."""
        return tuple(QuantizerCapability(rule=rule) for rule in BITS)

    def encode(self, capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
        """Codes, one to a byte, and both ends; of nothing, which is refused, nothing."""
        if not x.size:
            none = np.zeros(0, FLOAT16)
            return {"code": np.zeros(x.shape, np.uint8), "low": none, "high": none}
        bits, blocks = BITS[capability.rule], -(-x.size // hyper.block_size)
        state = compress_v_logscale(to_tensor(x), bits, hyper.block_size)
        codes = unpack_nbit_indices(state["indices"], bits, blocks * hyper.block_size)
        ends = from_tensor(state["scales"])
        return {
            "code": from_tensor(codes)[: x.size].reshape(x.shape),
            "low": np.ascontiguousarray(ends[:, 0]),
            "high": np.ascontiguousarray(ends[:, 1]),
        }

    def decode(self, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
        """The numbers, of codes packed as the library packs them."""
        code, bits = stored["code"], BITS[capability.rule]
        if not code.size:
            return np.zeros(code.shape, np.float32)
        whole = np.pad(code.reshape(-1), (0, -code.size % hyper.block_size))
        state = {
            "indices": pack_nbit_indices(to_tensor(whole), bits),
            "scales": torch.stack([to_tensor(stored[name]) for name in ("low", "high")], dim=1),
            "n_bits": bits, "block_size": hyper.block_size,
            "original_shape": code.shape, "original_length": code.size,
        }  # fmt: skip
        return from_tensor(decompress_v(state))
