"""Prints what is left of a wrapped optimizer's momentum after a slow step that resets it."""

import torch
from pytorch_optimizer import Lookahead

for make, name, options in (
    (torch.optim.SGD, "momentum_buffer", {"momentum": 0.9}),
    (torch.optim.Adam, "exp_avg", {}),
):
    p = torch.nn.Parameter(torch.zeros(1))
    wrapped = make([p], lr=0.1, **options)
    optimizer = Lookahead(wrapped, k=2, pullback_momentum="reset")
    for _ in range(2):
        p.grad = torch.ones(1)
        optimizer.step()
    print(make.__name__, round(wrapped.state[p][name].item(), 4))
