"""optax, on JAX."""

REQUIRES = ("jax", "optax")
