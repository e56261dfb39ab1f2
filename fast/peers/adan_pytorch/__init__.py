"""adan-pytorch, lucidrains' Adan."""

REQUIRES = ("torch", "adan_pytorch")
