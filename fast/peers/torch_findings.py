"""Departures of torch.optim on the CPU, each verified by its reproducer."""

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

_LOST_DIGITS = """\
import torch
for differentiable in (False, True):
    p = torch.ones(1, dtype=torch.float64)
    optimizer = torch.optim.{optimizer}([p], lr=1.0, eps=0.0, weight_decay=0.0, {options}
                                    differentiable=differentiable)
    p.grad = torch.ones_like(p)
    optimizer.step()
    print(differentiable, abs(p.item()) < 1e-15)
"""

_ZERO_LR = """\
import torch
for differentiable in (False, True):
    p = torch.ones(1)
    optimizer = torch.optim.{optimizer}([p], lr=0.0, {options}differentiable=differentiable)
    p.grad = torch.zeros(1)
    optimizer.step()
    print(differentiable, p.item())
"""

_COUNTER = """\
import torch
p = torch.ones(1)
optimizer = torch.optim.{optimizer}([p], {options})
p.grad = torch.ones(1)
optimizer.step()
optimizer.state[p]["step"].fill_(2**24)
optimizer.step()
print(int(optimizer.state[p]["step"].item()) - 2**24)
"""

_LERP = """\
import torch
for fused in (False, True):
    p = torch.zeros(1)
    optimizer = torch.optim.{optimizer}([p], fused=fused{options})
    for g in (3e38, 3e38, -3e38):
        if p in optimizer.state:
            optimizer.state[p]["exp_avg"].fill_(3e38)
        p.grad = torch.full((1,), g)
        optimizer.step()
    print(fused, optimizer.state[p]["exp_avg"].item() > 2e38)
"""

_STUCK = """\
import torch
for differentiable in (False, True):
    p = torch.zeros(1, dtype=torch.float16)
    optimizer = torch.optim.{optimizer}([p], lr=1e-4, {options}differentiable=differentiable)
    p.grad = torch.full_like(p, 128.0)
    optimizer.step()
    print(differentiable, p.item() != 0.0)
"""

_TINY_EPS = """\
import torch
p = torch.ones(1, dtype=torch.float16)
optimizer = torch.optim.{optimizer}([p], weight_decay=0.0, {options}foreach=False)
p.grad = torch.zeros_like(p)
optimizer.step()
print(p.item())
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

_NADAM_FLOAT64 = """\
import torch
p = torch.zeros(1, dtype=torch.float64)
optimizer = torch.optim.NAdam([p])
p.grad = torch.ones_like(p)
optimizer.step()
mu = 0.9 * (1 - 0.5 * 0.96**0.004)
print(abs(optimizer.state[p]["mu_product"].item() / mu - 1) < 1e-15)
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


def _counter(rule: str, optimizer: str, options: str = "", prefix: str = "") -> Finding:
    return Finding(
        library="torch",
        versions=_TORCH,
        rule=rule,
        title=f"{optimizer}'s counter stands still from step 2^24 on",
        contradicts="t is the number of steps made",
        # torch/optim/optimizer.py, _get_scalar_dtype: float32 unless the default dtype is float64,
        # and always when fused.
        reproducer=_COUNTER.format(optimizer=optimizer, options=options),
        expected="1",
        actual="0",
        check_glob=f"optimizer/{rule}/*/{prefix}*/counter*",
    )


def _tiny_eps(rule: str, optimizer: str, options: str = "", prefix: str = "") -> Finding:
    return Finding(
        library="torch",
        versions=_TORCH,
        rule=rule,
        title=f"{optimizer} in float16 turns a parameter with zero gradient into nan",
        contradicts="g = 0 from the start leaves p as it is for eps > 0",
        # The default eps is below float16's least subnormal: the denominator, rounded to float16,
        # is 0. Fused kernels compute in float32.
        reproducer=_TINY_EPS.format(optimizer=optimizer, options=options),
        expected="1.0",
        actual="nan",
        check_glob=f"optimizer/{rule}/float16/{prefix}[!f]*/*",
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


def _adam_family(rule: str, optimizer: str, prefix: str = "") -> tuple[Finding, ...]:
    options = "amsgrad=True, " if rule == "amsgrad" else ""
    return (
        Finding(
            library="torch",
            versions=_TORCH,
            rule=rule,
            title=f"differentiable {optimizer} corrects float64 parameters with float32 functions",
            contradicts="m_hat = m_t / (1 - beta1^t), v_hat = v_t / (1 - beta2^t) in float64",
            # torch/optim/adam.py, _single_tensor_adam: beta**step with step a float32 tensor.
            # 1 - 0.999^1 is left with a relative error of 1e-5, the step with half of it.
            reproducer=_LOST_DIGITS.format(optimizer=optimizer, options=options),
            expected="False True\nTrue True",
            actual="False True\nTrue False",
            check_glob=f"optimizer/{rule}/float64/{prefix}differentiable/*",
        ),
        Finding(
            library="torch",
            versions=_TORCH,
            rule=rule,
            title=f"differentiable {optimizer} turns a parameter into nan when lr = 0 and v = 0",
            contradicts="p_t = p_{t-1} - lr m_hat / (sqrt(v_hat) + eps) = p_{t-1} for lr = 0",
            # torch/optim/adam.py, _single_tensor_adam: the denominator is divided by -lr first, so
            # it is 0/0 + eps/0. capturable=True runs the same lines on a GPU.
            reproducer=_ZERO_LR.format(optimizer=optimizer, options=options + "weight_decay=0.0, "),
            expected="False 1.0\nTrue 1.0",
            actual="False 1.0\nTrue nan",
            check_glob=f"optimizer/{rule}/*/{prefix}differentiable/*",
        ),
        Finding(
            library="torch",
            versions=_TORCH,
            rule=rule,
            title=f"{optimizer}'s first moment overflows between two finite values",
            contradicts="m_t = beta1 m_{t-1} + (1 - beta1) g_t lies between m_{t-1} and g_t",
            # lerp forms g - m, which overflows when they are large and of opposite signs.
            reproducer=_LERP.format(
                optimizer=optimizer, options=", amsgrad=True" if options else ""
            ),
            expected="False True\nTrue True",
            actual="False False\nTrue False",
            check_glob="",
        ),
        Finding(
            library="torch",
            versions=_TORCH,
            rule=rule,
            title=f"differentiable {optimizer} in float16 stands still for large gradients",
            contradicts="|p_1 - p_0| = lr |g_1| / (|g_1| + eps)",
            # torch/optim/adam.py, _single_tensor_adam: the denominator is divided by lr first,
            # and exceeds 65504 where sqrt(v_hat) > 65504 lr.
            reproducer=_STUCK.format(optimizer=optimizer, options=options),
            expected="False True\nTrue True",
            actual="False True\nTrue False",
            check_glob=f"optimizer/{rule}/float16/{prefix}differentiable/*",
        ),
        _strides(rule, optimizer, options, prefix),
    )


TORCH_FINDINGS: tuple[Finding, ...] = (
    *_adam_family("adam", "Adam"),
    *_adam_family("adamw", "AdamW"),
    *_adam_family("amsgrad", "Adam"),
    *_adam_family("amsgrad", "AdamW", "adamw_"),
    *(
        _counter(rule, optimizer, *rest)
        for rule, optimizer, *rest in (
            ("adadelta", "Adadelta"),
            ("adagrad", "Adagrad"),
            ("adam", "Adam"),
            ("adamax", "Adamax"),
            ("adamw", "AdamW"),
            ("amsgrad", "Adam", "amsgrad=True"),
            ("amsgrad", "AdamW", "amsgrad=True", "adamw_"),
            ("nadam", "NAdam"),
            ("radam", "RAdam"),
            ("rmsprop", "RMSprop"),
        )
    ),
    *(
        _tiny_eps(rule, optimizer, *rest)
        for rule, optimizer, *rest in (
            ("adagrad", "Adagrad"),
            ("adam", "Adam"),
            ("adamax", "Adamax"),
            ("adamw", "AdamW"),
            ("amsgrad", "Adam", "amsgrad=True, "),
            ("amsgrad", "AdamW", "amsgrad=True, ", "adamw_"),
            ("nadam", "NAdam"),
            ("rmsprop", "RMSprop"),
        )
    ),
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
    Finding(
        library="torch",
        versions=_TORCH,
        rule="nadam",
        title="NAdam keeps the product of momenta of float64 parameters in float32",
        contradicts="mu_product_t = mu_product_{t-1} mu_t in float64",
        # torch/optim/nadam.py, _init_group: mu_product is made with _get_scalar_dtype().
        reproducer=_NADAM_FLOAT64,
        expected="True",
        actual="False",
        check_glob="optimizer/nadam/float64/*/*",
    ),
    _fused_sgd_low_precision("nesterov", "momentum=0.5, nesterov=True, ", -5.125),
    _fused_sgd_low_precision("sgd", "", -3.0),
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
)
