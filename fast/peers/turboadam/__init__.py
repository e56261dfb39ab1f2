"""turboadam, its second moments as logarithms in few bits."""

REQUIRES = ("torch", "turboadam")
