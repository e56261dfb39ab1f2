"""The moving average of optax's iterates: sgd at the rate of the step, then incremental_update.

As long as averaging has not started, the average is a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from truestep.fast.protocol import Capability, Group, Slot, Stepped


def capabilities() -> tuple[Capability, ...]:
    """The moving average in float32."""
    return (
        Capability(
            "optimizer",
            "polyak_ruppert",
            arithmetic="xla_eager_float32",
            dialect={"average": "weighted"},
            variant="incremental_update",
        ),
    )


def step(jax: Any, optax: Any, groups: Sequence[Group]) -> list[list[Stepped]]:
    """One update by sgd and one of the average, of every slot."""
    return [
        [_step(jax.numpy, optax, group.hyper, slot) for slot in group.slots] for group in groups
    ]


def _step(jnp: Any, optax: Any, h: Any, slot: Slot) -> Stepped:
    t = slot.state["t"] + 1
    param, grad, average = map(jnp.asarray, (slot.param, slot.grad, slot.state["average"]))
    transform = optax.chain(
        optax.scale(-1.0 if h.maximize else 1.0),
        optax.add_decayed_weights(h.weight_decay),
        optax.sgd(h.lr / t**h.power),
    )
    updates, _ = transform.update(grad, transform.init(param), param)
    param = optax.apply_updates(param, updates)
    copied = t <= h.start + 1
    average = param if copied else optax.incremental_update(param, average, 1 - h.ema)
    return Stepped(np.array(param), {"t": t, "average": np.array(average)})
