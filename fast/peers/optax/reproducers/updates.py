"""Updates a parameter and prints what becomes of it.

    updates.py OPTIMIZER PARAMETER GRADIENTS SHOW [every]

All are Python expressions in the names of jax.numpy, and SHOW in ``p``, ``state`` and ``update``
too. A number as a gradient fills the array. SHOW is printed in the end, or after every update.
"""

import builtins
import sys

import jax.numpy as jnp
import optax

make, start, gradients, show, *every = sys.argv[1:]
# Of names that both have, such as round, Python's.
scope = {**vars(jnp), **vars(builtins), "optax": optax}
optimizer, p = scope["optimizer"], scope["p"] = eval(f"{make}, {start}", scope)
state = optimizer.init(p)
given = eval(f"[{gradients}]", scope)
try:
    for k, g in enumerate(given):
        g = jnp.full_like(p, g) if isinstance(g, int | float) else g
        scope["update"], state = optimizer.update(g, state, p)
        scope["state"] = state
        if every or k + 1 == len(given):
            shown = eval(show, scope)
            print(*shown) if isinstance(shown, tuple) else print(shown)
except IndexError as error:
    print(type(error).__name__)
