"""torchao, optimizers with 8-bit and 4-bit states."""

REQUIRES = ("torch", "torchao")
