"""Departures of jettify's torch_optimizer from its rules, found by this suite."""

from __future__ import annotations

import functools

from truestep.fast.peers.finding import Finding

_ADAFACTOR_AXES = """\
import torch
from torch_optimizer import Adafactor
for shape in ((2, 3), (2, 2, 3), (2, 3, 4)):
    p = torch.zeros(shape)
    optimizer = Adafactor([p], lr=1.0, relative_step=False, scale_parameter=False, clip_threshold=9)
    rows = torch.arange(1.0, p[..., 0].numel() + 1).reshape(*shape[:-1], 1)
    p.grad = rows.expand(shape).clone()
    try:
        optimizer.step()
        print(shape, sorted({round(-x, 3) for x in p.flatten().tolist()}))
    except RuntimeError as error:
        print(shape, type(error).__name__)
"""

_ADAFACTOR_CLIPPING = """\
import torch
from torch_optimizer import Adafactor
p = torch.zeros(2)
optimizer = Adafactor([p], lr=1.0, relative_step=False, scale_parameter=False)
for g in ([1.0, 1.0], [100.0, float("inf")]):
    before = p.clone()
    p.grad = torch.tensor(g)
    optimizer.step()
print([round(x, 4) for x in (before - p).tolist()])
"""

_RADAM_GROUPS = """\
import torch
from torch_optimizer import RAdam
p = [torch.zeros(1), torch.zeros(1)]
optimizer = RAdam([{"params": p[:1], "lr": 1.0}, {"params": p[1:], "lr": 0.125}])
for x in p:
    x.grad = torch.ones(1)
optimizer.step()
print([x.item() for x in p])
"""

_SGDW_DECAY = """\
import torch
from torch_optimizer import SGDW
for start in (1.0, -1.0):
    p = torch.full((1,), start)
    optimizer = SGDW([p], lr=0.5, weight_decay=0.5)
    p.grad = torch.zeros(1)
    optimizer.step()
    print(start, p.item())
"""

_SHAMPOO_EXPONENT = """\
import torch
from torch_optimizer import Shampoo
for g in (1.0, 100.0):
    p = torch.zeros(1)
    optimizer = Shampoo([p], lr=1.0, epsilon=1e-12)
    p.grad = torch.full((1,), g)
    optimizer.step()
    print(g, round(-p.item(), 4))
"""

_SHAMPOO_NAN = """\
import torch
from torch_optimizer import Shampoo
p = [torch.zeros(3, 3), torch.zeros(3, 3)]
optimizer = Shampoo(p)
p[0].grad, p[1].grad = torch.full((3, 3), float("nan")), torch.eye(3)
try:
    optimizer.step()
    print("stepped")
except RuntimeError as error:
    print(type(error).__name__)
"""

_SWATS_BUFFER = """\
import torch
from torch_optimizer import SWATS
p = torch.zeros(1)
optimizer = SWATS([p], lr=1e-3, betas=(0.5, 0.5))
optimizer.param_groups[0].update(phase="SGD", lr=1.0)
for _ in range(4):
    before = p.clone()
    p.grad = torch.ones(1)
    optimizer.step()
    print(round((before - p).item(), 4))
"""

_SWATS_STRIDES = """\
import torch
from torch_optimizer import SWATS
p = torch.zeros(2, 3).t()
optimizer = SWATS([p])
p.grad = torch.ones(2, 3).t()
try:
    optimizer.step()
    print("stepped")
except RuntimeError as error:
    print(type(error).__name__)
"""

_SWATS_TOLERANCE = """\
import torch
from torch_optimizer import SWATS
for eps in (1e-12, 1.0):
    p = torch.zeros(1)
    optimizer = SWATS([p], lr=1e-8 if eps < 1 else 1.0, betas=(0.5, 0.5), eps=eps)
    for g in (1.0, 1.1, 1.0):
        p.grad = torch.full((1,), g)
        optimizer.step()
    print(eps, optimizer.param_groups[0]["phase"])
"""

_finding = functools.partial(Finding, "torch-optimizer", "0.3.0")

TORCH_OPTIMIZER_FINDINGS: tuple[Finding, ...] = (
    _finding(
        "adafactor",
        "The averages of a tensor of three axes are divided across the wrong axis, or raise",
        "V_t = R_t C_t / mean(R_t): each matrix of a stack as if by itself",
        # adafactor.py, _approx_sq_grad: the mean loses its axis.
        _ADAFACTOR_AXES,
        "(2, 3) [1.0]\n(2, 2, 3) [1.0]\n(2, 3, 4) [1.0]\n",
        "(2, 3) [1.0]\n(2, 2, 3) [0.447, 1.0, 2.236]\n(2, 3, 4) RuntimeError\n",
        "optimizer/adafactor/float32/any_shape_single/*",
    ),
    _finding(
        "adafactor",
        "A nan in the size of the step or of the parameter leaves the rest of the tensor to move",
        "U_t / max(1, RMS(U_t) / clip_threshold) and max(eps2, RMS(p_{t-1})), nan where RMS is",
        # Python's max(1.0, nan) is 1, and its max(eps2, nan) is eps2.
        _ADAFACTOR_CLIPPING,
        "[nan, nan]\n",
        "[1.3195, nan]\n",
        "optimizer/adafactor/float32/*single/[cefs]*",
    ),
    _finding(
        "radam",
        "Of groups that differ in lr all step by the rate of the first",
        "p_t = p_{t-1} - lr ..., with the lr of the group",
        # radam.py: the size of a step is kept by the number of the step, for all groups.
        _RADAM_GROUPS,
        "[-1.0, -0.125]\n",
        "[-1.0, -1.0]\n",
        "optimizer/radam/float32/single/*",
    ),
    _finding(
        "sgd",
        "SGDW subtracts lr weight_decay from every parameter, whatever its value and sign",
        "weight decay shrinks: p_t = p_{t-1} (1 - lr weight_decay) - lr b_t",
        # sgdw.py: p.data.add_(weight_decay, alpha=-lr).
        _SGDW_DECAY,
        "1.0 0.75\n-1.0 -0.75\n",
        "1.0 0.75\n-1.0 -1.25\n",
        "optimizer/sgd/float32/single/*",
    ),
    _finding(
        "shampoo",
        "Shampoo takes the inverse root of order k, not 2 k: a vector's step is one over g",
        "X_i = A_i^(-1 / (2 k)) (Algorithm 2): the step does not change with the gradient's scale",
        _SHAMPOO_EXPONENT,
        "1.0 1.0\n100.0 1.0\n",
        "1.0 1.0\n100.0 0.01\n",
        "",
    ),
    _finding(
        "shampoo",
        "A factor with nan, or without a decomposition, raises out of Shampoo's step",
        "nan in g makes p nan: a tensor's gradient is its own affair",
        _SHAMPOO_NAN,
        "stepped\n",
        "_LinAlgError\n",
        "optimizer/shampoo/float32/single/*",
    ),
    _finding(
        "swats",
        "In its second phase SWATS multiplies the buffer by 1 - beta1 with every step",
        "b_t = beta1 b_{t-1} + g_t; p_t = p_{t-1} - (1 - beta1) sgd_lr b_t",
        # swats.py: grad is the buffer when it is scaled in place.
        _SWATS_BUFFER,
        "0.5\n0.75\n0.875\n0.9375\n",
        "0.5\n0.75\n0.6875\n0.6719\n",
        "optimizer/swats/float32/single/[ceflmu]*",
    ),
    _finding(
        "swats",
        "SWATS cannot step a transposed parameter",
        "a parameter may have any strides",
        # swats.py: p.view(-1).
        _SWATS_STRIDES,
        "stepped\n",
        "RuntimeError\n",
        "",
    ),
    _finding(
        "swats",
        "SWATS settles its rate within 1e-6 of it and 1e-8, whatever eps is",
        "|average_t / (1 - beta2^t) - gamma_t| < eps",
        # swats.py: allclose(scaling, rtol=1e-6), whose atol is 1e-8.
        _SWATS_TOLERANCE,
        "1e-12 ADAM\n1.0 SGD\n",
        "1e-12 SGD\n1.0 ADAM\n",
        "optimizer/swats/float32/single/[ceflmu]*",
    ),
)
