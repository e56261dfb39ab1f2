"""The step of a small gradient with a large eps and with a small one, for two forms of muon."""

import jax.numpy as jnp
import optax

g = jnp.diag(jnp.array([1e-3, 1e-3]))
for name in ("aol", "schatten"):
    updates = []
    for eps in (1.0, 1e-8):
        optimizer = optax.contrib.muon(1.0, eps=eps, preconditioning=name, nesterov=False)
        update, _ = optimizer.update(g, optimizer.init(g), g)
        updates.append(round(-float(update[0, 0]), 4))
    print(name, *updates)
