"""Factors after metrics that improve and after metrics that do not, with a patience of 0."""

import jax.numpy as jnp
import optax.contrib

for metrics in ((8.0, 4.0, 2.0), (8.0, 8.0, 8.0)):
    transformation = optax.contrib.reduce_on_plateau(factor=0.5, patience=0)
    state = transformation.init(jnp.ones(1))
    for metric in metrics:
        _, state = transformation.update(jnp.ones(1), state, value=metric)
    print(metrics, float(state.scale))
