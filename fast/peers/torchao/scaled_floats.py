"""8-bit floats with float32 scales in torchao, with three implementations of its own.

"inference" is Float8Tensor with its kernels in torch: absmax over the largest value, for tensors,
rows, and blocks. "training" is hp_tensor_to_float8_dynamic, for tensors and rows: it keeps the
largest value over absmax, of which the scale here is the reciprocal, as its products of matrices
take it; they multiply by that, and so does decode. absmax is at least 1e-12 there. "_power" rounds
what is kept down to a power of two, and so the scale up. Its functions for blocks need Triton.
"optim" is quantize_fp8 of the optimizers, for blocks, absmax at least 1e-12.
"""

import numpy as np
import torch
from torchao.float8.config import ScalingGranularity
from torchao.float8.float8_scaling_utils import hp_tensor_to_float8_dynamic
from torchao.float8.float8_training_tensor import LinearMMConfig
from torchao.float8.float8_utils import EPS
from torchao.optim.subclass_fp8 import OptimStateFp8, quantize_fp8
from torchao.quantization import Float8Tensor, PerRow, PerTensor
from torchao.quantization.granularity import PerBlock
from torchao.quantization.quantize_.common.kernel_preference import KernelPreference

from truestep.fast.peers.torchao.layouts import Layout
from truestep.fast.protocol import Array, Capability, QuantizerCapability
from truestep.reference.declared import Hyper

ELEMENTS = {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}
GROUPINGS = ("blocks", "rows", "tensors", "tiles")
# Of quantize_fp8, which clips absmax from below.
LEAST_FP8 = float(np.float32(1e-12) / np.float32(448))
RULES = tuple(f"{name}_{grouping}" for name in ELEMENTS for grouping in GROUPINGS)


def capabilities() -> tuple[QuantizerCapability, ...]:
    """All implementations, of each element and grouping that they have."""
    inference = (QuantizerCapability(rule=rule, variant="inference") for rule in RULES)
    optim = QuantizerCapability(rule="e4m3_blocks", fixed={"least": LEAST_FP8}, variant="optim")
    training = (
        QuantizerCapability(
            rule=f"{name}_{grouping}",
            # A product with a power of two is the quotient by its reciprocal.
            dialect={"power": "ceil"} if power else {"normalise": "inverse"},
            fixed={"least": _least(elements, power=power)},
            variant="training_power" if power else "training",
        )
        for name, elements in ELEMENTS.items()
        for grouping in ("rows", "tensors")
        for power in (False, True)
    )
    return (*inference, *training, optim)


def _least(elements: torch.dtype, *, power: bool) -> float:
    """The scale where absmax is EPS; before it is rounded to a power of two."""
    largest = torch.finfo(elements).max
    return EPS / largest if power else float(1 / np.float32(largest / EPS))


def encode(
    capability: Capability, hyper: Hyper, where: Layout, x: Array
) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes as bytes, and scales."""
    name, grouping = capability.rule.split("_")
    given = where.extended(x)
    if capability.variant == "optim":
        return _of_moments(given, where.group[-1])
    if capability.variant == "inference":
        granularity = {"rows": PerRow(), "tensors": PerTensor()}.get(
            grouping, PerBlock(where.group[-2:])
        )
        made = Float8Tensor.from_hp(
            given, ELEMENTS[name], granularity, kernel_preference=KernelPreference.TORCH
        )
        return made.qdata.view(torch.uint8), made.scale
    rows = grouping == "rows"
    made = hp_tensor_to_float8_dynamic(
        given,
        ELEMENTS[name],
        LinearMMConfig(),
        scaling_granularity=ScalingGranularity.AXISWISE if rows else ScalingGranularity.TENSORWISE,
        axiswise_dim=-1 if rows else None,
        round_scales_to_power_of_2=hyper.power == "ceil",
    )
    return made._data.view(torch.uint8), made._scale.reciprocal()


def _of_moments(given: torch.Tensor, block: int) -> tuple[torch.Tensor, torch.Tensor]:
    codes, scale = quantize_fp8(given, block)
    return codes.view(torch.uint8), scale


def decode(
    capability: Capability, hyper: Hyper, where: Layout, code: Array, scale: Array
) -> torch.Tensor:
    """The numbers that codes and scales stand for."""
    codes = where.extended(code).view(ELEMENTS[capability.rule.split("_")[0]])
    scales = where.scales(scale)
    if capability.variant == "inference":
        return Float8Tensor(codes, scales, list(where.group), dtype=torch.float32).dequantize()
    if capability.variant == "optim":
        return OptimStateFp8(codes, scales.reshape(-1), dtype=torch.float32).dequantize()
    return codes.float() * scales
