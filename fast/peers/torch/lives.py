"""torch's optimizers and schedulers as objects with a life."""

from collections.abc import Callable
from functools import partial

import torch
from torch.optim import Optimizer
from torch.optim import lr_scheduler as schedulers
from torch.optim.lr_scheduler import LRScheduler as Scheduler

from truestep.fast.peers import torch_lives
from truestep.fast.peers.torch_lives import Life, Named
from truestep.fast.peers.torch_signatures import life

_PLAIN = (
    "ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam",
    "RMSprop", "Rprop", "SGD",
)  # fmt: skip
# Of these the real and the imaginary part are not taken for two numbers.
_REAL = ("Adafactor",)


def _optimizer(name: str, **more: object) -> Life:
    offers = (*torch_lives.ALL, *(() if name in _REAL else ("complex",)), "tensor_lr")
    made = getattr(torch.optim, name)
    return life(name, made, **{"offers": offers, **more})  # type: ignore[arg-type]


OPTIMIZERS: tuple[Life, ...] = (
    *(_optimizer(name) for name in _PLAIN),
    Life(
        "LBFGS", partial(torch.optim.LBFGS, max_iter=2), numbers={"lr": 0.03},
        wrong={"lr": -1.0}, offers=("closure",), dialect={"coupling": "shared"}, searches=True,
    ),
    _optimizer("Muon", shapes="matrices", offers=torch_lives.ALL),
    _optimizer("SparseAdam", offers=("added_groups", "formats", "groups", "none"), sparse=True),
)  # fmt: skip


def _halves(k: int) -> float:
    return 0.5 ** (k // 2)


def _thirds(k: int) -> float:
    return 1.0 if k % 3 else 0.75


def _chained(optimizer: Optimizer, factor: float = 0.5) -> Scheduler:
    first = schedulers.ConstantLR(optimizer, factor=factor, total_iters=2)
    return schedulers.ChainedScheduler([first, schedulers.ExponentialLR(optimizer, 0.75)])


def _sequential(optimizer: Optimizer, milestone: int = 2) -> Scheduler:
    first = schedulers.LinearLR(optimizer, 0.25, total_iters=4)
    second = schedulers.CosineAnnealingLR(optimizer, 5)
    return schedulers.SequentialLR(optimizer, [first, second], milestones=[milestone])


def _cyclic(optimizer: Optimizer, **arguments: object) -> Scheduler:
    given = {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3, **arguments}
    return schedulers.CyclicLR(optimizer, **given)


def _one_cycle(optimizer: Optimizer, **arguments: object) -> Scheduler:
    return schedulers.OneCycleLR(optimizer, **{"max_lr": 0.1, "total_steps": 20, **arguments})


def _swa(optimizer: Optimizer, **arguments: object) -> Scheduler:
    return torch.optim.swa_utils.SWALR(
        optimizer, **{"swa_lr": 0.01, "anneal_epochs": 4, **arguments}
    )


# Every scheduler with its arguments, and with others.
_SCHEDULERS: dict[str, tuple[Callable[..., Scheduler], Named, Named]] = {
    "ChainedScheduler": (_chained, {}, {"factor": 0.25}),
    "ConstantLR": (schedulers.ConstantLR, {"factor": 0.5, "total_iters": 3}, {"factor": 0.25}),
    "CosineAnnealingLR": (schedulers.CosineAnnealingLR, {"T_max": 4}, {"T_max": 7}),
    "CosineAnnealingWarmRestarts": (
        schedulers.CosineAnnealingWarmRestarts, {"T_0": 2, "T_mult": 2}, {"T_0": 3},
    ),
    "CyclicLR": (_cyclic, {}, {"step_size_up": 4, "base_lr": 0.02}),
    "ExponentialLR": (schedulers.ExponentialLR, {"gamma": 0.75}, {"gamma": 0.5}),
    "LambdaLR": (schedulers.LambdaLR, {"lr_lambda": _halves}, {"lr_lambda": _halves}),
    "LinearLR": (schedulers.LinearLR, {"total_iters": 3}, {"total_iters": 5}),
    "MultiStepLR": (schedulers.MultiStepLR, {"milestones": [1, 3]}, {"milestones": [2]}),
    "MultiplicativeLR": (
        schedulers.MultiplicativeLR, {"lr_lambda": _thirds}, {"lr_lambda": _thirds},
    ),
    "OneCycleLR": (_one_cycle, {}, {"max_lr": 0.2, "total_steps": 40}),
    "PolynomialLR": (schedulers.PolynomialLR, {"total_iters": 4}, {"total_iters": 6}),
    "ReduceLROnPlateau": (
        schedulers.ReduceLROnPlateau, {"patience": 0, "cooldown": 1}, {"patience": 2},
    ),
    "SWALR": (_swa, {}, {"anneal_epochs": 2, "swa_lr": 0.02}),
    "SequentialLR": (_sequential, {}, {"milestone": 3}),
    "StepLR": (schedulers.StepLR, {"step_size": 2}, {"step_size": 3}),
}  # fmt: skip
# Those that have no argument last_epoch.
_WITHOUT_LAST = ("ChainedScheduler", "ReduceLROnPlateau", "SequentialLR")
_OFFERS = ("added_groups", "groups", "initial_lr", "last_epoch", "rates", "tensor_lr")


def _scheduler(name: str) -> Life:
    make, given, other = _SCHEDULERS[name]
    lacks = {"last_epoch"} if name in _WITHOUT_LAST else set()
    lacks |= {"initial_lr"} if name == "ReduceLROnPlateau" else set()
    metric = ("metric",) if name == "ReduceLROnPlateau" else ()
    return Life(
        name, partial(torch.optim.SGD, momentum=0.8), partial(make, **given),
        partial(make, **{**given, **other}), numbers={"lr": 0.05},
        offers=(*(x for x in _OFFERS if x not in lacks), *metric),
    )  # fmt: skip


LIVES = (*OPTIMIZERS, *map(_scheduler, _SCHEDULERS))
