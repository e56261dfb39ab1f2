"""Adaptive rules: regret, fixed points, invariants, and the examples on which they fail."""
