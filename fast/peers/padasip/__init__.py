"""padasip, adaptive filters in NumPy."""

REQUIRES = ("padasip",)
