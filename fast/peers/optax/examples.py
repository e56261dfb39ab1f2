"""The rules of one example in optax: its losses of the score, jax.grad, and optax.sgd.

l2_loss makes it LMS, perceptron_loss the perceptron. At a tie JAX passes half of maximum's
gradient on, and p makes half a correction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from truestep.fast.protocol import Capability, Group, Slot, Stepped


@dataclass(frozen=True, slots=True)
class Row:
    """A loss of optax as an implementation of a reference rule."""

    rule: str
    loss: str
    dialect: Mapping[str, str] = field(default_factory=dict)


ROWS: dict[str, Row] = {
    "lms": Row("lms", "l2_loss"),
    "perceptron": Row("perceptron", "perceptron_loss", {"form": "factor", "tie": "half"}),
}


def capabilities() -> tuple[Capability, ...]:
    """Both rules in float32."""
    return tuple(
        Capability(
            "optimizer",
            row.rule,
            arithmetic="xla_sequential_float32",
            dialect=row.dialect,
            variant=row.loss,
        )
        for row in ROWS.values()
    )


def step(
    jax: Any, optax: Any, capability: Capability, groups: Sequence[Group]
) -> list[list[Stepped]]:
    """One update by sgd of every slot's example."""
    loss: Callable[..., Any] = getattr(optax.losses, ROWS[capability.rule].loss)

    def on(p: Any, x: Any, response: Any) -> Any:
        return loss((p * x).sum(), response)

    def stepped(hyper: Any, slot: Slot) -> Stepped:
        param, x, response = map(
            jax.numpy.asarray, (slot.param, slot.grad, slot.inputs["response"])
        )
        transform = optax.sgd(float(hyper.lr))
        update, _ = transform.update(jax.grad(on)(param, x, response), transform.init(param))
        return Stepped(np.array(optax.apply_updates(param, update)), {"t": slot.state["t"] + 1})

    return [[stepped(group.hyper, slot) for slot in group.slots] for group in groups]
