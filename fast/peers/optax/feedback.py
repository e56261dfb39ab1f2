"""optax.contrib.reduce_on_plateau: a factor of every update, which falls with the metric.

Arithmetic: as of training.py. The rate is the factor, which begins at 1, and min_lr its least.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax.contrib

from truestep.fast.peers.training_row import Row
from truestep.fast.protocol import Inputs, Outputs
from truestep.reference.declared import Hyper


def _plateau(h: Hyper, inputs: Inputs) -> Outputs:
    transformation = optax.contrib.reduce_on_plateau(
        factor=h.factor,
        patience=h.patience,
        rtol=h.rtol,
        atol=h.atol,
        cooldown=h.cooldown,
        accumulation_size=h.accumulation,
        min_scale=h.min_lr,
    )
    updates = jnp.ones(1, jnp.float32)
    state = transformation.init(updates)._replace(
        scale=jnp.asarray(inputs["lr"], jnp.float32),
        best_value=jnp.asarray(inputs["best"], jnp.float32),
        plateau_count=jnp.asarray(inputs["bad"], jnp.int32),
        cooldown_count=jnp.asarray(inputs["cooling"], jnp.int32),
        count=jnp.asarray(inputs["seen"], jnp.int32),
        avg_value=jnp.asarray(inputs["mean"], jnp.float32),
    )
    with jax.disable_jit():  # or its lax.cond is compiled again at every call
        scaled, new = transformation.update(updates, state, value=float(inputs["metric"]))
    return {
        # What an update of 1 became.
        "lr": np.asarray(scaled)[0],
        "best": np.asarray(new.best_value),
        "bad": int(new.plateau_count),
        "cooling": int(new.cooldown_count),
        "mean": np.asarray(new.avg_value),
        "seen": int(new.count),
    }


_DIALECT = {"margin": "signed", "patience_ends": "reached"}
_FLOAT32 = {"float32": "xla_sequential_float32"}

# One threshold is held where the other varies: it refuses to have neither.
ROWS: tuple[Row, ...] = (
    Row("reduce_on_plateau", "absolute", _plateau, _DIALECT, {"eps": 0.0, "rtol": 1e-3}, _FLOAT32),
    Row("reduce_on_plateau", "relative", _plateau, _DIALECT, {"atol": 1e-3, "eps": 0.0}, _FLOAT32),
)
