"""pytorch-optimizer's own schedules; what it hands on from torch is judged there.

Its warm-up schedulers set the rate of a step when they are stepped before it. PolyScheduler has no
row: past its warm-up it grows with a power of the steps made, as it says, and so it decays nothing.
"""

import pytorch_optimizer as library
import torch
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from truestep.fast.peers.torch_schedulers import Make, ScheduleRow
from truestep.fast.protocol import BackendUnavailable
from truestep.reference.declared import Hyper


def _cosine(optimizer: torch.optim.Optimizer, h: Hyper) -> library.CosineScheduler:
    if h.warmup_steps == h.total_steps:
        raise BackendUnavailable("after a warm-up of the whole run it divides by 0")
    return library.CosineScheduler(
        optimizer, t_max=h.total_steps, max_lr=h.lr, min_lr=h.min_lr, warmup_steps=h.warmup_steps
    )


def _chebyshev(optimizer: torch.optim.Optimizer, h: Hyper) -> LRScheduler:
    return library.get_chebyshev_schedule(optimizer, h.total_steps)


def _linear(optimizer: torch.optim.Optimizer, h: Hyper) -> library.LinearScheduler:
    if h.warmup_steps == h.total_steps:
        raise BackendUnavailable("after a warm-up of the whole run it divides by 0")
    return library.LinearScheduler(
        optimizer, t_max=h.total_steps, max_lr=h.lr, min_lr=h.min_lr, warmup_steps=h.warmup_steps
    )


class _Proportional:
    """A power of the time left, as a ProportionScheduler maps it from [0, 1] to [min_lr, lr]."""

    def __init__(self, optimizer: torch.optim.Optimizer, h: Hyper) -> None:
        inner = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        self.rates = LambdaLR(inner, lambda t: max(1 - t / h.total_steps, 0.0) ** h.power)
        self.mapped = library.ProportionScheduler(self.rates, 1.0, 0.0, h.lr, h.min_lr)
        self.group = optimizer.param_groups[0]
        self.group["lr"] = self.mapped.get_lr()

    def step(self) -> None:
        """The value of the step that the other scheduler comes to."""
        self.rates.step()
        self.group["lr"] = self.mapped.step()


def _rex(optimizer: torch.optim.Optimizer, h: Hyper) -> LRScheduler:
    return library.REXScheduler(optimizer, h.total_steps, max_lr=h.lr, min_lr=h.min_lr)


def _restarts(optimizer: torch.optim.Optimizer, h: Hyper) -> LRScheduler:
    return library.CosineAnnealingWarmupRestarts(
        optimizer,
        first_cycle_steps=h.cycle_steps,
        cycle_mult=float(h.growth),
        max_lr=h.lr,
        min_lr=h.min_lr,
        gamma=h.decay,
    )


def _stable(shape: str) -> Make:
    def make(optimizer: torch.optim.Optimizer, h: Hyper) -> LRScheduler:
        stable = h.total_steps - h.warmup_steps - h.decay_steps
        return library.get_wsd_schedule(
            optimizer, h.warmup_steps, stable, h.decay_steps, cooldown_type=shape
        )

    return make


_SHAPES: dict[str, str] = {
    "cosine": "cosine",
    "linear": "linear",
    "one_minus_sqrt": "1-sqrt",
    "one_minus_square": "1-square",
}

ROWS: tuple[ScheduleRow, ...] = (
    ScheduleRow(
        "chebyshev",
        "get_chebyshev_schedule",
        _chebyshev,
        dialect={"after": "hold", "start": "late"},
        fixed={"min_curvature": 0.05, "max_curvature": 1.0},
        departures=("start",),
    ),
    ScheduleRow(
        "linear_warmup_cosine", "CosineScheduler", _cosine, dialect={"after": "bounce"}, ahead=True
    ),
    ScheduleRow(
        "linear_warmup_polynomial", "LinearScheduler", _linear, fixed={"power": 1.0}, ahead=True
    ),
    ScheduleRow("polynomial", "ProportionScheduler", _Proportional, "proportion"),
    ScheduleRow("rex", "REXScheduler", _rex),
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
