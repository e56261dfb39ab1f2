"""Departures of HeavyBall from its rules and its own descriptions, found by this suite."""

from __future__ import annotations

from truestep.fast.peers.finding import Finding

_NADAM_ZERO = """\
import heavyball
import torch
heavyball.utils.compile_mode = None
p = torch.full((1,), 10.0)
optimizer = heavyball.NAdam([p], lr=0.1, betas=(0.0, 0.0), weight_decay=1.0)
p.grad = torch.zeros(1)
optimizer.step()
print(round(p.item(), 4))
"""

_ZERO_RATE = """\
import heavyball
import torch
heavyball.utils.compile_mode = None
p = torch.ones(1)
optimizer = heavyball.SFAdamW([p], lr=0.0)
p.grad = torch.ones(1)
optimizer.step()
print(p.item())
"""

_EMPTY = """\
import heavyball
import torch
heavyball.utils.compile_mode = None
p = [torch.zeros(0), torch.zeros(0)]
optimizer = heavyball.NAdam(p, betas=(0.5, 0.5), momentum_decay=0.0)
for x in p:
    x.grad = torch.zeros(0)
optimizer.step()
name = optimizer._find_val_name("mu_product")
print([optimizer.state_(x)[name].item() for x in p])
"""

_FLOAT32_RATE = """\
import heavyball
import torch
heavyball.utils.compile_mode = None
for dtype in ("float32", "float64"):
    p = torch.zeros(1, dtype=getattr(torch, dtype))
    optimizer = heavyball.SGD([p], lr=0.1, storage_dtype=dtype)
    p.grad = torch.ones_like(p)
    optimizer.step()
    print(dtype, round(1e12 * (-p.item() - 0.1)))
"""

HEAVYBALL_FINDINGS: tuple[Finding, ...] = (
    Finding(
        library="heavyball",
        versions="3.2.1",
        rule="muon",
        title="The learning rate of float64 parameters is rounded to float32, in every optimizer",
        contradicts="p_t = p_{t-1} - lr X in the parameters' precision",
        # chainable.py, _step_inner: base_lr * step / step, a quotient of integer tensors.
        reproducer=_FLOAT32_RATE,
        expected="float32 1490\nfloat64 0\n",
        actual="float32 1490\nfloat64 1490\n",
        # Rates that float32 holds are used.
        check_glob="",
    ),
    Finding(
        library="heavyball",
        versions="3.2.1",
        rule="nadam",
        title="NAdam's weight decay is taken off the finished update again and drives p from zero",
        contradicts="decoupled_weight_decay = False adds weight_decay p_{t-1} to g_t",
        # utils.py, _nadam_finish_weight_decay: update - p weight_decay, after it was added to g.
        reproducer=_NADAM_ZERO,
        expected="9.9\n",
        actual="10.9\n",
        check_glob=" ".join(
            f"optimizer/nadam/float32/[ms]*/{name}"
            for name in ("[!l]*", "l[ao][!w]*", "law:homogeneous*", "law:scale*")
        ),
    ),
    Finding(
        library="heavyball",
        versions="3.2.1",
        rule="nadam",
        title="All empty parameters share one state, and the product of momenta runs ahead",
        contradicts="mu_product_t = mu_product_{t-1} mu_t, once a step",
        # utils.py, _tensor_key: state is found by data_ptr and numel, both 0.
        reproducer=_EMPTY,
        expected="[0.25, 0.25]\n",
        actual="[0.0625, 0.0625]\n",
        # Where two of the tensors drawn are empty.
        check_glob="optimizer/nadam/float32/*/many_tensors optimizer/nadam/float32/*/lockstep",
    ),
    Finding(
        library="heavyball",
        versions="3.2.1",
        rule="schedule_free_adamw",
        title="A learning rate of zero, as of a warm-up's first step, makes every parameter nan",
        contradicts="lr = 0 leaves the parameters as they are",
        # chainable.py, update_by_schedule_free: guards by ZeroDivisionError, but divides tensors.
        reproducer=_ZERO_RATE,
        expected="1.0\n",
        actual="nan\n",
        check_glob="optimizer/schedule_free_adamw/float32/*/combinations",
    ),
)
