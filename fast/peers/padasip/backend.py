"""padasip, adaptive filters in NumPy: LMS and its normalized form, in float64.

A filter's weights are a vector, so tensors travel flattened.
"""

from collections.abc import Sequence

import numpy as np
from padasip import filters

from truestep.fast.protocol import Capability, Group, OptimizerCapability, Slot, Stepped
from truestep.reference.declared import Hyper

FILTERS = {"none": "FilterLMS", "power": "FilterNLMS"}


class Backend:
    """padasip's filters, rebuilt with the given weights for every example."""

    name = "padasip"

    def capabilities(self) -> tuple[OptimizerCapability, ...]:
        """LMS as it is and normalized."""
        return tuple(
            OptimizerCapability(
                rule="lms",
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
        return [[_stepped(group.hyper, slot) for slot in group.slots] for group in groups]


def _stepped(hyper: Hyper, slot: Slot) -> Stepped:
    numbers = {"eps": hyper.eps} if hyper.normalization == "power" else {}
    weights = slot.param.flatten()
    make = getattr(filters, FILTERS[hyper.normalization])
    adaptive = make(weights.size, mu=hyper.lr, w=weights, **numbers)
    with np.errstate(all="ignore"):
        adaptive.adapt(slot.inputs["response"], slot.grad.flatten())
    return Stepped(adaptive.w.reshape(slot.param.shape), {"t": slot.state["t"] + 1})
