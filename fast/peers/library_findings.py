"""Departures of optimizer libraries other than PyTorch from their rules, found by this suite."""

from __future__ import annotations

from truestep.fast.peers.finding import Finding

_ADAM_WD = """\
import torch
from optimi import Adan
for adam_wd in (False, True):
    p = torch.ones(1)
    optimizer = Adan([p], lr=0.5, weight_decay=1.0, adam_wd=adam_wd, foreach=False, triton=False)
    p.grad = torch.zeros(1)
    optimizer.step()
    print(adam_wd, round(p.item(), 4))
"""

_RELATIVE_STEP = """\
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras
for relative_step in (True, False):
    v = keras.Variable(keras.ops.ones(1))
    optimizer = keras.optimizers.Adafactor(learning_rate=1.0, relative_step=relative_step)
    optimizer.build([v])
    for _ in range(4):
        v.assign(keras.ops.ones(1))
        optimizer.apply([keras.ops.ones(1)], [v])
    print(relative_step, round(1 - v.value[0].item(), 4))
"""

_REVERSE_STD = """\
import torch
from galore_torch import GaLoreAdamW
p = torch.nn.Parameter(torch.ones(2, 3))
group = {"params": [p], "rank": 2, "update_proj_gap": 200, "scale": 1.0, "proj_type": "reverse_std"}
optimizer = GaLoreAdamW([group], lr=0.1, no_deprecation_warning=True)
p.grad = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
try:
    optimizer.step()
    print("stepped")
except RuntimeError as error:
    print(type(error).__name__)
"""

_FLOAT32_SVD = """\
import torch
from galore_torch.galore_projector import GaLoreProjector
g = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]], dtype=torch.float64)
projector = GaLoreProjector(rank=2)
projector.project(g, 0)
q = projector.ortho_matrix
print((q.T @ q - torch.eye(2)).abs().max().item() < 1e-12)
"""

_FROZEN = """\
import torch
from apollo_torch import APOLLOAdamW
p = torch.nn.Parameter(torch.zeros(2, 3))
group = {"params": [p], "rank": 1, "proj": "random", "scale_type": "channel", "scale": 1.0,
         "update_proj_gap": 200, "proj_type": "std"}
optimizer = APOLLOAdamW([group], lr=1.0, no_deprecation_warning=True)
for k in range(3):
    p.grad = torch.full((2, 3), float(k > 0))
    before = p.detach().clone()
    optimizer.step()
    print(k + 1, (p - before).norm().item() < 1e-7)
"""

_DIP = """\
import torch
from apollo_torch import APOLLOAdamW
p = torch.nn.Parameter(torch.zeros(2, 3))
group = {"params": [p], "rank": 1, "proj": "random", "scale_type": "tensor", "scale": 1.0,
         "update_proj_gap": 200, "proj_type": "std"}
optimizer = APOLLOAdamW([group], lr=1.0, no_deprecation_warning=True)
norms = []
for _ in range(60):
    p.grad = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
    before = p.detach().clone()
    optimizer.step()
    norms.append((p - before).norm().item())
print([round(norms[t - 1] / norms[0], 2) for t in (1, 2, 10, 60)])
"""

_RANK = """\
import torch
from lomo_optim.lomo import DynamicLossScaler
scaler = DynamicLossScaler()
try:
    scaler.update_scale(True)
    print(scaler.loss_scale)
except ValueError as error:
    print(error)
"""

_EPS_OF_FIRST = """\
import torch
for first in (torch.float32, torch.float64):
    p = [torch.ones(1, dtype=first), torch.ones(1, dtype=torch.float64)]
    optimizer = torch.optim.Adafactor(p, lr=1.0)
    for x in p:
        x.grad = torch.full_like(x, 1e-9)
    optimizer.step()
    print(first, round(1 - p[1].item(), 4))
"""

LIBRARY_FINDINGS: tuple[Finding, ...] = (
    Finding(
        library="apollo-torch",
        versions="1.0.3",
        rule="apollo",
        title="A zero first gradient freezes the parameter for some two thousand steps",
        contradicts="the limiter is meant to bound growth, and 1e-8 in its place is no norm",
        reproducer=_FROZEN,
        expected="1 True\n2 False\n3 False\n",
        actual="1 True\n2 True\n3 True\n",
        check_glob="",
    ),
    Finding(
        library="apollo-torch",
        versions="1.0.3",
        rule="apollo",
        title="The limiter meets the uncorrected update: steps of one gradient dip to half",
        contradicts="bias correction makes the first steps of a constant gradient equal",
        reproducer=_DIP,
        expected="[1.0, 1.0, 1.0, 1.0]\n",
        actual="[1.0, 0.75, 0.53, 1.0]\n",
        check_glob="",
    ),
    Finding(
        library="galore-torch",
        versions="1.0",
        rule="galore",
        title="reverse_std cannot step when the rank equals the number of rows",
        contradicts="project_back inverts project for every proj_type",
        reproducer=_REVERSE_STD,
        expected="stepped\n",
        actual="RuntimeError\n",
        # Where the shapes drawn include such a matrix.
        # Where a side of a matrix is of length rank.
        check_glob="optimizer/galore/float32/reverse_std/*",
    ),
    Finding(
        library="galore-torch",
        versions="1.0",
        rule="galore",
        title="The projector of a float64 gradient is orthonormal to seven digits only",
        contradicts="P^T P = I in the parameters' precision",
        reproducer=_FLOAT32_SVD,
        expected="True\n",
        actual="False\n",
        check_glob="optimizer/galore/float64/std/[cflu]*",
    ),
    Finding(
        library="keras",
        versions="3.15.1",
        rule="adafactor",
        title="Adafactor(relative_step=False) is relative all the same",
        contradicts="relative_step: if True the learning rate is adjusted by the iterations",
        reproducer=_RELATIVE_STEP,
        expected="True 0.5\nFalse 1.0\n",
        actual="True 0.5\nFalse 0.5\n",
        check_glob="",
    ),
    Finding(
        library="lomo-optim",
        versions="0.1.1",
        rule="dynamic_loss_scaling",
        title="The first overflow raises in a program without a process group",
        contradicts="an overflow halves the scale and skips the step",
        reproducer=_RANK,
        expected="2147483648.0\n",
        actual="Default process group has not been initialized, please make sure to call "
        "init_process_group.\n",
        check_glob="",
    ),
    Finding(
        library="torch",
        versions="2.13.0 (CPU)",
        rule="adafactor",
        title="eps[0] = None takes the first parameter's dtype for all of its group",
        contradicts="eps[0]: the default is the eps of the parameter's dtype",
        reproducer=_EPS_OF_FIRST,
        expected="torch.float32 1.0\ntorch.float64 1.0\n",
        actual="torch.float32 0.0084\ntorch.float64 1.0\n",
        check_glob="",
    ),
    Finding(
        library="torch-optimi",
        versions="0.3.3",
        rule="adan",
        title="Adan(adam_wd=True) decays in the proximal form all the same",
        contradicts="adam_wd: weight decay before the step, as AdamW's, in the place of Adan's",
        reproducer=_ADAM_WD,
        expected="False 0.6667\nTrue 0.5\n",
        actual="False 0.6667\nTrue 0.6667\n",
        check_glob="optimizer/adan/float32/adam_wd_*/*",
    ),
)
