"""The step of centered rmsprop at which a constant gradient gives nan."""

import jax.numpy as jnp
import optax

optimizer = optax.rmsprop(0.1, centered=True)
g = jnp.array([8.9])
state = optimizer.init(g)
for t in range(1, 201):
    update, state = optimizer.update(g, state)
    if jnp.isnan(update[0]):
        print("nan at step", t)
        break
else:
    print("no nan in 200 steps")
