"""Departures of 8-bit state in bitsandbytes, and of torchao, on the CPU."""

from __future__ import annotations

from truestep.fast.peers.finding import Finding

_BITSANDBYTES = "0.50.2 (CPU)"
_TORCHAO = "0.18.0 (CPU)"

EIGHT_BIT_FINDINGS: tuple[Finding, ...] = (
    Finding(
        library="bitsandbytes",
        versions=_BITSANDBYTES,
        rule="dynamic_8bit",
        title="quantize_blockwise on the CPU keeps 16 bits of x / absmax: 0 becomes 2e-5",
        contradicts="code_i = argmin_j |q_j - x_i / absmax_b|",
        # csrc/cpu_ops.cpp, norm_to_lut_index and build_quantize_lut: x / absmax is rounded to a
        # multiple of 2/65535 before it is looked up. The map's values go down to 5.5e-7; everything
        # below 1.5e-5 gets the code of 2.1e-5 (signed) or 1.6e-5 (unsigned), zero included, as the
        # 65536 points have none at 0.
        reproducer="""\
import torch
from bitsandbytes import functional
x = torch.zeros(64)
x[0] = 1.0
code, state = functional.quantize_blockwise(x, blocksize=64)
print(round(functional.dequantize_blockwise(code, state)[1].item(), 8))
""",
        expected="0.0",
        actual="2.125e-05",
        check_glob="quantizer/dynamic_8bit/*",
    ),
    Finding(
        library="bitsandbytes",
        versions=_BITSANDBYTES,
        rule="adamw_8bit",
        title="8-bit AdamW on the CPU moves parameters that never had a gradient",
        contradicts="g = 0 from the start leaves m = 0, and p where it is without decay",
        # backends/cpu/ops.py, _optimizer_update_8bit_blockwise_cpu, by the quantizer above: the
        # zero moments of a block with any gradient come back as 2.1e-5 of its largest.
        reproducer="""\
import torch, bitsandbytes
p = torch.zeros(4096)
optimizer = bitsandbytes.optim.AdamW8bit([p], lr=1.0, weight_decay=0.0)
for _ in range(3):
    p.grad = torch.zeros(4096)
    p.grad[::2] = 1.0
    optimizer.step()
print(p[1].item() == 0.0)
""",
        expected="True",
        actual="False",
        check_glob="optimizer/adamw_8bit/*",
    ),
    Finding(
        library="bitsandbytes",
        versions=_BITSANDBYTES,
        rule="dynamic_8bit",
        title="a map changed in place is quantized with as it was before",
        contradicts="code_i = argmin_j |q_j - x_i / absmax_b| for the map that is passed",
        # csrc/cpu_ops.cpp, LUTCache: tables are kept by the map's address and four of its values.
        reproducer="""\
import torch
from bitsandbytes import functional
x = torch.full((64,), 0.5)
x[0] = 1.0
code = torch.linspace(-1, 1, 256)
functional.quantize_blockwise(x, code=code, blocksize=64)
code[2:127] *= 0.9
code[128:254] *= 0.9
stale, _ = functional.quantize_blockwise(x, code=code, blocksize=64)
fresh, _ = functional.quantize_blockwise(x, code=code.clone(), blocksize=64)
print(torch.equal(stale, fresh))
""",
        expected="True",
        actual="False",
        check_glob="",
    ),
    Finding(
        library="torchao",
        versions=_TORCHAO,
        rule="bfloat16",
        title="stochastic rounding turns nans with a payload into -0 and infinity",
        contradicts="a nan stays a nan",
        # torchao/optim/quant_utils.py, _fp32_to_bf16_sr: 0x10000 is added to the bits of a nan as
        # to those of a number, and bits cut off may have been all that told it from infinity.
        reproducer="""\
import torch
from torchao.optim.quant_utils import _fp32_to_bf16_sr
x = torch.tensor([0x7FFFFFFF, 0x7F800001], dtype=torch.int32).view(torch.float32)
torch.manual_seed(0)
print(_fp32_to_bf16_sr(x).tolist())
""",
        expected="[nan, nan]",
        actual="[-0.0, inf]",
        check_glob="",
    ),
    Finding(
        library="torchao",
        versions=_TORCHAO,
        rule="",
        title="the counter stands still from step 2^24 on",
        contradicts="t is the number of steps made",
        # torchao/optim/adam.py, _AdamBase.step: state["step"] = torch.tensor(0.0), float32.
        reproducer="""\
import torch
from torchao.optim import AdamW8bit
p = torch.ones(1)
optimizer = AdamW8bit([p])
p.grad = torch.ones(1)
with torch.compiler.set_stance("force_eager"):
    optimizer.step()
    optimizer.state[p]["step"].fill_(2**24)
    optimizer.step()
print(int(optimizer.state[p]["step"].item()) - 2**24)
""",
        expected="1",
        actual="0",
        check_glob="optimizer/*eager/counter*",
    ),
)
