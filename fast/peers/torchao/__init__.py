"""torchao, optimizers with 8-bit and 4-bit states, and block formats."""

REQUIRES = ("torch", "torchao")
