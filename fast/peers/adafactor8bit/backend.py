"""adafactor8bit's AdamW (its preset of that name) on the CPU, the first moment in dynamic maps.

Left out: second moments in logarithms, whose least and largest are both kept; uf8 and uf4, whose
quotient is rounded before it is multiplied by a half of the range; Adafactor, CAME and APOLLO.
"""

from collections.abc import Sequence

import numpy as np
import torch
from adafactor8bit import Adafactor8Bit
from adafactor8bit.optimizer import _get_qmap

from truestep.fast.peers.dynamic_map import map_dialect
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import (
    Array,
    Capability,
    Fixed,
    Group,
    OptimizerCapability,
    Slot,
    Stepped,
    Storage,
)

FLOOR = float(np.float32(1e-12))
BLOCKS = (256, 64, 128)
# The preset, and what keeps it on the CPU and quantized at any size.
OPTIONS = {
    "beta2_decay": None, "factored": False, "relative_step": False, "scale_parameter": False,
    "scale_weight_decay": False, "d": 0.0, "v_quant_type": "fp32", "min_8bit_size": 0,
    "use_cuda_kernel": False,
}  # fmt: skip
SCALES = {"d4": "m_scale", "d8": "m_absmax"}


class Backend:
    """AdamW with m in 8 bits ("d8") and in 4 ("d4")."""

    name = "adafactor8bit"

    def capabilities(self) -> tuple[Capability, ...]:
        """Both maps."""
        fused = map_dialect(_get_qmap(8, torch.device("cpu")).double().numpy())
        in_8_bits: dict[str, Fixed] = {"absmax_floor": FLOOR, "map": fused, "signed": True}
        kept = {
            "d4": Storage("dynamic_4bit", {"block_size": BLOCKS, "least": FLOOR, "ties": "upper"}),
            "d8": Storage("dynamic_8bit", {"block_size": BLOCKS, "ties": "upper", **in_8_bits}),
        }
        return tuple(
            OptimizerCapability(
                rule="adamw",
                arithmetic="tensor_lr",
                dialect={"decay": "before"},
                variant=variant,
                storage={"m": storage},
            )
            for variant, storage in kept.items()
        )

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step of fresh optimizers, with the state loaded."""
        return [[stepped(capability.variant, g, slot) for slot in g.slots] for g in groups]


def stepped(kind: str, group: Group, slot: Slot) -> Stepped:
    """One step on one tensor; empty ones, whose moments have no blocks, are counted alone."""
    t, h, block = slot.state["t"] + 1, group.hyper, group.storage["m"].block_size
    if not slot.param.size:
        return Stepped(slot.param.copy(), {**slot.state, "t": t})
    param = torch.nn.Parameter(to_tensor(slot.param))
    param.grad = to_tensor(slot.grad)
    optimizer = Adafactor8Bit(
        [param], h.lr, beta1=h.beta1, beta2=h.beta2, eps=(h.eps, 1e-3), maximize=h.maximize,
        weight_decay=h.weight_decay, m_quant_type=kind, m_block_size=block, **OPTIONS,
    )  # fmt: skip
    optimizer.state[param] = {
        "step": slot.state["t"], "is_quantized": True, "block_size": 2048, "v_quant_type": "fp32",
        "c_quant_type": "fp32", "variance": to_tensor(slot.state["v"]), "m_quant_type": kind,
        "m_block_size": block, "m_q": packed(kind, slot.state["m_code"], block),
        "m_scale": to_tensor(slot.state[SCALES[kind]]),
    }  # fmt: skip
    optimizer.step()
    state = optimizer.state[param]
    return Stepped(
        from_tensor(param.detach()),
        {
            "t": int(state["step"]),
            "m_code": unpacked(kind, state["m_q"])[: slot.param.size].reshape(slot.param.shape),
            SCALES[kind]: from_tensor(state["m_scale"]),
            "v": from_tensor(state["variance"]),
        },
    )


def packed(kind: str, code: Array, block: int) -> torch.Tensor:
    """The library's codes of whole blocks, in 4 bits two to a byte, the first one high."""
    codes = np.pad(code.reshape(-1), (0, -code.size % block))
    return to_tensor(codes if kind == "d8" else codes[::2] << 4 | codes[1::2])


def unpacked(kind: str, codes: torch.Tensor) -> Array:
    """Its codes, one to a byte."""
    x = from_tensor(codes)
    return x if kind == "d8" else np.stack([x >> 4, x & 15], axis=-1).reshape(-1)
