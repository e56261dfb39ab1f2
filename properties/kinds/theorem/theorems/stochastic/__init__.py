"""Theorems in which chance decides: exact distributions, and bounds for finite samples."""
