"""lion-pytorch, lucidrains' Lion."""

REQUIRES = ("torch", "lion_pytorch")
