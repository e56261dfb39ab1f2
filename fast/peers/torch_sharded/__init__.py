"""torch.optim over several processes: parameters, gradients and states in parts."""

REQUIRES = ("torch",)
