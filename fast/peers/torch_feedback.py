"""Schedulers of torch's kind that are told a metric: made, loaded with a state, stepped once.

Arithmetic: Python's doubles throughout.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from torch.optim.lr_scheduler import LRScheduler

from truestep.fast.peers.training_row import Call, Row
from truestep.fast.protocol import Fixed, Inputs, Outputs
from truestep.reference.declared import Hyper

# A scheduler, from its optimizer and its arguments by name.
Make = Callable[..., LRScheduler]
_FLOAT64: Mapping[str, str] = {"float64": "ieee_float64"}


def _arguments(h: Hyper, threshold: str) -> dict[str, object]:
    """What both take: one threshold, relative ("rel") or absolute ("abs")."""
    return {
        "mode": h.mode,
        "factor": h.factor,
        "patience": h.patience,
        "threshold": h.rtol if threshold == "rel" else h.atol,
        "threshold_mode": threshold,
        "cooldown": h.cooldown,
        "min_lr": h.min_lr,
        "eps": h.eps,
    }


def _rows(
    rule: str, call: Callable[[str], Call], fixed: Mapping[str, Fixed], variant: str = ""
) -> tuple[Row, ...]:
    """Of metrics that fall or rise, by relative and absolute thresholds."""
    return tuple(
        Row(
            rule,
            f"{variant}{threshold}_{mode}",
            call(threshold),
            {"margin": "signed", "mode": mode},
            {**fixed, "atol" if threshold == "rel" else "rtol": 0.0},
            _FLOAT64,
        )
        for threshold in ("abs", "rel")
        for mode in ("max", "min")
    )


def _plateau(make: Make, threshold: str) -> Call:
    def call(h: Hyper, inputs: Inputs) -> Outputs:
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=inputs["lr"])
        scheduler = make(optimizer, **_arguments(h, threshold))
        counts = {"num_bad_epochs": inputs["bad"], "cooldown_counter": inputs["cooling"]}
        state = {**scheduler.state_dict(), "best": float(inputs["best"]), **counts}
        scheduler.load_state_dict(state)
        scheduler.step(float(inputs["metric"]))
        return {
            "lr": float(optimizer.param_groups[0]["lr"]),
            "best": np.asarray(scheduler.best, np.float64),
            "bad": scheduler.num_bad_epochs,
            "cooling": scheduler.cooldown_counter,
            # It takes no means.
            "mean": inputs["mean"],
            "seen": inputs["seen"],
        }

    return call


def plateau_rows(make: Make, variant: str = "") -> tuple[Row, ...]:
    """ReduceLROnPlateau."""
    return _rows("reduce_on_plateau", partial(_plateau, make), {"accumulation": 1}, variant)


def _greedy(make: Make, threshold: str) -> Call:
    def call(h: Hyper, inputs: Inputs) -> Outputs:
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=h.initial)
        more = {"warmup": h.warmup, "max_lr": h.max_lr, "reset_start": h.rests}
        scheduler = make(optimizer, **_arguments(h, threshold), **more)
        state = {theirs: inputs[ours] for ours, theirs in _GREEDY.items()}
        best = {"best": float(inputs["best"]), "_last_lr": [inputs["lr"]]}
        scheduler.load_state_dict({**scheduler.state_dict(), **state, **best})
        scheduler.step(float(inputs["metric"]))
        return {
            "lr": float(optimizer.param_groups[0]["lr"]),
            "best": np.asarray(scheduler.best, np.float64),
            **{ours: getattr(scheduler, theirs) for ours, theirs in _GREEDY.items()},
        }

    return call


_GREEDY: Mapping[str, str] = {
    "bad": "num_bad_epochs",
    "cooling": "cooldown_counter",
    "good": "num_good_epochs",
    "left": "reset_start",
    "warming": "warmup_counter",
}


def greedy_rows(make: Make) -> tuple[Row, ...]:
    """GreedyLR without its smoothing."""
    return _rows("greedy", partial(_greedy, make), {})
