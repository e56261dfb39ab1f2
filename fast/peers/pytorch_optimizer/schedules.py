"""pytorch-optimizer's own schedules; what it hands on from torch is judged there.

Its warm-up schedulers set the rate of a step when they are stepped before it.
"""

import pytorch_optimizer as library
import torch

from truestep.fast.peers.torch_schedulers import Make, ScheduleRow
from truestep.fast.protocol import BackendUnavailable
from truestep.reference.declared import Hyper


def _cosine(optimizer: torch.optim.Optimizer, h: Hyper) -> library.CosineScheduler:
    if h.warmup_steps == h.total_steps:
        raise BackendUnavailable("after a warm-up of the whole run it divides by 0")
    return library.CosineScheduler(
        optimizer, t_max=h.total_steps, max_lr=h.lr, min_lr=h.min_lr, warmup_steps=h.warmup_steps
    )


def _restarts(optimizer: torch.optim.Optimizer, h: Hyper) -> torch.optim.lr_scheduler.LRScheduler:
    return library.CosineAnnealingWarmupRestarts(
        optimizer,
        first_cycle_steps=h.cycle_steps,
        cycle_mult=float(h.growth),
        max_lr=h.lr,
        min_lr=h.min_lr,
        gamma=h.decay,
    )


def _stable(shape: str) -> Make:
    def make(optimizer: torch.optim.Optimizer, h: Hyper) -> torch.optim.lr_scheduler.LRScheduler:
        stable = h.total_steps - h.warmup_steps - h.decay_steps
        return library.get_wsd_schedule(
            optimizer, h.warmup_steps, stable, h.decay_steps, cooldown_type=shape
        )

    return make


_SHAPES: dict[str, str] = {"cosine": "cosine", "linear": "linear", "one_minus_sqrt": "1-sqrt"}

ROWS: tuple[ScheduleRow, ...] = (
    ScheduleRow(
        "linear_warmup_cosine", "CosineScheduler", _cosine, dialect={"after": "bounce"}, ahead=True
    ),
    ScheduleRow("warm_restarts", "CosineAnnealingWarmupRestarts", _restarts),
    *(
        ScheduleRow(
            "warmup_stable_decay",
            "get_wsd_schedule",
            _stable(theirs),
            shape,
            dialect={"shape": shape},
            fixed={"min_lr": 0.0},
        )
        for shape, theirs in _SHAPES.items()
    ),
)
