"""Steps two parameters of a group, the first of them once, and prints which states have a count."""

import heavyball
import torch

first, second = (torch.ones(1, requires_grad=True) for _ in range(2))
optimizer = heavyball.SGD([first, second], lr=0.1)
with torch.compiler.set_stance("force_eager"):
    for graded in ([first, second], [second], [second]):
        for p in graded:
            p.grad = torch.ones_like(p)
        optimizer.step()
        print(*(int(optimizer.state_(p).get("step", 0)) for p in (first, second)))
