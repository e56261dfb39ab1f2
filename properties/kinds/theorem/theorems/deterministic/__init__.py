"""Theorems in which nothing is random: equalities and bounds, to rounding."""
