"""jettify's torch_optimizer."""

REQUIRES = ("torch", "torch_optimizer")
