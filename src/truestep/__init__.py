"""TrueStep: float64 references of optimizers, schedules and quantizers, and derived contracts."""

__version__ = "0.1.0"
