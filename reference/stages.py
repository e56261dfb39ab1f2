"""Marks where implementations may compute in a format of their own, or with another reading."""

from truestep.reference.validation import Array


def stage(x: Array, name: str) -> Array:
    """x as it enters the named part of a rule ("" where it leaves one).

    Plain arrays pass unchanged. An error-carrying array is rounded to the format that the judged
    arithmetic declares for the stage: torch's Muon iterates in bfloat16, whatever it is given.
    """
    return x.staged(name) if hasattr(x, "staged") else x


def either(x: Array, other: Array) -> Array:
    """x; the error of an error-carrying one covers the other form of the same number too."""
    return x.covering(other) if hasattr(x, "covering") else x


def weighted(low: Array, high: Array, weight: Array) -> Array:
    """(1 - weight) low + weight high, exact at both ends; low + weight (high - low) is as good.

    Plain numbers are computed by the first.
    """
    return either((1 - weight) * low + weight * high, low + weight * (high - low))


def symmetric(x: Array) -> Array:
    """x, which is symmetric but for rounding: an implementation may as well multiply by x^T.

    Plain arrays pass unchanged; half of the replicates of Monte Carlo arithmetic are transposed.
    """
    return x.symmetric() if hasattr(x, "symmetric") else x
