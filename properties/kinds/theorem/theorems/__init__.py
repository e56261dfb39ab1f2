"""Convergence theorems with explicit constants, each with a negative control that must fail."""
