"""Departures of torch.optim on the CPU, each verified by its reproducer."""

from __future__ import annotations

from truestep.fast.peers.finding import Finding

_TORCH = "2.13.0 (CPU)"

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

_NADAM_FLOAT64 = """\
import torch
p = torch.zeros(1, dtype=torch.float64)
optimizer = torch.optim.NAdam([p])
p.grad = torch.ones_like(p)
optimizer.step()
mu = 0.9 * (1 - 0.5 * 0.96**0.004)
print(abs(optimizer.state[p]["mu_product"].item() / mu - 1) < 1e-15)
"""


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
        rule="nadam",
        title="NAdam keeps the product of momenta of float64 parameters in float32",
        contradicts="mu_product_t = mu_product_{t-1} mu_t in float64",
        # torch/optim/nadam.py, _init_group: mu_product is made with _get_scalar_dtype().
        reproducer=_NADAM_FLOAT64,
        expected="True",
        actual="False",
        check_glob="optimizer/nadam/float64/*/*",
    ),
    Finding(
        library="torch",
        versions=_TORCH,
        rule="radam",
        title="foreach RAdam is nan before its threshold where sqrt(v) + eps rounds to 0",
        contradicts="before the threshold p_t = p_{t-1} - lr m_hat, without v",
        # torch/optim/radam.py, _multi_tensor_radam: both branches are formed and weighted, and the
        # unused one is 1 / (0 / (sqrt(v) + eps)) made 0 by infinite steps: 0/0 where that is 0.
        reproducer="""\
import torch
for foreach in (False, True):
    p = torch.ones(1, dtype=torch.float16)
    optimizer = torch.optim.RAdam([p], foreach=foreach)
    p.grad = torch.full_like(p, 2**-11)
    optimizer.step()
    print(foreach, p.isnan().item())
""",
        expected="False False\nTrue False",
        actual="False False\nTrue True",
        check_glob="optimizer/radam/float16/*foreach/*",
    ),
)
