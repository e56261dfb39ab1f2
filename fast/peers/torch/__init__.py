"""PyTorch itself."""

REQUIRES = ("torch",)
