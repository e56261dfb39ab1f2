"""The table of rules that optax computes by its sgd and one function more: a loss, an average.

Rules of one example take the gradient of a loss of the score by jax.grad: l2_loss makes it LMS,
perceptron_loss the perceptron. At a tie JAX passes half of maximum's gradient on, and p makes half
a correction.

The moving average of the iterates is a copy as long as averaging has not started.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from truestep.fast.peers.optax.row import Row
from truestep.fast.protocol import FARTHEST, Array, Slot
from truestep.reference.declared import Hyper


def _gradient(loss: Callable[[jax.Array, jax.Array], jax.Array]) -> Callable[[Array, Slot], Array]:
    def on(p: jax.Array, x: jax.Array, response: jax.Array) -> jax.Array:
        return loss((p * x).sum(), response)

    derivative = jax.grad(on)
    return lambda param, slot: derivative(
        param, jnp.asarray(slot.grad), jnp.asarray(slot.inputs["response"])
    )


def _rate_of_step(hyper: Hyper, slots: Sequence[Slot]) -> dict[str, object]:
    return {"learning_rate": hyper.lr / (slots[0].state["t"] + 1) ** hyper.power}


def _average(hyper: Hyper, slot: Slot, param: Array) -> dict[str, Array]:
    if slot.state["t"] <= hyper.start:
        return {"average": np.array(param)}
    old = jnp.asarray(slot.state["average"])
    return {"average": np.array(optax.incremental_update(param, old, 1 - hyper.ema))}


_EXAMPLE = {"": "xla_sequential_float32"}

LOSS_ROWS: tuple[Row, ...] = (
    Row(
        "lms",
        constructor="sgd",
        gradient=_gradient(optax.losses.l2_loss),
        reach=FARTHEST,
        ways=("",),
        prefix="l2_loss",
        arithmetic=_EXAMPLE,
        level="smoke",
    ),
    Row(
        "perceptron",
        constructor="sgd",
        dialect={"form": "factor", "tie": "half"},
        gradient=_gradient(optax.losses.perceptron_loss),
        reach=FARTHEST,
        ways=("",),
        prefix="perceptron_loss",
        arithmetic=_EXAMPLE,
        level="smoke",
    ),
    Row(
        "polyak_ruppert",
        constructor="sgd",
        made=_rate_of_step,
        dialect={"average": "weighted"},
        beside=_average,
        reach=FARTHEST,
        ways=("",),
        prefix="incremental_update",
        arithmetic={"": "xla_eager_float32"},
        level="smoke",
    ),
)
