"""transformers' schedules as objects with a life, and Adafactor.

Most schedules are LambdaLR of functions that are not saved; two are driven by a metric.
"""

from collections.abc import Callable
from functools import partial

import torch
import transformers.optimization
from torch.optim.lr_scheduler import LRScheduler as Scheduler

from truestep.fast.peers.torch_lives import Life, Named
from truestep.fast.peers.torch_signatures import life

# Every function that makes a schedule, with arguments.
_MADE: dict[str, Named] = {
    "get_constant_schedule": {},
    "get_constant_schedule_with_warmup": {"num_warmup_steps": 3},
    "get_cosine_schedule_with_warmup": {"num_warmup_steps": 2, "num_training_steps": 9},
    "get_cosine_with_hard_restarts_schedule_with_warmup": {
        "num_warmup_steps": 2,
        "num_training_steps": 9,
        "num_cycles": 2,
    },
    "get_cosine_with_min_lr_schedule_with_warmup": {
        "num_warmup_steps": 2,
        "num_training_steps": 9,
        "min_lr_rate": 0.25,
    },
    "get_inverse_sqrt_schedule": {"num_warmup_steps": 3},
    "get_linear_schedule_with_warmup": {"num_warmup_steps": 2, "num_training_steps": 9},
    "get_polynomial_decay_schedule_with_warmup": {"num_warmup_steps": 2, "num_training_steps": 9},
    "get_wsd_schedule": {"num_warmup_steps": 2, "num_decay_steps": 4, "num_training_steps": 9},
}
_OFFERS = ("added_groups", "groups", "initial_lr", "last_epoch", "rates", "tensor_lr")
# Those that a metric drives, with arguments and with others.
_DRIVEN: dict[str, tuple[Named, Named]] = {
    "get_greedy_schedule": ({"patience": 0, "cooldown": 1, "warmup": 1}, {"patience": 2}),
    "get_reduce_on_plateau_schedule": ({"patience": 0, "cooldown": 1}, {"patience": 2}),
}
_DRIVEN_OFFERS = ("groups", "metric", "rates", "tensor_lr")


def _life(name: str) -> Life:
    make: Callable[..., Scheduler] = getattr(transformers.optimization, name)
    optimizer = partial(torch.optim.SGD, momentum=0.8)
    given, other = _DRIVEN.get(name) or (_MADE[name], _MADE[name])
    offers = _DRIVEN_OFFERS if name in _DRIVEN else _OFFERS
    return Life(
        name, optimizer, partial(make, **given), partial(make, **other),
        numbers={"lr": 0.05}, offers=offers, level="standard",
    )  # fmt: skip


def _adafactor(variant: str, **arguments: object) -> Life:
    made = transformers.optimization.Adafactor
    make = partial(made, relative_step=False, **arguments)
    return life(variant, make, signature=made, level="standard")


LIVES: tuple[Life, ...] = (
    *map(_life, (*_MADE, *_DRIVEN)),
    _adafactor("Adafactor", scale_parameter=False, lr=0.1),
    _adafactor("Adafactor_scaled_momentum", beta1=0.8, lr=0.1),
)
