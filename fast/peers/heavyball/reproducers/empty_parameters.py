"""The products of momenta of two empty parameters after one step."""

import heavyball
import torch

heavyball.utils.compile_mode = None
p = [torch.zeros(0), torch.zeros(0)]
optimizer = heavyball.NAdam(p, betas=(0.5, 0.5), momentum_decay=0.0)
for x in p:
    x.grad = torch.zeros(0)
optimizer.step()
name = optimizer._find_val_name("mu_product")
print([optimizer.state_(x)[name].item() for x in p])
