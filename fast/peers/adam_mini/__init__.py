"""adam-mini, the authors' Adam-mini."""

REQUIRES = ("torch", "adam_mini")
