"""ml_dtypes, NumPy's types of the small formats."""

REQUIRES = ("ml_dtypes",)
