"""optax's training-loop pieces on the CPU: three ways of clipping, MultiSteps and apply_every.

Arithmetic: called outside of jit, so that every operation is XLA's own and rounds to float32;
subnormal numbers are flushed, and a reduction is charged as one term after another.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from truestep.fast.peers.optax import feedback
from truestep.fast.peers.training_row import Call, Row
from truestep.fast.protocol import Inputs, Outputs
from truestep.reference.declared import Hyper


def _arrays(inputs: Inputs, name: str) -> list[jax.Array]:
    return [jnp.asarray(x) for x in inputs[name]]


def _clipped(make: Callable[[Hyper], optax.GradientTransformation]) -> Call:
    def call(h: Hyper, inputs: Inputs) -> Outputs:
        transformation, gradients = make(h), _arrays(inputs, "gradients")
        params = _arrays(inputs, "params") if "params" in inputs else None
        updates, _ = transformation.update(gradients, transformation.init(gradients), params)
        return {"clipped": [np.asarray(x) for x in updates]}

    return call


def _accumulated(mean: bool) -> Call:
    def call(h: Hyper, inputs: Inputs) -> Outputs:
        multi = optax.MultiSteps(optax.identity(), h.steps, use_grad_mean=mean)
        gradients = _arrays(inputs, "gradients")
        state = multi.init(gradients)._replace(
            mini_step=jnp.asarray(inputs["t"], jnp.int32), acc_grads=_arrays(inputs, "totals")
        )
        with jax.disable_jit():  # or its lax.cond is compiled again at every call
            results, new = multi.update(gradients, state, gradients)
        due = bool(multi.has_updated(new))
        return _given(inputs, int(new.mini_step), new.acc_grads, due, results)

    return call


def _applied_every(h: Hyper, inputs: Inputs) -> Outputs:
    transformation = optax.apply_every(h.steps)
    gradients = _arrays(inputs, "gradients")
    state = transformation.init(gradients)._replace(
        count=jnp.asarray(inputs["t"], jnp.int32), grad_acc=_arrays(inputs, "totals")
    )
    results, new = transformation.update(gradients, state)
    # What the next call begins with: it empties a total that was given out, by times zero.
    totals = [(new.count != 0) * x for x in new.grad_acc]
    return _given(inputs, int(new.count), totals, int(new.count) == 0, results)


def _given(
    inputs: Inputs, t: int, totals: list[jax.Array], due: bool, results: list[jax.Array]
) -> Outputs:
    return {
        "t": t,
        "totals": [np.asarray(x) for x in totals],
        # optax keeps no weight: its micro-batches weigh the same.
        "weight": 0.0 if due else inputs["weight"] + inputs["examples"],
        "due": due,
        "results": [np.asarray(x) for x in results],
    }


_row = partial(Row, arithmetic={"float32": "xla_sequential_float32"})

ROWS: tuple[Row, ...] = (
    _row(
        "adaptive_gradient_clipping",
        "",
        _clipped(lambda h: optax.adaptive_grad_clip(h.clipping, h.eps)),
        {"units": "columns_and_heads"},
        {"floor": 1e-6},
    ),
    _row(
        "clip_by_global_norm",
        "",
        _clipped(lambda h: optax.clip_by_global_norm(h.max_norm)),
        {"form": "divided"},
    ),
    _row("clip_by_value", "", _clipped(lambda h: optax.clip(h.max_value))),
    _row("gradient_accumulation", "apply_every", _applied_every, {"form": "sum"}),
    _row("gradient_accumulation", "mean", _accumulated(True), {"form": "running"}),
    _row("gradient_accumulation", "sum", _accumulated(False), {"form": "sum"}),
    *feedback.ROWS,
)
