"""Updates a parameter and prints what becomes of it.

    updates.py OPTIMIZER PARAMETER GRADIENTS SHOW [every] [value=NUMBER]

All are Python expressions in the names of jax.numpy, and SHOW in ``p``, ``state`` and ``update``
too. A number as a gradient fills the array. SHOW is printed in the end, or after every update. The
function's value is handed to every update.
"""

import builtins
import sys

import jax.numpy as jnp
import optax

make, start, gradients, show, *options = sys.argv[1:]
told = {k: float(x) for k, _, x in (option.partition("=") for option in options) if x}
# Of names that both have, such as round, Python's.
scope = {**vars(jnp), **vars(builtins), "optax": optax}
optimizer, p = scope["optimizer"], scope["p"] = eval(f"{make}, {start}", scope)
state = optimizer.init(p)
given = eval(f"[{gradients}]", scope)
try:
    for k, g in enumerate(given):
        g = jnp.full_like(p, g) if isinstance(g, int | float) else g
        scope["update"], state = optimizer.update(g, state, p, **told)
        scope["state"] = state
        if "every" in options or k + 1 == len(given):
            shown = eval(show, scope)
            print(*shown) if isinstance(shown, tuple) else print(shown)
except IndexError as error:
    print(type(error).__name__)
