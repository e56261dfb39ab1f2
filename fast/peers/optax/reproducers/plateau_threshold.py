"""The best metric after three that improve, with a relative threshold of 1."""

import jax.numpy as jnp
import optax.contrib

transformation = optax.contrib.reduce_on_plateau(patience=2, rtol=1.0)
state = transformation.init(jnp.ones(1))
for metric in (4.0, 2.0, -1.0):
    _, state = transformation.update(jnp.ones(1), state, value=metric)
print(float(state.best_value), round(float(state.scale), 6))
