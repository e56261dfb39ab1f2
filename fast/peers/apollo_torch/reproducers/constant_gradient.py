"""The norms of steps 1, 2, 10 and 60 by one gradient, as parts of the first."""

import torch
from apollo_torch import APOLLOAdamW

options = {"rank": 1, "proj": "random", "scale_type": "tensor", "scale": 1.0}
p = torch.nn.Parameter(torch.zeros(2, 3))
group = {"params": [p], "update_proj_gap": 200, "proj_type": "std", **options}
optimizer = APOLLOAdamW([group], lr=1.0, no_deprecation_warning=True)
norms = []
for _ in range(60):
    p.grad = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
    before = p.detach().clone()
    optimizer.step()
    norms.append((p - before).norm().item())
print([round(norms[t - 1] / norms[0], 2) for t in (1, 2, 10, 60)])
