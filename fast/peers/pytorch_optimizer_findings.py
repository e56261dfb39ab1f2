"""Departures of pytorch-optimizer from its rules and its own descriptions, found by this suite."""

from __future__ import annotations

from truestep.fast.peers.finding import Finding

_ADAN_MAXIMIZE = """\
import torch
from pytorch_optimizer import Adan
for maximize in (False, True):
    p = torch.zeros(1)
    optimizer = Adan([p], lr=1.0, betas=(0.5, 0.5, 0.5), eps=0.0, maximize=maximize)
    p.grad = torch.full((1,), -2.0 if maximize else 2.0)
    optimizer.step()
    print(maximize, round(p.item(), 4), optimizer.state[p]["exp_avg_diff"].item())
"""

_APOLLO_RANK = """\
import torch
from pytorch_optimizer import APOLLO
torch.manual_seed(0)
p = torch.nn.Parameter(torch.zeros(3, 4))
group = {"params": [p], "rank": 1, "update_proj_gap": 200, "scale": 1.0, "projection_type": "std"}
optimizer = APOLLO([group], lr=1.0, weight_decay=0.0)
p.grad = torch.eye(3, 4)
optimizer.step()
print(torch.linalg.matrix_rank(p.detach(), atol=1e-6).item())
"""

_APOLLO_SCALE = """\
import torch
from pytorch_optimizer import APOLLO
steps = []
for scale in (1.0, 4.0):
    torch.manual_seed(0)
    p = torch.nn.Parameter(torch.zeros(3, 4))
    group = {"params": [p], "rank": 2, "update_proj_gap": 200, "scale": scale,
             "projection_type": "std"}
    optimizer = APOLLO([group], lr=1.0, weight_decay=0.0)
    p.grad = torch.eye(3, 4)
    optimizer.step()
    steps.append(p.detach().norm().item())
print(round(steps[1] / steps[0], 4))
"""

_LAMB = """\
import torch
from pytorch_optimizer import Lamb
p = torch.tensor([3.0, 4.0])
optimizer = Lamb([p], lr=0.1)
for _ in range(3):
    before = p.clone()
    p.grad = torch.ones(2)
    optimizer.step()
    print(round(((p - before).norm() / before.norm()).item(), 3))
"""

_LOMO_OVERFLOW = """\
import torch
from pytorch_optimizer import LOMO
model = torch.nn.Linear(1, 1, bias=False)
optimizer = LOMO(model, lr=0.1, clip_grad_norm=1.0)
x = torch.full((1, 1), float("inf"))
try:
    optimizer.grad_norm(model(x).sum())
    print("clipped")
except RuntimeError as error:
    print(error)
"""

_PRODIGY_DECAY = """\
import torch
from pytorch_optimizer import Prodigy
for weight_decay in (0.0, 10.0):
    p = torch.ones(1)
    optimizer = Prodigy([p], d0=0.1, weight_decay=weight_decay, weight_decouple=False)
    p.grad = torch.ones(1)
    optimizer.step()
    print(round(optimizer.state[p]["exp_avg"].item(), 4))
"""

_RADAM_DECAY = """\
import torch
from pytorch_optimizer import RAdam
for decouple in (True, False):
    p = torch.ones(1)
    optimizer = RAdam([p], lr=0.1, weight_decay=1.0, weight_decouple=decouple,
                      degenerated_to_sgd=True)
    p.grad = torch.zeros(1)
    optimizer.step()
    print(decouple, round(p.item(), 4))
"""

_SCHEDULE_FREE_ROOT = """\
import torch
from pytorch_optimizer import ScheduleFreeAdamW
p = torch.zeros(1)
optimizer = ScheduleFreeAdamW([p], lr=1.0, betas=(0.9, 0.999), eps=0.0)
p.grad = torch.full((1,), 1e-9)
optimizer.step()
print(round(-optimizer.state[p]["z"].item(), 3))
"""

_SHAMPOO_MOMENTUM = """\
import torch
from pytorch_optimizer import Shampoo
for momentum in (0.0, 0.9):
    p = torch.zeros(1, 1)
    optimizer = Shampoo([p], lr=1.0, momentum=momentum, matrix_eps=0.0)
    for _ in range(4):
        before = p.clone()
        p.grad = torch.full((1, 1), 100.0)
        optimizer.step()
    print(momentum, round((before - p).item(), 3))
"""

_SWATS_TOLERANCE = """\
import torch
from pytorch_optimizer import SWATS
p = torch.zeros(1)
optimizer = SWATS([p], lr=1e-8, betas=(0.5, 0.5), eps=1e-12)
for g in (1.0, 1.1, 1.0):
    p.grad = torch.full((1,), g)
    optimizer.step()
print(optimizer.param_groups[0]["phase"])
"""

_SHAMPOO_MAXIMIZE = """\
import torch
from pytorch_optimizer import Shampoo
for maximize in (False, True):
    p = torch.zeros(1, 1)
    optimizer = Shampoo([p], lr=1.0, momentum=0.9, matrix_eps=0.0, maximize=maximize)
    p.grad = torch.full((1, 1), 4.0 if not maximize else -4.0)
    optimizer.step()
    print(maximize, round(p.item(), 4))
"""

_ADAFACTOR_NAN = """\
import torch
from pytorch_optimizer import AdaFactor
for foreach in (False, True):
    p = torch.tensor([float("nan"), 1.0])
    optimizer = AdaFactor([p], betas=(None, 0.999), relative_step=False, foreach=foreach)
    p.grad = torch.ones(2)
    optimizer.step()
    print(foreach, p.isnan().tolist())
"""

_SWATS_ROOT = """\
import torch
from pytorch_optimizer import SWATS
p = torch.zeros(1)
optimizer = SWATS([p], lr=1.0, betas=(0.5, 0.5), eps=0.0)
p.grad = torch.full((1,), 1e-9)
optimizer.step()
print(round(-p.item(), 3))
"""

_SWATS_STRIDES = """\
import torch
from pytorch_optimizer import SWATS
p = torch.zeros(2, 3).t()
optimizer = SWATS([p], foreach=False)
p.grad = torch.ones(2, 3).t()
try:
    optimizer.step()
    print("stepped")
except RuntimeError as error:
    print(type(error).__name__)
"""
