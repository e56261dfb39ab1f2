"""What mechanize has to bet with after a step that lost: its memory of 0.9."""

import jax.numpy as jnp
import optax

optimizer = optax.contrib.mechanize(optax.sgd(1.0), weight_decay=0.0, num_betas=1)
p = jnp.zeros(1)
state = optimizer.init(p)
for g in (1.0, -1.0):
    update, state = optimizer.update(jnp.full(1, g), state, p)
    p = optax.apply_updates(p, update)
print(f"{state.r[0]:.0e}")
