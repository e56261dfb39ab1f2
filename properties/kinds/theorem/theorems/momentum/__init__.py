"""Momentum: its rates, its limits, and where it fails."""
