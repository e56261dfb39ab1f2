"""Departures of torch's and optax's schedules."""

from __future__ import annotations

from truestep.fast.peers.finding import Finding

_TORCH = "2.13.0"
_OPTAX = "0.2.8 (jax 0.10.2)"

_ONE_CYCLE = """\
import torch
optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, max_lr=1.0, total_steps=20, anneal_strategy="linear", cycle_momentum=False
)
for _ in range(20):
    optimizer.step()
    scheduler.step()
print(optimizer.param_groups[0]["lr"] < 0)
"""

# torch/optim/lr_scheduler.py: n = int(math.log(epoch / T_0 * (T_mult - 1) + 1, T_mult)).
_RESTARTS = """\
import torch
optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=1, T_mult=3)
optimizer.step()
for t in (13, 40, 121):
    scheduler.step(t)
    print(t, scheduler.T_cur, scheduler.get_last_lr()[0])
"""

# optax/schedules/_schedule.py evaluates (init_value - end_value) * (1 - count / steps) + end_value.
_RISING = """\
import jax.numpy as jnp
import optax
schedule = {schedule}
print(f"{{float(schedule(jnp.asarray(1))):.7g}}")
"""


def _rising(rule: str, title: str, schedule: str, contradicts: str, glob: str) -> Finding:
    return Finding(
        library="optax",
        versions=_OPTAX,
        rule=rule,
        title=title,
        contradicts=contradicts,
        reproducer=_RISING.format(schedule=schedule),
        expected="0.0001",
        actual="0.0001000166",
        check_glob=glob,
    )


SCHEDULE_FINDINGS: tuple[Finding, ...] = (
    _rising(
        "linear",
        "linear_schedule loses the digits of values that are small beside the one it rises to",
        "optax.linear_schedule(0.0, 1.0, transition_steps=10_000)",
        "a_t = lr ((1 - x) start_factor + x end_factor), also in float32",
        "schedule/linear/float32/*",
    ),
    _rising(
        "linear_warmup_cosine",
        "the first learning rates of a warm-up of 10,000 steps are wrong in the fourth digit",
        "optax.warmup_cosine_decay_schedule(0.0, 1.0, 10_000, 20_000)",
        "a_t = lr t / warmup_steps, also in float32",
        "schedule/linear_warmup_cosine/float32/*",
    ),
    Finding(
        library="torch",
        versions=_TORCH,
        rule="one_cycle",
        title="OneCycleLR sets a rate past its last step, a negative one with linear annealing",
        contradicts="past the last step, total_steps - 1, the schedule is not defined",
        reproducer=_ONE_CYCLE,
        expected="False",
        actual="True",
        check_glob="schedule/one_cycle/float64/*/past_the_end",
    ),
    Finding(
        library="torch",
        versions=_TORCH,
        rule="warm_restarts",
        title="CosineAnnealingWarmRestarts.step(epoch) restarts one step late where a logarithm "
        "rounds down",
        contradicts="cycle i has cycle_steps growth^i steps; t_cur < T_i always",
        reproducer=_RESTARTS,
        expected="13 0.0 1.0\n40 0.0 1.0\n121 0.0 1.0",
        actual="13 0.0 1.0\n40 0.0 1.0\n121 81.0 0.0",
        check_glob="schedule/warm_restarts/float64/epoch/*",
    ),
)
