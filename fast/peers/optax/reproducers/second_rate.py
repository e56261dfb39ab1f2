"""The rate of step 1 of a schedule: second_rate.py SCHEDULE NUMBER..."""

import ast
import sys

import jax.numpy as jnp
import optax

name, *numbers = sys.argv[1:]
schedule = getattr(optax, name)(*map(ast.literal_eval, numbers))
print(f"{float(schedule(jnp.asarray(1))):.7g}")
