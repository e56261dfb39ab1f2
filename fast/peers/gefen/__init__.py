"""gefen: codes of a codebook that it learns."""

REQUIRES = ("torch", "gefen")
