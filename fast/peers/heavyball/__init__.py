"""heavyball, optimizers as chains of transformations."""

REQUIRES = ("torch", "heavyball")
