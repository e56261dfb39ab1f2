"""padasip, adaptive filters in NumPy: LMS and its normalized form, in float64.

A filter's weights are a vector, so tensors travel flattened.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from truestep.fast.protocol import BackendUnavailable, Capability, Group, Slot, Stepped

FILTERS = {"none": "FilterLMS", "power": "FilterNLMS"}


class Backend:
    """padasip's filters, rebuilt with the given weights for every example."""

    name = "padasip"

    def __init__(self) -> None:
        try:
            self._filters = importlib.import_module("padasip.filters")
        except ImportError as error:
            raise BackendUnavailable(f"padasip cannot be imported: {error}") from error

    def capabilities(self) -> tuple[Capability, ...]:
        """LMS as it is and normalized."""
        return tuple(
            Capability(
                "optimizer",
                "lms",
                format="float64",
                arithmetic="sequential_float64",
                dialect={"normalization": normalization},
                variant=name,
            )
            for normalization, name in FILTERS.items()
        )

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """adapt() on every slot's example."""
        return [[self._step(group.hyper, slot) for slot in group.slots] for group in groups]

    def _step(self, hyper: Any, slot: Slot) -> Stepped:
        numbers = {"eps": hyper.eps} if hyper.normalization == "power" else {}
        filter_class = getattr(self._filters, FILTERS[hyper.normalization])
        weights = slot.param.flatten()
        adaptive = filter_class(weights.size, mu=hyper.lr, w=weights, **numbers)
        with np.errstate(all="ignore"):
            adaptive.adapt(slot.inputs["response"], slot.grad.flatten())
        return Stepped(adaptive.w.reshape(slot.param.shape), {"t": slot.state["t"] + 1})
