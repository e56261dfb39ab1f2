"""transformers' schedulers that are told a metric, by the names that its Trainer takes."""

from collections.abc import Callable
from typing import Any

import torch
import transformers.optimization

from truestep.fast.peers.torch_feedback import greedy_rows, plateau_rows
from truestep.fast.peers.training_row import Row


def _named(name: str) -> Callable[..., Any]:
    def make(optimizer: torch.optim.Optimizer, **arguments: object) -> Any:
        return transformers.optimization.get_scheduler(
            name, optimizer, scheduler_specific_kwargs=arguments
        )

    return make


ROWS: tuple[Row, ...] = (
    *greedy_rows(_named("greedy")),
    *plateau_rows(_named("reduce_lr_on_plateau")),
)
