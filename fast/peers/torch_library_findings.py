"""Departures of small libraries for torch from their rules, found by this suite."""

from __future__ import annotations

from truestep.fast.peers.finding import Finding

_ADAM_MINI_STRIDES = """\
import torch
from adam_mini import Adam_mini
for p in (torch.zeros(4, 2), torch.zeros(2, 4).t()):
    p = torch.nn.Parameter(p)
    optimizer = Adam_mini([("q_proj.weight", p)], dim=4, n_heads=2, verbose=False)
    p.grad = torch.ones_like(p)
    try:
        optimizer.step()
        print("stepped")
    except RuntimeError as error:
        print(type(error).__name__)
"""

_ADAN_FIRST = """\
import torch
from adan_pytorch import Adan
p = torch.zeros(1)
optimizer = Adan([p], lr=1.0)
for _ in range(3):
    before = p.clone()
    p.grad = torch.ones(1)
    optimizer.step()
    print(round((before - p).item(), 4))
"""

_ADALOMO_NAN = """\
import torch
from unittest import mock
from lomo_optim import AdaLomo
model = torch.nn.Linear(2, 2, bias=False)
model.weight.data = torch.tensor([[1.0, 1.0], [1.0, float("nan")]])
# AdaLomo asks for CUDA as it is built.
with mock.patch.object(torch.Tensor, "cuda", lambda tensor: tensor):
    optimizer = AdaLomo(model, lr=1.0, loss_scale=0)
optimizer.fused_backward((model.weight * torch.ones(2, 2)).sum(), 1.0)
print([round(x, 4) for x in model.weight.flatten().tolist()])
"""

_PRODIGY_COUNT = """\
import torch
from prodigyopt import Prodigy
p = torch.zeros(1)
optimizer = Prodigy([p], d0=0.1, use_bias_correction=True)
for g in (0.0, 0.0, 0.0, 0.0, 1.0):
    p.grad = torch.full((1,), g)
    optimizer.step()
print(optimizer.param_groups[0]["k"], round(-p.item(), 4))
"""

_PRODIGY_WARMUP = """\
import torch
from prodigyopt import Prodigy
for lr in (1e-30, 0.0):
    p = torch.ones(1)
    optimizer = Prodigy([p], d0=0.1)
    optimizer.param_groups[0]["lr"] = lr
    p.grad = torch.ones(1)
    optimizer.step()
    print(lr, round(optimizer.state[p]["exp_avg"].item(), 4))
"""

TORCH_LIBRARY_FINDINGS: tuple[Finding, ...] = (
    Finding(
        library="adam-mini",
        versions="1.1.1",
        rule="adam_mini",
        title="Queries and keys cannot be stepped where they are stored transposed",
        contradicts="a parameter may have any strides",
        # adam_mini.py: m.view(-1, head_numel).
        reproducer=_ADAM_MINI_STRIDES,
        expected="stepped\nstepped\n",
        actual="stepped\nRuntimeError\n",
        check_glob="",
    ),
    Finding(
        library="adan-pytorch",
        versions="0.1.0",
        rule="adan",
        title="The first gradient is counted, but neither makes a step nor enters an average",
        contradicts="m_1 = g_1, n_1 = g_1^2 (Algorithm 1): equal gradients make steps of lr",
        # adan.py: the averages are refreshed if step > 0 only.
        reproducer=_ADAN_FIRST,
        expected="1.0\n1.0\n1.0\n",
        actual="0.0\n0.7125\n0.8227\n",
        check_glob="optimizer/adan/float32/single/[efls]* "
        "optimizer/adan/float32/single/combinations optimizer/adan/float32/single/update_alone",
    ),
    Finding(
        library="lomo-optim",
        versions="0.1.1",
        rule="adalomo",
        title="A nan in the parameter makes the step of its other elements one of lr eps2",
        contradicts="alpha_t = lr max(eps2, RMS(p_{t-1})), which is nan where RMS is",
        # Python's max(eps2, nan) is eps2.
        reproducer=_ADALOMO_NAN,
        expected="[nan, nan, nan, nan]\n",
        actual="[0.999, 0.999, 0.999, nan]\n",
        check_glob="optimizer/adalomo/float32/*fused/element_by_element "
        "optimizer/adalomo/float32/*fused/full_range",
    ),
    Finding(
        library="prodigyopt",
        versions="1.1.2",
        rule="prodigy",
        title="A step whose gradients are still zero is not counted by the bias correction",
        contradicts="use_bias_correction: turn on Adam's bias correction, whose t counts steps",
        reproducer=_PRODIGY_COUNT,
        expected="5 0.0545\n",
        actual="1 0.1\n",
        check_glob="",
    ),
    Finding(
        library="prodigyopt",
        versions="1.1.2",
        rule="prodigy",
        title="A step with lr = 0, where a warm-up may begin, leaves the gradient out of all sums",
        contradicts="m_t = beta1 m_{t-1} + (1 - beta1) d_t g_t, whatever lr is",
        reproducer=_PRODIGY_WARMUP,
        expected="1e-30 0.01\n0.0 0.01\n",
        actual="1e-30 0.01\n0.0 0.0\n",
        check_glob="optimizer/prodigy/float32/*single/combinations",
    ),
)
