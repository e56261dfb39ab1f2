"""flashoptim: its kernels for moments in 8 bits, by Triton's interpreter."""

REQUIRES = ("torch", "flashoptim", "triton")
