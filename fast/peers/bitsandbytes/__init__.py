"""bitsandbytes, optimizers with 8-bit states and block formats."""

REQUIRES = ("torch", "bitsandbytes")
