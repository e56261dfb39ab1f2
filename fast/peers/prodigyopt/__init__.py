"""prodigyopt, the authors' Prodigy."""

REQUIRES = ("torch", "prodigyopt")
