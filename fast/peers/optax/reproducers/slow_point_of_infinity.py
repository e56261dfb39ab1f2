"""Prints the slow point before and after a fast step, from a fast point of infinity."""

import jax.numpy as jnp
import optax

params = optax.LookaheadParams(fast=jnp.full(1, jnp.inf), slow=jnp.ones(1))
optimizer = optax.lookahead(optax.sgd(1.0), sync_period=5, slow_step_size=0.5)
state = optimizer.init(params)
gradients = jnp.ones(1)
updates, state = optimizer.update(gradients, state, params)
print(params.slow.item(), optax.apply_updates(params, updates).slow.item())
