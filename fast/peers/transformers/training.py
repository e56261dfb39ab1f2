"""transformers' schedulers that are told a metric, by the names that its Trainer takes."""

from collections.abc import Callable

import transformers.optimization
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from truestep.fast.peers.torch_feedback import greedy_rows, plateau_rows
from truestep.fast.peers.training_row import Row


def _named(name: str) -> Callable[..., LRScheduler]:
    def make(optimizer: Optimizer, **arguments: object) -> LRScheduler:
        return transformers.optimization.get_scheduler(
            name, optimizer, scheduler_specific_kwargs=arguments
        )

    return make


ROWS: tuple[Row, ...] = (
    *greedy_rows(_named("greedy")),
    *plateau_rows(_named("reduce_lr_on_plateau")),
)
