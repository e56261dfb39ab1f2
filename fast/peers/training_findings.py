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


def _multi_steps(variant: str, options: str) -> tuple[Finding, Finding]:
    kept = "total returns to zero with every result"
    common = {
        "library": "optax",
        "versions": "0.2.8 (CPU)",
        "rule": "gradient_accumulation",
    }
    return (
        Finding(
            **common,
            title=f"MultiSteps ({variant}) never recovers from a nan or an infinity",
            contradicts=f"{kept}: nan in one g_k poisons its result, and nothing after it",
            reproducer=_STAYS_NAN.replace("{options}", options),
            expected="nan\n1.0\n1.0",
            actual="nan\nnan\nnan",
            check_glob=f"training/gradient_accumulation/float32/{variant}/s[ep]*",
        ),
        Finding(
            **common,
            title=f"MultiSteps ({variant}) gives nan while no result is due",
            contradicts="a result comes after every K micro-batches, and zero updates before",
            reproducer=_NOT_DUE.replace("{options}", options),
            expected="False 0.0",
            actual="False nan",
            check_glob=f"training/gradient_accumulation/float32/{variant}/s[ep]*",
        ),
    )


TRAINING_FINDINGS: tuple[Finding, ...] = (
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
