"""Departures of libraries' training-loop pieces, each verified by its reproducer."""

from __future__ import annotations

from truestep.fast.peers.finding import Finding

_FIRST_SKIP = """\
import torch
# Memory that was never written reads as nan.
torch.use_deterministic_algorithms(True)
for fused in (False, True):
    p = torch.ones(1)
    optimizer = torch.optim.SGD([p], lr=0.125, momentum=0.5, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    for g in (torch.inf, 2.0):
        scaler.scale(torch.zeros(1))
        p.grad = torch.full((1,), g)
        scaler.step(optimizer)
        scaler.update()
    print(fused, p.item())
torch.use_deterministic_algorithms(False)
"""

_EMPTY_INFINITY = """\
import torch
for norm in (2.0, float("inf")):
    params = [torch.zeros(2), torch.zeros(0)]
    for p in params:
        p.grad = torch.ones_like(p)
    try:
        print(norm, torch.nn.utils.clip_grad_norm_(params, 4.0, norm).item() > 0)
    except RuntimeError:
        print(norm, "error")
"""

_FLOAT32_WEIGHT = """\
import torch
from torch.optim import swa_utils
model = torch.nn.ParameterList([torch.ones(1, dtype=torch.float64)])
for function in (None, swa_utils.get_swa_multi_avg_fn()):
    averaged = swa_utils.AveragedModel(model, multi_avg_fn=function)
    for value in (0.0, 0.0, 3.0):
        model[0].data.fill_(value)
        averaged.update_parameters(model)
    print(averaged.module[0].item())
"""

_KERAS_TOTAL = """\
import os
os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch
for base in (keras.optimizers.SGD, type("Generic", (keras.optimizers.SGD,), {})):
    variable = keras.Variable(torch.zeros(1))
    optimizer = base(0.5, gradient_accumulation_steps=2)
    optimizer.build([variable])
    for g in (torch.inf, 1.0):
        optimizer.apply([torch.full((1,), g)])
    variable.assign(torch.zeros(1))
    for g in (2.0, 2.0):
        optimizer.apply([torch.full((1,), g)])
    print(base.__name__, variable.value.item())
"""

_KERAS_SCALE = """\
import os
os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch
inner = keras.optimizers.SGD(0.5)
optimizer = keras.optimizers.LossScaleOptimizer(inner, 2.0**127, dynamic_growth_steps=1)
optimizer.build([keras.Variable(torch.zeros(1))])
for loss in (0.0, 1.0, 1.0):
    # The loss is its own gradient.
    optimizer.apply([optimizer.scale_loss(torch.full((1,), loss))])
    print(optimizer.dynamic_scale.value.item())
"""

_STAYS_NAN = """\
import jax.numpy as jnp
import optax
multi = optax.MultiSteps(optax.identity(), 1{options})
state = multi.init(jnp.zeros(1))
for g in (jnp.nan, 1.0, 1.0):
    update, state = multi.update(jnp.full(1, g), state)
    print(update.item())
"""

_NOT_DUE = """\
import jax.numpy as jnp
import optax
multi = optax.MultiSteps(optax.identity(), 2{options})
update, state = multi.update(jnp.full(1, jnp.inf), multi.init(jnp.zeros(1)))
print(bool(multi.has_updated(state)), update.item())
"""


_EVERY_STAYS_NAN = """\
import jax.numpy as jnp
import optax
every = optax.apply_every(1)
state = every.init(jnp.zeros(1))
for g in (jnp.nan, 1.0, 1.0):
    update, state = every.update(jnp.full(1, g), state)
    print(update.item())
"""

_EVERY_NOT_DUE = """\
import jax.numpy as jnp
import optax
every = optax.apply_every(2)
update, state = every.update(jnp.full(1, jnp.inf), every.init(jnp.zeros(1)))
print(bool(state.count == 0), update.item())
"""


def _accumulation(name: str, variant: str, stays_nan: str, not_due: str) -> tuple[Finding, Finding]:
    kept = "total returns to zero with every result"
    common = {
        "library": "optax",
        "versions": "0.2.8 (CPU)",
        "rule": "gradient_accumulation",
        "check_glob": f"training/gradient_accumulation/float32/{variant}/s[ep]*",
    }
    return (
        Finding(
            **common,
            title=f"{name} never recovers from a nan or an infinity",
            contradicts=f"{kept}: nan in one g_k poisons its result, and nothing after it",
            reproducer=stays_nan,
            expected="nan\n1.0\n1.0",
            actual="nan\nnan\nnan",
        ),
        Finding(
            **common,
            title=f"{name} gives nan while no result is due",
            contradicts="a result comes after every K micro-batches, and zero updates before",
            reproducer=not_due,
            expected="False 0.0",
            actual="False nan",
        ),
    )


def _multi_steps(variant: str, options: str) -> tuple[Finding, Finding]:
    programs = (text.replace("{options}", options) for text in (_STAYS_NAN, _NOT_DUE))
    return _accumulation(f"MultiSteps ({variant})", variant, *programs)


TRAINING_FINDINGS: tuple[Finding, ...] = (
    Finding(
        library="keras",
        versions="3.15.1 (torch backend, CPU)",
        rule="dynamic_loss_scaling",
        title="LossScaleOptimizer grows its scale to infinity, where it stays",
        contradicts="a scale that would exceed the format's largest number does not grow",
        reproducer=_KERAS_SCALE,
        expected="\n".join([str(2.0**127)] * 3),
        actual="inf\ninf\ninf",
        check_glob="training/dynamic_loss_scaling/float32/law:scale_stays_within_its_limits",
    ),
    Finding(
        library="keras",
        versions="3.15.1 (torch backend, CPU)",
        rule="gradient_accumulation",
        title="A total that was infinite or nan stays nan: torch's path empties it by times zero",
        contradicts="nan or inf in one g_k poisons its result, and nothing after it",
        reproducer=_KERAS_TOTAL,
        expected="SGD -1.0\nGeneric -1.0",
        actual="SGD nan\nGeneric -1.0",
        check_glob="training/gradient_accumulation/float32/parallel/s[ep]*",
    ),
    *_accumulation("apply_every", "apply_every", _EVERY_STAYS_NAN, _EVERY_NOT_DUE),
    *_multi_steps("mean", ""),
    *_multi_steps("sum", ", use_grad_mean=False"),
    Finding(
        library="torch",
        versions="2.13.0 (CPU)",
        rule="clip_by_global_norm",
        title="clip_grad_norm_ with the infinity norm raises an error for an empty gradient",
        contradicts="tensors of any shapes, empty ones included",
        reproducer=_EMPTY_INFINITY,
        expected="2.0 True\ninf True",
        actual="2.0 True\ninf error",
        check_glob="",
    ),
    Finding(
        library="torch",
        versions="2.13.0 (CPU)",
        rule="polyak_ruppert",
        title="get_swa_multi_avg_fn rounds the weights of a float64 average to float32",
        contradicts="average_t = average_{t-1} + (p_t - average_{t-1}) / (t - start) in float64",
        reproducer=_FLOAT32_WEIGHT,
        expected="1.0\n1.0",
        actual="1.0\n1.0000000298023224",
        check_glob="optimizer/polyak_ruppert/float64/swa_multi/*",
    ),
    *(
        Finding(
            library="torch",
            versions="2.13.0 (CPU)",
            rule="dynamic_loss_scaling",
            title="fused SGD keeps memory that it never wrote when its first step is skipped",
            contradicts="a skipped step leaves parameters, moments and counters as they are",
            reproducer=_FIRST_SKIP,
            expected="False 0.75\nTrue 0.75",
            actual="False 0.75\nTrue nan",
            check_glob=f"training/dynamic_loss_scaling/float32/fused/{check}",
        )
        for check in ("law:a_skipped_step_changes_no_bit", "s[ep]*")
    ),
)
