"""apollo-torch, the authors' APOLLO."""

REQUIRES = ("torch", "apollo_torch")
