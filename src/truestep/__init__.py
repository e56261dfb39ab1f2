"""TrueStep: float64 references of optimizers, schedules and quantizers, and derived contracts for their kernels."""

__version__ = "0.1.0"
