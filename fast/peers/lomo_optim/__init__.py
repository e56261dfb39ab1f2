"""lomo-optim, the authors' LOMO and AdaLomo."""

REQUIRES = ("torch", "lomo_optim")
