"""Learning-rate schedules: pure functions of the number of steps made."""

from truestep.reference.rules import Schedule, table

SCHEDULES: dict[str, Schedule] = table(
    __name__,
    Schedule,
    "constant",
    "cosine",
    "cyclic",
    "exponential",
    "inverse_sqrt",
    "inverse_time",
    "linear",
    "linear_warmup_cosine",
    "multi_step",
    "noam",
    "one_cycle",
    "polynomial",
    "power",
    "warm_restarts",
    "warmup_stable_decay",
)
