"""Whether a first step that is skipped leaves no momentum buffer."""

import torch

p = torch.zeros(1)
optimizer = torch.optim.SGD([p], lr=1.0, momentum=0.5, fused=True)
optimizer.grad_scale, optimizer.found_inf = torch.tensor(1.0), torch.tensor(1.0)
p.grad = torch.ones(1)
optimizer.step()
print(optimizer.state[p].get("momentum_buffer") is None)
