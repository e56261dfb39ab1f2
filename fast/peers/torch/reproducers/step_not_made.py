"""How many pairs LBFGS has after a step that it did not make, and a gradient of another batch."""

import torch

p = torch.ones(1, requires_grad=True)
optimizer = torch.optim.LBFGS([p], max_iter=1, tolerance_change=1e-3)
for gradient in (0.01, -1.0):
    moved_before = bool((p != 1).any())

    def closure(gradient: float = gradient) -> torch.Tensor:
        """A value of no importance, and the batch's gradient."""
        p.grad = torch.full_like(p, gradient)
        return torch.zeros(())

    optimizer.step(closure)
print(moved_before, len(optimizer.state[p]["old_dirs"]))
