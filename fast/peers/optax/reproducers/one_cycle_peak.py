"""The peak of a cycle that ends far above it."""

import jax.numpy as jnp
import optax

schedule = optax.cosine_onecycle_schedule(10, 1.0, 0.3, 25.0, 1e-9)
print(float(schedule(jnp.asarray(3))))
