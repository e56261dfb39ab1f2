"""Departures of torch.optim's fused CPU kernels, each verified by its reproducer."""

from __future__ import annotations

from truestep.fast.peers.finding import Finding

_TORCH = "2.13.0 (CPU)"

_FUSED_SGD_LOW_PRECISION = """\
import torch
for size in (7, 64):
    p = torch.zeros(size, dtype=torch.bfloat16)
    optimizer = torch.optim.SGD([p], lr=1.0, {options}fused=True)
    for _ in range(3):
        p.grad = torch.ones_like(p)
        optimizer.step()
    print(size, p[0].item())
"""

_FUSED_ADAGRAD = """\
import torch
for size in (7, 64):
    p = torch.ones(size, dtype=torch.float16)
    optimizer = torch.optim.Adagrad([p], lr=0.1, fused=True)
    p.grad = torch.zeros_like(p)
    optimizer.step()
    print(size, p[0].item())
"""

_NAN_MAXIMUM = """\
import torch
for fused in (False, True):
    p = torch.zeros(1)
    optimizer = torch.optim.{optimizer}([p], amsgrad=True, fused=fused)
    p.grad = torch.full((1,), torch.nan)
    optimizer.step()
    print(fused, optimizer.state[p]["max_exp_avg_sq"].item())
"""

_LATE = """\
import torch
a, b = torch.ones(1), torch.ones(1)
optimizer = torch.optim.SGD([a, b], lr=1.0, momentum=0.5, {options}fused=True)
a.grad = torch.ones(1)
optimizer.step()
b.grad = torch.ones(1)
try:
    optimizer.step()
    print(b.item())
except TypeError as error:
    print(type(error).__name__)
"""


def _fused_sgd_low_precision(rule: str, options: str, right: float) -> Finding:
    return Finding(
        library="torch",
        versions=_TORCH,
        rule=rule,
        title="fused SGD leaves whole vectors of float16 and bfloat16 parameters where they were",
        contradicts="p_t = p_{t-1} - lr b_t; b_t = momentum b_{t-1} + (1 - dampening) g_t",
        # aten/src/ATen/native/cpu/FusedSGDKernel.cpp, the vector loop of sgd_math for the reduced
        # formats: it never adds the step to param_vec nor stores it, and it reads the 16-bit
        # momentum buffer with fVec::loadu, as float32 and past the buffer's end.
        reproducer=_FUSED_SGD_LOW_PRECISION.format(options=options),
        expected=f"7 {right}\n64 {right}",
        actual=f"7 {right}\n64 0.0",
        check_glob=f"optimizer/{rule}/*float16/fused*/*",
    )


def _strides(rule: str, optimizer: str, options: str, prefix: str = "") -> Finding:
    return Finding(
        library="torch",
        versions=_TORCH,
        rule=rule,
        title=f"fused {optimizer} takes strided tensors for contiguous and writes between elements",
        contradicts="the step is element by element: p[i] moves by g[i], nothing else is written",
        # aten/src/ATen/native/cpu/Fused{Adagrad,Adam,SGD}Kernel.cpp: the loops walk data_ptr() over
        # numel() elements, whatever the strides; grad.contiguous() is formed and not used. CUDA
        # refuses lists of unlike layout.
        reproducer=f"""\
import torch
storage = torch.zeros(8)
p = storage[::2]
optimizer = torch.optim.{optimizer}([p], lr=1.0, {options}fused=True)
p.grad = torch.ones(8)[::2]
optimizer.step()
print((storage != 0).tolist())
""",
        expected="[True, False, True, False, True, False, True, False]",
        actual="[True, True, True, True, False, False, False, False]",
        check_glob=f"optimizer/{rule}/*/{prefix}fused_as_given/*",
    )


def _nan_maximum(optimizer: str, prefix: str) -> Finding:
    return Finding(
        library="torch",
        versions=_TORCH,
        rule="amsgrad",
        title=f"the running maximum of fused {optimizer} passes over a nan",
        contradicts="v_max_t = max(v_max_{t-1}, v_t) is nan where v_t is",
        # aten/src/ATen/native/cpu/FusedAdamKernel.cpp: std::max(v_max, v) in the scalar loop, which
        # keeps its first argument where the second is nan; the vector loop's maximum is nan.
        reproducer=_NAN_MAXIMUM.format(optimizer=optimizer),
        expected="False nan\nTrue nan",
        actual="False nan\nTrue 0.0",
        check_glob=f"optimizer/amsgrad/*/{prefix}fused*/special_values",
    )


def _late(rule: str, options: str, result: str) -> Finding:
    return Finding(
        library="torch",
        versions=_TORCH,
        rule=rule,
        title="fused SGD with momentum fails when a parameter gets its first gradient later",
        contradicts="b_1 = g_1 for each parameter, whenever its first step is",
        # torch/optim/sgd.py, _fused_sgd: buffers are made only if none of the group has one.
        reproducer=_LATE.format(options=options),
        expected=result,
        actual="TypeError",
        check_glob=f"optimizer/{rule}/*/fused_as_given/*",
    )


TORCH_FUSED_FINDINGS: tuple[Finding, ...] = (
    Finding(
        library="torch",
        versions=_TORCH,
        rule="adagrad",
        title="fused Adagrad rounds lr, eps and weight_decay to 16 bits, in whole vectors only",
        contradicts="p_t = p_{t-1} - lr g / (sqrt(total) + eps) with eps > 0",
        # aten/src/ATen/native/cpu/FusedAdagradKernel.cpp, adagrad_math for the reduced formats:
        # fVec(scalar_t(eps)), where the scalar loop after it has opmath_t(eps). The default eps is
        # 0 in float16, so that a zero gradient gives 0/0; elements of the scalar loop are right.
        reproducer=_FUSED_ADAGRAD,
        expected="7 1.0\n64 1.0",
        actual="7 1.0\n64 nan",
        check_glob="optimizer/adagrad/*float16/fused*/*",
    ),
    _fused_sgd_low_precision("nesterov", "momentum=0.5, nesterov=True, ", -5.125),
    _fused_sgd_low_precision("sgd", "", -3.0),
    _nan_maximum("Adam", ""),
    _nan_maximum("AdamW", "adamw_"),
    _strides("adagrad", "Adagrad", ""),
    _strides("nesterov", "SGD", "momentum=0.5, nesterov=True, "),
    _strides("sgd", "SGD", ""),
    _late("nesterov", "nesterov=True, ", "-0.5"),
    _late("sgd", "", "0.0"),
    Finding(
        library="torch",
        versions=_TORCH,
        rule="sgd",
        title="fused SGD keeps an uninitialised momentum buffer when its first step is skipped",
        contradicts="a step skipped for an overflow changes nothing; the next one is the first",
        # torch/optim/sgd.py, _fused_sgd: torch.empty_like, then the kernel returns early when
        # found_inf is set; the next step finds a buffer and does not start from the gradient.
        reproducer="""\
import torch
p = torch.zeros(1)
optimizer = torch.optim.SGD([p], lr=1.0, momentum=0.5, fused=True)
optimizer.grad_scale, optimizer.found_inf = torch.tensor(1.0), torch.tensor(1.0)
p.grad = torch.ones(1)
optimizer.step()
print(optimizer.state[p].get("momentum_buffer") is None)
""",
        expected="True",
        actual="False",
        check_glob="",
    ),
    _strides("adam", "Adam", ""),
    _strides("adamw", "AdamW", ""),
    _strides("amsgrad", "Adam", "amsgrad=True, "),
    _strides("amsgrad", "AdamW", "amsgrad=True, ", "adamw_"),
)
