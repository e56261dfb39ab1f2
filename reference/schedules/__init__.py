"""Learning-rate schedules: pure functions of the number of steps made."""

from truestep.reference.rules import Schedule, table

SCHEDULES: dict[str, Schedule] = table(
    __name__,
    Schedule,
    "chebyshev",
    "constant",
    "constant_factor",
    "cosine",
    "cyclic",
    "exponential",
    "inverse_sqrt",
    "inverse_time",
    "linear",
    "linear_warmup_cosine",
    "linear_warmup_exponential",
    "linear_warmup_polynomial",
    "multi_step",
    "noam",
    "one_cycle",
    "piecewise_interpolate",
    "polynomial",
    "power",
    "rex",
    "warm_restarts",
    "warmup_stable_decay",
)
