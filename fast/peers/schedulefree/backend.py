"""schedulefree on the CPU, in train mode: SGD, AdamW, the paper's AdamW and RAdam.

The weights of the average, their sum and the largest rate are Python doubles of a whole
param_group, as the counter is. Parameters stand at y, where a training step finds them.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import schedulefree
from torch.optim import Optimizer

from truestep.fast.peers import torch_like
from truestep.fast.peers.torch_like import BETAS, DECAY, EPS, LISTS, Bridge, Row
from truestep.fast.peers.torch_lives import Life
from truestep.fast.peers.torch_signatures import life

_WEIGHTS = {"r": "r", "weight_lr_power": "weight_lr_power", "warmup_steps": "warmup_steps"}
_ADAMW = Row(
    "schedule_free_adamw",
    "AdamWScheduleFree",
    {"z": "z", "v": "exp_avg_sq"},
    {**BETAS, **EPS, **_WEIGHTS, **DECAY},
    dialect={"bias_correction": "moment"},
    paths=LISTS,
    arithmetic={"bfloat16": "bfloat16", "float32": "ieee_float32", "float64": "ieee_float64"},
    shared={"t": "k", "weight_sum": "weight_sum", "lr_max": "lr_max"},
    bridge=Bridge(entries=lambda hyper, slot: {"train_mode": True}),
)

ROWS: tuple[Row, ...] = (
    _ADAMW,
    replace(_ADAMW, optimizer="AdamWScheduleFreePaper", prefix="paper_", dialect={}),
    *(
        replace(
            _ADAMW,
            optimizer="RAdamScheduleFree",
            prefix=prefix,
            dialect={"bias_correction": "moment", "rectification": rectification},
            options={"silent_sgd_phase": rectification == "silent"},
            # It has none.
            fixed={"warmup_steps": 0},
        )
        for prefix, rectification in (("radam_", "silent"), ("radam_plain_", "plain"))
    ),
    replace(
        _ADAMW,
        rule="schedule_free_sgd",
        optimizer="SGDScheduleFree",
        state={"z": "z"},
        numbers={"beta": "momentum", **_WEIGHTS, **DECAY},
        dialect={},
    ),
)


def _training(made: Callable[..., Optimizer], *given: object, **numbers: object) -> Optimizer:
    """In train mode, without which it does not step."""
    optimizer = made(*given, **numbers)
    optimizer.train()
    return optimizer


def _life(made: Callable[..., Optimizer]) -> Life:
    return life(
        made.__name__, partial(_training, made), signature=made, dialect={"counts": "group"}
    )


class Backend(torch_like.Backend):
    """schedulefree's classes."""

    name, library, rows = "schedulefree", schedulefree, ROWS
    lives = tuple(
        _life(made)
        for made in (
            schedulefree.AdamWScheduleFree,
            schedulefree.AdamWScheduleFreePaper,
            schedulefree.RAdamScheduleFree,
            schedulefree.SGDScheduleFree,
        )
    )
