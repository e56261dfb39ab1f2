"""Departures of pytorch-optimizer from its rules and its own descriptions, found by this suite."""

from __future__ import annotations

import functools

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

_APOLLO_DECAY = """\
import torch
from pytorch_optimizer import APOLLO
for correct_bias in (False, True):
    p = torch.ones(1)
    optimizer = APOLLO([p], lr=0.1, weight_decay=1.0, correct_bias=correct_bias)
    p.grad = torch.zeros(1)
    optimizer.step()
    print(correct_bias, round(p.item(), 4))
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

_SM3_SCALAR = """\
import torch
from pytorch_optimizer import SM3
for shape in ((1,), ()):
    p = torch.zeros(shape)
    optimizer = SM3([p], beta=0.5)
    for g in (4.0, 0.0):
        p.grad = torch.full(shape, g)
        optimizer.step()
    print(shape, optimizer.state[p]["accumulator_0"].item())
"""

_FALSE_OVERFLOW = """\
import torch
from pytorch_optimizer import SafeFP16Optimizer
p = torch.nn.Parameter(torch.ones(1))
optimizer = SafeFP16Optimizer(torch.optim.SGD([p], lr=2.0**-64))
p.grad = torch.full((1,), 2.0**79)
optimizer.clip_main_grads(0.0)
optimizer.step()
print(p.item(), optimizer.loss_scale)
"""

_UNLIMITED_SCALE = """\
import torch
from pytorch_optimizer import DynamicLossScaler
scaler = DynamicLossScaler(2.0**127, scale_window=1)
scaler.update_scale(False)
print((torch.zeros(1) * scaler.loss_scale).item())
"""

_NAN = """\
import torch
from pytorch_optimizer import {name}
p = [torch.zeros(3, 3), torch.zeros(3, 3)]
optimizer = {name}(p{options})
p[0].grad, p[1].grad = torch.full((3, 3), float("nan")), torch.eye(3)
try:
    optimizer.step()
    print("stepped")
except RuntimeError as error:
    print(type(error).__name__)
"""

_finding = functools.partial(Finding, "pytorch_optimizer", "4.1.0")

# Every check but the laws; those of them that look at more than a counter or zeros.
_STEPS = ("[!l]*", "l[ao][!w]*")
_VALUES = ("combinations", "[efsu]*", "l[ao][!w]*")


def _checks(variant: str, *names: str) -> str:
    """Globs of the checks of these names, of a variant written as rule/variant."""
    rule, _, tail = variant.partition("/")
    return " ".join(f"optimizer/{rule}/float32/{tail}/{name}" for name in names)


# All that moves matrices, and all that decays.
_APOLLO = {
    "plain": _checks("apollo/single", *_STEPS, "law:channels*", "law:eq*axes"),
    "mini": _checks("apollo/mini_single", *_STEPS, "law:[ct]*", "law:step*", "law:eq*axes"),
}
_SCALES = ("law:homogeneous*", "law:scale*")
_SWATS_GLOB = " ".join(
    (
        _checks("swats/*", "[aefmsu]*", "combinations", "counter", "l[ao][!w]*", "law:scale*"),
        _checks("swats/foreach", "law:becomes_adam"),
        _checks("swats/single", "law:even*"),
    )
)

PYTORCH_OPTIMIZER_FINDINGS: tuple[Finding, ...] = (
    _finding(
        "adafactor",
        "One tensor at a time, a nan parameter scales its step by eps2; in lists by nan",
        "alpha_t = max(eps2, RMS(p_{t-1})) rho_t, on every path",
        # adafactor.py, get_lr: Python's max(eps2, nan) is eps2.
        _ADAFACTOR_NAN,
        "False [True, True]\nTrue [True, True]\n",
        "False [True, False]\nTrue [True, True]\n",
        _checks("adafactor/single", "element_by_element"),
    ),
    _finding(
        "adan",
        "maximize = True begins with a difference of twice the first gradient",
        "d_1 = 0, and maximizing is minimizing with the gradient's negative",
        # adan.py, init_group: keeps -g before step() turns g round.
        _ADAN_MAXIMIZE,
        "False -1.0 0.0\nTrue -1.0 0.0\n",
        "False -1.0 0.0\nTrue -1.0 2.0\n",
        _checks("adan/maximizing_*", *_VALUES),
    ),
    *(
        _finding(
            rule,
            "APOLLO steps by the projected gradient, carried back, in the place of the gradient",
            "D_t = sqrt(scale) G_t diag(s): the step has the rank of the gradient",
            _APOLLO_RANK,
            "3\n",
            "1\n",
            glob,
        )
        for rule, glob in _APOLLO.items()
    ),
    *(
        _finding(
            rule,
            "APOLLO's scale enters twice, once as its root and once as it is",
            "D_t = sqrt(scale) G_t diag(s)",
            _APOLLO_SCALE,
            "2.0\n",
            "8.0\n",
            glob,
        )
        for rule, glob in _APOLLO.items()
    ),
    *(
        _finding(
            rule,
            "APOLLO's decoupled weight decay is multiplied by Adam's bias corrections",
            "weight_decouple: apply weight decay to parameters; p_t = q_t - lr weight_decay q_t",
            # apollo.py, step: apply_weight_decay(lr=step_size).
            _APOLLO_DECAY,
            "False 0.9\nTrue 0.9\n",
            "False 0.9\nTrue 0.9684\n",
            glob,
        )
        for rule, glob in _APOLLO.items()
    ),
    _finding(
        "distributed_shampoo",
        "A gradient with nan or infinity raises out of ScalableShampoo's step with use_svd",
        "nan in g makes p nan: a tensor's gradient is its own affair",
        _NAN.format(
            name="ScalableShampoo",
            options=", use_svd=True, shape_interpretation=False, preconditioning_compute_steps=1",
        ),
        "stepped\n",
        "_LinAlgError\n",
        _checks("distributed_shampoo/*single", "special_values"),
    ),
    _finding(
        "dynamic_loss_scaling",
        "A finite gradient whose square overflows counts as an overflow, and its step is skipped",
        "some element of a gradient not finite: skip the step",
        # utils/gradient.py, get_global_gradient_norm: float().square_().
        _FALSE_OVERFLOW,
        "0.0 32768.0\n",
        "1.0 16384.0\n",
        "training/dynamic_loss_scaling/float32/full_range "
        "training/dynamic_loss_scaling/float32/special_values",
    ),
    _finding(
        "dynamic_loss_scaling",
        "The loss scale grows beyond float32, where a loss of zero becomes nan",
        "the loss is multiplied by scale: zero stays zero",
        _UNLIMITED_SCALE,
        "0.0\n",
        "nan\n",
        "training/dynamic_loss_scaling/float32/law:scale_stays_within_its_limits",
    ),
    _finding(
        "lamb",
        "Lamb divides lr by 1 - beta1^t after the trust ratio: the first step is ten times lr",
        "|p_t - p_{t-1}| = lr |p_{t-1}|",
        _LAMB,
        "0.1\n0.1\n0.1\n",
        "1.0\n0.526\n0.369\n",
        _checks("lamb/[sf][io]*", "[aefmsu]*", "combinations", "counter", "l[ao][!w]*"),
    ),
    _finding(
        "lomo",
        "LOMO's norm pass raises on a gradient with nan or infinity",
        "a gradient with nan or infinity is skipped",
        # lomo.py, fuse_update: skips it before its norm is kept, then stacks no norms.
        _LOMO_OVERFLOW,
        "clipped\n",
        "stack expects a non-empty TensorList\n",
        _checks("lomo/norm_fused", "special_values"),
    ),
    _finding(
        "prodigy",
        "Prodigy(weight_decouple=False) decays nothing",
        "weight_decouple: weight decay applied to parameters instead of adding it to the gradient",
        # prodigy.py: added to p.grad in the second loop, after the moments have taken it.
        _PRODIGY_DECAY,
        "0.01\n0.11\n",
        "0.01\n0.01\n",
        _checks("prodigy/coupled_*", *_STEPS),
    ),
    _finding(
        "radam",
        "RAdam(weight_decouple=False) decays nothing",
        "weight_decouple: weight decay applied to parameters instead of adding it to the gradient",
        # radam.py: apply_weight_decay is handed grad=None, and the lists are left out.
        _RADAM_DECAY,
        "True 0.9\nFalse 0.9\n",
        "True 0.9\nFalse 1.0\n",
        _checks("radam/coupled_*", *_STEPS),
    ),
    _finding(
        "schedule_free_adamw",
        "1e-15 under the root, beside eps, stops small gradients",
        "eps: term added to denominator; d_t = g_t / (sqrt(v_t / (1 - beta2^t)) + eps)",
        # base/optimizer.py, apply_ams_bound: exp_avg_sq_eps, with ams_bound=False too.
        _SCHEDULE_FREE_ROOT,
        "1.0\n",
        "0.032\n",
        _checks("schedule_free_adamw/[sf][io]*", "[efmsu]*", "co*", "l[ao][!w]*", *_SCALES),
    ),
    _finding(
        "shampoo",
        "Shampoo(maximize=True, momentum=0.9) takes its first step the wrong way",
        "maximizing is minimizing with the gradient's negative",
        # shampoo.py, init_group: the buffer is the gradient before step() turns it round.
        _SHAMPOO_MAXIMIZE,
        "False -1.0\nTrue -1.0\n",
        "False -1.0\nTrue 1.0\n",
        _checks("shampoo/maximizing_*", *_VALUES),
    ),
    _finding(
        "shampoo",
        "Shampoo's momentum averages the next gradient with a step already preconditioned",
        "the average of equal gradients is that gradient",
        _SHAMPOO_MOMENTUM,
        "0.0 0.5\n0.9 0.5\n",
        "0.0 0.5\n0.9 0.099\n",
        "",
    ),
    _finding(
        "shampoo",
        "A gradient with nan or infinity raises out of Shampoo's step, after others have moved",
        "nan in g makes p nan: a tensor's gradient is its own affair",
        _NAN.format(name="Shampoo", options=""),
        "stepped\n",
        "_LinAlgError\n",
        _checks(
            "shampoo/*single", "combinations", "counter", "element*", "lockstep", "special_values"
        ),
    ),
    _finding(
        "sm3",
        "SM3(beta) lets the maximum of a 0-d parameter fall, which it holds for others",
        "mu_t(S) is never less than mu_{t-1}(S) with beta > 0",
        _SM3_SCALAR,
        "(1,) 8.0\n() 8.0\n",
        "(1,) 8.0\n() 4.0\n",
        # Where a 0-d tensor is drawn.
        _checks("sm3/[sf][io]*", "lockstep", "many_tensors"),
    ),
    _finding(
        "soap",
        "A first gradient with nan or infinity raises out of SOAP's step",
        "nan in g makes p nan: a tensor's gradient is its own affair",
        _NAN.format(name="SOAP", options=""),
        "stepped\n",
        "_LinAlgError\n",
        _checks("soap/*single", "special_values"),
    ),
    _finding(
        "swats",
        "SWATS settles its rate by a relative tolerance, and within 1e-8 whatever eps is",
        "|average_t / (1 - beta2^t) - gamma_t| < eps",
        # swats.py: allclose(scaling, rtol=eps), whose atol is 1e-8.
        _SWATS_TOLERANCE,
        "adam\n",
        "sgd\n",
        _SWATS_GLOB,
    ),
    _finding(
        "swats",
        "1e-15 under SWATS's root, beside eps, stops small gradients",
        "d_t = -lr sqrt(1 - beta2^t) / (1 - beta1^t) m_t / (sqrt(v_t) + eps)",
        # base/optimizer.py, apply_ams_bound: exp_avg_sq_eps, with ams_bound=False too.
        _SWATS_ROOT,
        "1.0\n",
        "0.022\n",
        _SWATS_GLOB,
    ),
    _finding(
        "swats",
        "SWATS(foreach=False) cannot step a transposed parameter",
        "a parameter may have any strides",
        # swats.py: perturb.view(-1).
        _SWATS_STRIDES,
        "stepped\n",
        "RuntimeError\n",
        _checks("swats/single", "law:translates*", "lockstep"),
    ),
)
