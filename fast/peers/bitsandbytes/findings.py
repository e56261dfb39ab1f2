"""Departures of bitsandbytes' optimizers on the CPU, each verified by its reproducer."""

from __future__ import annotations

import functools

from truestep.fast.peers.finding import Finding

_finding = functools.partial(Finding, "bitsandbytes", "0.50.2 (CPU)")

# Through the public optimizers; the gradient changes sign, so that every option matters.
_OPTION = """\
import torch, bitsandbytes
def run(**options):
    p = torch.ones(1)
    optimizer = bitsandbytes.optim.{optimizer}([p], lr=0.1, {shared}**options)
    for g in (1.0, -3.0, 0.5, 2.0):
        p.grad = torch.full((1,), g)
        optimizer.step()
    return p.item()
print(run({option}) == run())
"""


def _ignored(rule: str, optimizer: str, shared: str, option: str, line: str) -> Finding:
    # bitsandbytes/optim: the argument is stored or dropped, and no kernel takes it.
    return _finding(
        rule,
        f"{optimizer} accepts {option} and ignores it",
        line,
        _OPTION.format(optimizer=optimizer, shared=shared, option=option),
        "False",
        "True",
    )


BITSANDBYTES_FINDINGS: tuple[Finding, ...] = (
    _finding(
        "",
        "a float64 parameter is rounded to float32, with a zero gradient too",
        "g = 0 without decay leaves p as it is",
        # backends/cpu/ops.py, _optimizer_update_32bit_cpu: p.data.float() is stepped and copied
        # back, whatever the format.
        """\
import torch, bitsandbytes
p = torch.full((1,), 0.1, dtype=torch.float64)
optimizer = bitsandbytes.optim.AdamW32bit([p], lr=0.1, weight_decay=0.0)
p.grad = torch.zeros(1, dtype=torch.float64)
optimizer.step()
print(p.item())
""",
        "0.1",
        "0.10000000149011612",
    ),
    _finding(
        "",
        "a parameter that is a strided view is detached from its storage",
        "step() updates the parameter in place",
        # bitsandbytes/optim/optimizer.py, update_step: p.data = p.data.contiguous().
        """\
import torch, bitsandbytes
storage = torch.ones(8)
p = storage[::2]
optimizer = bitsandbytes.optim.AdamW32bit([p], lr=0.1)
p.grad = torch.ones(4)
optimizer.step()
print(p[0].item() == storage[0].item())
""",
        "True",
        "False",
    ),
    _finding(
        "adam",
        "Adam with weight_decay is AdamW",
        "Adam adds weight_decay p to the gradient; AdamW is a class of its own",
        # backends/cpu/ops.py, "adam": p.mul_(1 - lr weight_decay).
        """\
import torch, bitsandbytes
def run(optimizer):
    p = torch.ones(1)
    o = optimizer([p], lr=0.1, weight_decay=0.5)
    for g in (1.0, -3.0):
        p.grad = torch.full((1,), g)
        o.step()
    return p.item()
ours = run(bitsandbytes.optim.Adam32bit)
adam, adamw = run(torch.optim.Adam), run(torch.optim.AdamW)
print("Adam" if abs(ours - adam) < abs(ours - adamw) else "AdamW")
""",
        "Adam",
        "AdamW",
    ),
    _finding(
        "ademamix",
        "AdEMAMix32bit cannot step",
        "the 32-bit class is the base class with optim_bits=32, as of the other optimizers",
        # bitsandbytes/optim/ademamix.py: AdEMAMix32bit inherits the state of Adam, one tensor like
        # p, of whose first two rows the kernel makes the two averages.
        """\
import torch, bitsandbytes
def run(optimizer):
    p = torch.ones(8)
    o = optimizer([p], lr=0.1)
    p.grad = torch.ones(8)
    try:
        o.step()
    except RuntimeError as error:
        return type(error).__name__
    return "steps"
print(run(bitsandbytes.optim.AdEMAMix), run(bitsandbytes.optim.AdEMAMix32bit))
""",
        "steps steps",
        "steps RuntimeError",
    ),
    _finding(
        "lamb",
        "LAMB's trust ratio is that of the update before bias correction",
        "r_t = m_t / (1 - beta1^t) / (sqrt(v_t / (1 - beta2^t)) + eps); trust = |p| / |r_t|",
        # backends/cpu/ops.py, "lamb": the norm is that of m / (sqrt(v) + eps sqrt(1 - beta2^t)),
        # and the corrections multiply lr; backends/default/ops.py corrects first.
        """\
import torch, bitsandbytes
p = torch.ones(4)
optimizer = bitsandbytes.optim.LAMB32bit([p], lr=0.1)
p.grad = torch.ones(4)
optimizer.step()
print(round(p[0].item(), 4))
""",
        "0.9",
        "0.9684",
        "optimizer/lamb/*/32bit/*",
    ),
    _finding(
        "lars",
        "LARS only limits the norm of its buffer: the step grows with the gradient",
        "trust = trust_coefficient |p| / (|g| + weight_decay |p|): |b_1| is the same for any g",
        # backends/cpu/ops.py, _compute_update_norm_and_scale: 1 unless the buffer's norm exceeds
        # max_unorm |p|.
        """\
import torch, bitsandbytes
def moved(gradient):
    p = torch.ones(1)
    optimizer = bitsandbytes.optim.LARS32bit([p], lr=0.1, momentum=0.9)
    p.grad = torch.full((1,), gradient)
    optimizer.step()
    return 1 - p.item()
print(round(moved(0.01) / moved(0.001), 2))
""",
        "1.0",
        "10.0",
    ),
    _finding(
        "lars",
        "LARS8bit is SGD8bit for tensors of 4096 elements and more",
        "max_unorm: LARS32bit's, and LARS8bit's for smaller tensors, limits the step",
        # backends/cpu/ops.py, _optimizer_update_8bit_blockwise_cpu takes no max_unorm. LAMB8bit,
        # of which the same is true, refuses the argument.
        """\
import torch, bitsandbytes
def run(optimizer):
    p = torch.ones(4096)
    o = optimizer([p], lr=0.1, momentum=0.9)
    p.grad = torch.linspace(-1, 1, 4096)
    o.step()
    return p
optim = bitsandbytes.optim
print(torch.equal(run(optim.LARS8bit), run(optim.SGD8bit)))
""",
        "False",
        "True",
    ),
    _finding(
        "lars",
        "PytorchLARS cannot step with its default momentum",
        "momentum=0 is the default",
        # bitsandbytes/optim/lars.py: without momentum no update is assigned.
        """\
import torch, bitsandbytes
p = torch.ones(1)
optimizer = bitsandbytes.optim.PytorchLARS([p])
p.grad = torch.ones(1)
try:
    optimizer.step()
    print("steps")
except UnboundLocalError as error:
    print(type(error).__name__)
""",
        "steps",
        "UnboundLocalError",
    ),
    _finding(
        "sgd",
        "SGD ignores the momentum of a parameter group",
        "momentum: a hyperparameter, which torch's param_groups set for their own parameters",
        # bitsandbytes/optim/sgd.py: momentum becomes betas[0], the only name that is looked up.
        """\
import torch, bitsandbytes
def run(optimizer):
    p = torch.ones(1)
    o = optimizer([{"params": [p], "momentum": 0.5}], lr=0.1, momentum=0.9)
    for _ in range(2):
        p.grad = torch.ones(1)
        o.step()
    return round(p.item(), 4)
print(run(bitsandbytes.optim.SGD32bit) == run(torch.optim.SGD))
""",
        "True",
        "False",
    ),
    _ignored(
        "amsgrad",
        "Adam32bit",
        "betas=(0.9, 0.5), ",
        "amsgrad=True",
        "v_max_t = max(v_max_{t-1}, v_t)",
    ),
    _ignored(
        "lamb",
        "LAMB32bit",
        "",
        "bias_correction=False",
        "bias_correction: whether to apply bias correction to the moments",
    ),
    _ignored(
        "lamb",
        "LAMB32bit",
        "weight_decay=0.5, ",
        "adam_w_mode=False",
        "adam_w_mode: whether to use the AdamW variant",
    ),
    _ignored(
        "lars",
        "LARS32bit",
        "momentum=0.9, max_unorm=100.0, ",
        "dampening=0.5",
        "dampening: the value reduces the momentum of the optimizer",
    ),
    _ignored(
        "lars",
        "LARS32bit",
        "momentum=0.9, max_unorm=100.0, ",
        "nesterov=True",
        "nesterov: whether to use Nesterov momentum",
    ),
    _ignored(
        "nesterov",
        "SGD32bit",
        "momentum=0.9, ",
        "nesterov=True",
        "p_t = p_{t-1} - lr (g_t + momentum u_t)",
    ),
    _ignored(
        "rmsprop",
        "RMSprop32bit",
        "",
        "momentum=0.9",
        "b_t = momentum b_{t-1} + d_t, and p_t = p_{t-1} - lr b_t",
    ),
    _ignored(
        "sgd",
        "SGD32bit",
        "momentum=0.9, ",
        "dampening=0.5",
        "b_t = momentum b_{t-1} + (1 - dampening) g_t",
    ),
)
