"""Several parameters of one optimizer that keeps something outside of state[p], as self.t.

Such an optimizer is judged with one group at a time, of one count, whose state can be any. Whether
another parameter, or another group's rate, changes what it makes of this one shows in runs from the
start.
"""

from __future__ import annotations

import numpy as np
import torch

from truestep.fast.protocol import Array
from truestep.fast.wrapped import trials
from truestep.fast.wrapped.names import renamed
from truestep.fast.wrapped.search import Found
from truestep.fast.wrapped.torch_classes import Class
from truestep.fast.wrapped.trials import Named
from truestep.reference.optimizers import OPTIMIZERS


def departure(subject: Class, found: Found) -> str:
    """What two parameters of one optimizer do otherwise than each alone, in words; "" if nothing.

    Of what keeps everything in state[p] the judge sees several tensors and groups at once.
    """
    if not subject.kept:
        return ""
    values = trials.alive(OPTIMIZERS[found.rule])
    groups = [renamed(found.numbers, {**values, "lr": size * values["lr"]}) for size in (1.0, 0.5)]
    what = "the parameter of the second group, which has another rate,"
    if subject.flat or found.numbers.get("lr", "").removeprefix("-") not in subject.grouped:
        groups, what = [groups[0], groups[0]], "the second parameter"
    drawn = trials.two()
    alone = [_run(subject, [group], [each])[0] for group, each in zip(groups, drawn, strict=True)]
    together = _run(subject, groups, drawn)
    order = ("the first parameter", what)
    for t in range(trials.TOGETHER):
        for name, one, both in zip(order, alone, together, strict=True):
            moved = float(np.max(np.abs(one[t + 1] - one[t])))
            off = float(np.max(np.abs(both[t + 1] - one[t + 1])))
            kept = ", ".join(sorted(subject.kept))
            if not off <= trials.ROUNDED * max(moved, float(np.max(np.abs(one[t])))):
                return (
                    f"{found.rule} is what it computes of one parameter, but of two in one "
                    f"optimizer {name} is stepped otherwise than alone: step {t + 1} is off by "
                    f"{off / moved:.1g} of its largest change (it keeps {kept})"
                )
    return ""


def _run(
    subject: Class, groups: list[Named], drawn: list[tuple[Array, list[Array]]]
) -> list[list[Array]]:
    """The values of every parameter before the first step and after each."""
    params = [torch.nn.Parameter(torch.tensor(p, dtype=subject.dtype)) for p, _ in drawn]
    together = subject.flat or subject.of_models
    entries = (
        [{"params": params, **groups[0]}]
        if together
        else [{"params": [p], **group} for p, group in zip(params, groups, strict=True)]
    )
    optimizer = subject.built(entries, groups[0])
    out = [[p.detach().numpy().copy()] for p in params]
    for t in range(trials.TOGETHER):
        for p, (_, grads) in zip(params, drawn, strict=True):
            p.grad = subject.gradient(torch.tensor(grads[t], dtype=subject.dtype))
        optimizer.step()
        for values, p in zip(out, params, strict=True):
            values.append(p.detach().numpy().copy())
    return out
