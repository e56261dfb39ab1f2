"""Two steps by LBFGS at a learning rate of zero, where a warm-up may begin."""

import torch

p = torch.tensor([1.0], requires_grad=True)
optimizer = torch.optim.LBFGS([p], lr=0.0, max_iter=1, max_eval=9, line_search_fn="strong_wolfe")


def closure() -> torch.Tensor:
    """The square of p, with its gradient."""
    optimizer.zero_grad()
    value = (p * p).sum()
    value.backward()
    return value


try:
    for _ in range(2):
        optimizer.step(closure)
    print(p.item())
except ZeroDivisionError as error:
    print(f"ZeroDivisionError: {error}")
