"""Monte Carlo arithmetic by NumPy's dispatch."""

from truestep.properties.arithmetic.sampled.replicates import (
    FALSE_ALARM,
    Replicates,
    quantile,
    root_mean_square,
)
from truestep.properties.arithmetic.sampled.sampled import Sampled

__all__ = ["FALSE_ALARM", "Replicates", "Sampled", "quantile", "root_mean_square"]
