"""optax.lbfgs without line search: scale_by_lbfgs and a learning rate.

optax keeps the last p, and takes the step as the difference; parameters enter in no other way. So
it is given the step in the place of p and zero in the place of the last p, and no rounding of p
comes between. Its memory is a ring that starts at t modulo its length. It keeps no gamma: what is
returned is what it computes in passing, from the pair that it keeps.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from truestep.fast.protocol import Array, Capability, Function, MinimizerCapability, State, Stepped
from truestep.reference.declared import Hyper

_DIALECT = {"accept": "always", "line_search": "none", "stalled": "followed"}

# variant: scale_init_precond, and what it means.
VARIANTS: dict[str, tuple[bool, dict[str, str]]] = {
    "scaled": (True, {"first_step": "l2"}),
    "unscaled": (False, {"gamma": "one"}),
}

CAPABILITIES = tuple(
    MinimizerCapability(
        rule="lbfgs",
        arithmetic="xla_float32",
        dialect={**_DIALECT, **dialect},
        variant=variant,
        shapes="nonempty",
    )
    for variant, (_, dialect) in VARIANTS.items()
)


def step(
    capability: Capability, hyper: Hyper, param: Array, state: State, function: Function
) -> Stepped:
    """One update with the state loaded."""
    scaled = VARIANTS[capability.variant][0]
    transform = optax.lbfgs(
        learning_rate=float(hyper.lr),
        memory_size=hyper.memory,
        scale_init_precond=scaled,
        linesearch=None,
    )
    t, m, shape = state["t"], hyper.memory, param.shape
    gradient = jnp.asarray(function(param)[1])
    last = jnp.asarray(state["step"].reshape(shape))
    # Before step t + 1 the newest pair lies at t - 2, modulo m.
    ring = (t - 2 - np.arange(m)[::-1]) % m
    fresh = transform.init(last)
    loaded = fresh[0]._replace(
        count=jnp.asarray(t, jnp.int32),
        params=jnp.zeros_like(last),
        updates=jnp.asarray(state["g"].reshape(shape)),
        diff_params_memory=_turned(state["steps"], ring, shape),
        diff_updates_memory=_turned(state["changes"], ring, shape),
        weights_memory=_turned(state["rho"], ring, ()),
    )
    update, new = transform.update(gradient, (loaded, *fresh[1:]), last)
    back = (t - 1 - np.arange(m)[::-1]) % m
    steps, changes, rho = (
        np.array(x).reshape(m, -1)[back]
        for x in (new[0].diff_params_memory, new[0].diff_updates_memory, new[0].weights_memory)
    )
    one = np.ones((), dtype=rho.dtype)
    return Stepped(
        np.array(optax.apply_updates(jnp.asarray(param), update)),
        {
            "t": int(new[0].count),
            "steps": steps,
            "changes": changes,
            "rho": rho.reshape(-1),
            "gamma": _gamma(steps[-1], changes[-1]) if scaled and t else one,
            "step": np.array(update).reshape(-1),
            "g": np.array(new[0].updates).reshape(-1),
        },
    )


def _turned(rows: Array, ring: Array, shape: tuple[int, ...]) -> jax.Array:
    """Our rows, the newest last, at their places in the ring."""
    out = np.zeros_like(rows)
    out[ring] = rows
    return jnp.asarray(out.reshape(len(rows), *shape))


def _gamma(s: Array, y: Array) -> Array:
    square = jnp.vdot(y, y)
    return np.array(jnp.where(square > 0, jnp.vdot(y, s) / square, 1.0))
