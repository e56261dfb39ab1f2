"""adam-atan2-pytorch, lucidrains' Adam-atan2."""

REQUIRES = ("torch", "adam_atan2_pytorch")
