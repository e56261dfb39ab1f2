"""transformers' schedules as objects with a life: LambdaLR of functions that are not saved."""

from collections.abc import Callable
from functools import partial

import torch
import transformers.optimization
from torch.optim.lr_scheduler import LRScheduler as Scheduler

from truestep.fast.peers.torch_lives import Life, Named

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


def _life(name: str) -> Life:
    make: Callable[..., Scheduler] = getattr(transformers.optimization, name)
    optimizer = partial(torch.optim.SGD, momentum=0.8)
    attach = partial(make, **_MADE[name])
    return Life(name, optimizer, attach, numbers={"lr": 0.05}, offers=_OFFERS, level="standard")


LIVES: tuple[Life, ...] = tuple(map(_life, _MADE))
