"""Steps a parameter with a torch optimizer and prints what becomes of it.

    steps.py OPTIMIZER[,...] OPTIONS p=... g=... show=... [group=...] [for="NAME in ..."]
             [between=...] [every=step]

All but the optimizer's name are Python expressions in the names of torch and in ``p``, ``before``
(p before the last step), ``state``, ``group`` and NAME. A number as p or g fills the tensor.
``between`` is evaluated between steps, ``show`` printed in the end or after every step.
"""

import builtins
import importlib
import sys

import torch

paths, options, *pairs = sys.argv[1:]
given = {"between": "", "group": "", "for": "_ in 0", **dict(x.split("=", 1) for x in pairs)}
variable, _, values = given["for"].partition(" in ")
# Of names that both have, such as round, Python's.
scope = {**vars(torch), **vars(builtins)}


def run(path: str) -> None:
    """One optimizer's steps, from the parameter as given."""
    torch.manual_seed(0)
    p = eval(given["p"], scope)
    p = scope["p"] = p if isinstance(p, torch.Tensor) else torch.full((1,), float(p))
    module, _, name = path.rpartition(".")
    group = {"params": [p], **eval(f"dict({given['group']})", scope)}
    make = getattr(importlib.import_module(module), name)
    optimizer = make([group], **eval(f"dict({options})", scope))
    gradients = eval(f"[{given['g']}]", scope)
    for k, g in enumerate(gradients):
        scope["before"] = p.detach().clone()
        if k and given["between"]:
            eval(given["between"], scope)
        p.grad = g if isinstance(g, torch.Tensor) else torch.full_like(p, g)
        optimizer.step()
        scope.update(state=optimizer.state.get(p), group=optimizer.param_groups[0])
        if "every" in given or k + 1 == len(gradients):
            shown = eval(given["show"], scope)
            print(*shown) if isinstance(shown, tuple) else print(shown)


with torch.compiler.set_stance("force_eager"):
    for path in paths.split(","):
        for value in eval(f"[{values}]", scope):
            scope[variable] = value
            try:
                run(path)
            except (NameError, RuntimeError, ZeroDivisionError) as error:
                print(type(error).__name__)
