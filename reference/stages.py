"""Marks where a part of a rule begins that implementations may compute in a format of its own."""

from __future__ import annotations

from truestep.reference.validation import Array


def stage(x: Array, name: str) -> Array:
    """x as it enters the named part of a rule ("" where it leaves one).

    Plain arrays pass unchanged. An error-carrying array is rounded to the format that the judged
    arithmetic declares for the stage: torch's Muon iterates in bfloat16, whatever it is given.
    """
    return x.staged(name) if hasattr(x, "staged") else x
