"""optax's training-loop pieces on the CPU: three ways of clipping, MultiSteps and apply_every.

Arithmetic: called outside of jit, so that every operation is XLA's own and rounds to float32;
subnormal numbers are flushed, and a reduction is charged as one term after another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from truestep.fast.peers import training_row
from truestep.fast.peers.training_row import Outputs, Row
from truestep.fast.protocol import Capability


def _arrays(jnp: Any, inputs: Mapping[str, Any], name: str) -> list[Any]:
    return [jnp.asarray(x) for x in inputs[name]]


def _updated(jnp: Any, transformation: Any, inputs: Mapping[str, Any]) -> Outputs:
    params = _arrays(jnp, inputs, "params") if "params" in inputs else None
    gradients = _arrays(jnp, inputs, "gradients")
    updates, _ = transformation.update(gradients, transformation.init(gradients), params)
    return {"clipped": [np.asarray(x) for x in updates]}


def _accumulated(mean: bool) -> Callable[[Any, Any, Any, Mapping[str, Any]], Outputs]:
    def call(jnp: Any, optax: Any, h: Any, inputs: Mapping[str, Any]) -> Outputs:
        import jax

        multi = optax.MultiSteps(optax.identity(), h.steps, use_grad_mean=mean)
        gradients = _arrays(jnp, inputs, "gradients")
        state = multi.init(gradients)._replace(
            mini_step=jnp.asarray(inputs["t"], jnp.int32),
            acc_grads=_arrays(jnp, inputs, "totals"),
        )
        with jax.disable_jit():  # or its lax.cond is compiled again at every call
            results, new = multi.update(gradients, state, gradients)
        due = bool(multi.has_updated(new))
        return {
            "t": int(new.mini_step),
            "totals": [np.asarray(x) for x in new.acc_grads],
            # optax keeps no weight: its micro-batches weigh the same.
            "weight": 0.0 if due else inputs["weight"] + inputs["examples"],
            "due": due,
            "results": [np.asarray(x) for x in results],
        }

    return call


def _applied_every(jnp: Any, optax: Any, h: Any, inputs: Mapping[str, Any]) -> Outputs:
    transformation = optax.apply_every(h.steps)
    gradients = _arrays(jnp, inputs, "gradients")
    state = transformation.init(gradients)._replace(
        count=jnp.asarray(inputs["t"], jnp.int32), grad_acc=_arrays(jnp, inputs, "totals")
    )
    results, new = transformation.update(gradients, state)
    due = int(new.count) == 0
    return {
        "t": int(new.count),
        # What the next call begins with: it empties a total that was given out, by times zero.
        "totals": [np.asarray((new.count != 0) * x) for x in new.grad_acc],
        "weight": 0.0 if due else inputs["weight"] + inputs["examples"],
        "due": due,
        "results": [np.asarray(x) for x in results],
    }


ROWS: tuple[Row, ...] = (
    Row(
        "adaptive_gradient_clipping",
        "",
        lambda jnp, optax, h, inputs: _updated(
            jnp, optax.adaptive_grad_clip(h.clipping, h.eps), inputs
        ),
        {"units": "columns_and_heads"},
        {"floor": 1e-6},
    ),
    Row(
        "clip_by_global_norm",
        "",
        lambda jnp, optax, h, inputs: _updated(jnp, optax.clip_by_global_norm(h.max_norm), inputs),
        {"form": "divided"},
    ),
    Row(
        "clip_by_value",
        "",
        lambda jnp, optax, h, inputs: _updated(jnp, optax.clip(h.max_value), inputs),
    ),
    Row("gradient_accumulation", "apply_every", _applied_every, {"form": "sum"}),
    Row("gradient_accumulation", "mean", _accumulated(True), {"form": "running"}),
    Row("gradient_accumulation", "sum", _accumulated(False), {"form": "sum"}),
)


def capabilities() -> tuple[Capability, ...]:
    """Every piece, in float32."""
    return training_row.capabilities(ROWS, "xla_sequential_float32")


def outputs(
    jnp: Any, optax: Any, capability: Capability, hyper: Any, inputs: Mapping[str, Any]
) -> Outputs:
    """What optax gives for these inputs."""
    return training_row.find(ROWS, capability).call(jnp, optax, hyper, inputs)
