"""Whether SparseAdam's average of a zero gradient is a product to float64's precision."""

from fractions import Fraction

import torch

p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
optimizer = torch.optim.SparseAdam([p], betas=(0.3, 0.999))
g = torch.zeros(1, dtype=torch.float64)
p.grad = torch.sparse_coo_tensor([[0]], g, (1,), check_invariants=True)
optimizer.step()
m = float.fromhex("-0x1.a9292effb19bap-6")
optimizer.state[p]["exp_avg"].fill_(m)
optimizer.step()
due = Fraction(0.3) * Fraction(m)
error = abs(Fraction(optimizer.state[p]["exp_avg"].item()) - due)
print(error <= 2 * abs(due) / 2**53)
