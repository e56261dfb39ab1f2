"""schedulefree, the authors' schedule-free optimizers."""

REQUIRES = ("torch", "schedulefree")
