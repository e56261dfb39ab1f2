"""Learning-rate schedules: pure functions of the number of steps made.

Every module holds Hyper, DIALECTS, value and certificate, and `advance` where libraries compute the
next value from the last one.
"""

from __future__ import annotations

from types import ModuleType

from truestep.reference.schedules import (
    constant,
    cosine,
    cyclic,
    exponential,
    inverse_sqrt,
    inverse_time,
    linear,
    linear_warmup_cosine,
    multi_step,
    noam,
    one_cycle,
    polynomial,
    power,
    warm_restarts,
    warmup_stable_decay,
)

SCHEDULES: dict[str, ModuleType] = {
    "constant": constant,
    "cosine": cosine,
    "cyclic": cyclic,
    "exponential": exponential,
    "inverse_sqrt": inverse_sqrt,
    "inverse_time": inverse_time,
    "linear": linear,
    "linear_warmup_cosine": linear_warmup_cosine,
    "multi_step": multi_step,
    "noam": noam,
    "one_cycle": one_cycle,
    "polynomial": polynomial,
    "power": power,
    "warm_restarts": warm_restarts,
    "warmup_stable_decay": warmup_stable_decay,
}
