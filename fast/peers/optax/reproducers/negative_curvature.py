"""Whether each of three steps of L-BFGS goes downhill, on a function that is curved downwards."""

import jax.numpy as jnp
import optax

optimizer = optax.lbfgs(learning_rate=0.1, linesearch=None)
p = jnp.ones(2)
state = optimizer.init(p)
downhill = []
for _ in range(3):
    g = -p  # of -|p|^2 / 2
    update, state = optimizer.update(g, state, p)
    downhill.append(bool(jnp.vdot(g, update) < 0))
    p = optax.apply_updates(p, update)
print(downhill)
