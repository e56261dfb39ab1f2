"""galore-torch, the authors' GaLore."""

REQUIRES = ("torch", "galore_torch")
