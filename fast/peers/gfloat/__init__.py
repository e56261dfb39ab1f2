"""gfloat, small formats in NumPy."""

REQUIRES = ("gfloat",)
