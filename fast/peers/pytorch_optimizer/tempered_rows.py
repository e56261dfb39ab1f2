"""pytorch-optimizer's rules with slow points, adaptive inertia, and moments that are forgotten."""

from collections.abc import Callable
from dataclasses import replace

import torch

from truestep.fast.peers import torch_like
from truestep.fast.peers.pytorch_optimizer.moment_rows import decayed
from truestep.fast.peers.pytorch_optimizer.row import COUPLED, Row
from truestep.fast.peers.torch_like import (
    BETAS,
    DECAY,
    EPS,
    MOMENTS,
    SEQUENTIAL,
    Bridge,
    Named,
    each,
    never,
)
from truestep.fast.peers.torch_lookahead import LOOKAHEAD
from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper


def _enter_spam(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    # Of matrices it keeps the moments of what a mask leaves, here of all elements, as a vector.
    if slot.param.ndim == 2:
        for name in MOMENTS.values():
            state[name] = state[name].reshape(-1)


def count_spam(optimizer: torch.optim.Optimizer, hyper: Hyper, t: int) -> None:
    """The counts of a run of t steps, and its warm-up after the last reset."""
    begun = t + 1 >= hyper.reset
    behind = (t + 1) % hyper.reset
    optimizer.state["total_step"] = t
    optimizer.state["current_step"] = behind if begun else hyper.warmup + 1 + t
    for k in range(min(behind, hyper.warmup) if begun else 0):
        optimizer.warmup.get_death_rate(k)


def count_stable_spam(optimizer: torch.optim.Optimizer, hyper: Hyper, t: int) -> None:
    """The counts of a run of t steps: of all, and of those since the last reset."""
    optimizer.total_step = t
    optimizer.param_groups[0]["step"] = t if t < hyper.reset else 1 + t % hyper.reset


# What keeps counts beside the tensors' states, by rule.
COUNTS: dict[str, Callable[[torch.optim.Optimizer, Hyper, int], None]] = {
    "spam": count_spam,
    "stable_spam": count_stable_spam,
}


def _count(hyper: Hyper, slot: Slot) -> int:
    return int(slot.state["t"])


_ADAI = Row(
    "adai",
    "Adai",
    {**MOMENTS, "c": "beta1_prod"},
    {"beta0": "betas", "beta2": "betas", "dampening": "dampening", **EPS, **DECAY},
    dialect={"mean": "floored"},
    departures=("mean",),
    # It refuses 1.
    fixed={"beta0": (0.1, 0.5, 0.01)},
    key=each,
    shapes="nonempty",
    arithmetic=SEQUENTIAL,
)
_LOOKAHEAD = replace(
    LOOKAHEAD,
    state={"slow": "slow_params"},
    # It refuses an alpha of 1.
    fixed={**LOOKAHEAD.fixed, "alpha": (0.5, 0.8, 0.2)},
    fresh=never,
)
_RANGER = Row(
    "ranger",
    "Ranger",
    {**MOMENTS, "slow": "slow_buffer"},
    {**BETAS, "alpha": "alpha", "k": "k", **EPS, **DECAY},
    dialect={"unrectified": "uphill"},
    departures=("unrectified",),
    shapes="nonempty",
    arithmetic=SEQUENTIAL,
)
_SGD = {"degenerated_to_sgd": True}
_DOWNHILL = replace(_RANGER, departures=())

TEMPERED_ROWS: tuple[torch_like.Row, ...] = (
    *decayed(_ADAI),
    _ADAI.but("stable_", {"decay": "of_momentum"}, {**COUPLED, "stable_weight_decay": True}),
    _LOOKAHEAD,
    _LOOKAHEAD.but("reset_", {"pullback": "reset"}, {"pullback_momentum": "reset"}),
    replace(
        _LOOKAHEAD.but("pullback_", {"pullback": "pullback"}, {"pullback_momentum": "pullback"}),
        state={**_LOOKAHEAD.state, "slow_b": "slow_momentum"},
    ),
    _RANGER,
    *decayed(_DOWNHILL.but("sgd_", {"unrectified": "momentum"}, _SGD)),
    _DOWNHILL.but(
        "convolutions_",
        {"centralize": "convolutions", "unrectified": "momentum"},
        {**_SGD, "gc_conv_only": True},
    ),
    _DOWNHILL.but(
        "uncentralized_",
        {"centralize": "none", "unrectified": "momentum"},
        {**_SGD, "use_gc": False},
    ),
    Row(
        "spam",
        "SPAM",
        MOMENTS,
        {
            **BETAS,
            "calm": "grad_accu_steps",
            "reset": "update_proj_gap",
            "threshold": "threshold",
            "warmup": "warmup_epoch",
            **EPS,
            **DECAY,
        },
        bridge=Bridge(enter=_enter_spam),
    ),
    Row(
        "stable_spam",
        "StableSPAM",
        {**MOMENTS, "M": "m_max_t", "a": "m_norm_t", "b": "v_norm_t"},
        {
            **BETAS,
            "gamma1": "gamma1",
            "gamma2": "gamma2",
            "reset": "update_proj_gap",
            "theta": "theta",
            **EPS,
            **DECAY,
        },
        # It counts the steps of all groups at once.
        shared={},
        key=_count,
        counter="",
        shapes="nonempty",
        arithmetic=SEQUENTIAL,
    ),
)
