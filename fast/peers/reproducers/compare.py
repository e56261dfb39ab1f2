"""Steps a parameter with several torch optimizers and prints how their results compare.

    compare.py PARAMETER GRADIENTS SHOW OPTIMIZER...

All are Python expressions in the names of torch, ``p`` and ``k``, the optimizer's number; SHOW is
one in ``ends``: p in the end, or the error's name. A number as p or gradient fills the tensor.
"""

import builtins
import importlib
import sys

import torch

start, gradients, show, *optimizers = sys.argv[1:]
scope = {**vars(torch), **vars(builtins), "torch": torch}


def end(k: int, make: str) -> torch.Tensor | str:
    """The parameter after the steps of one optimizer."""
    torch.manual_seed(0)
    scope["k"], p = k, eval(start, scope)
    p = scope["p"] = p if isinstance(p, torch.Tensor) else torch.full((1,), float(p))
    module = make.partition(".")[0]
    optimizer = eval(make, {**scope, module: importlib.import_module(module)})
    try:
        for g in eval(f"[{gradients}]", scope):
            p.grad = g if isinstance(g, torch.Tensor) else torch.full_like(p, g)
            optimizer.step()
    except RuntimeError as error:
        return type(error).__name__
    return p.detach()


scope["ends"] = [end(k, make) for k, make in enumerate(optimizers)]
shown = eval(show, scope)
print(*shown) if isinstance(shown, tuple) else print(shown)
