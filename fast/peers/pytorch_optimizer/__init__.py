"""pytorch-optimizer, a collection of optimizers."""

REQUIRES = ("torch", "pytorch_optimizer")
