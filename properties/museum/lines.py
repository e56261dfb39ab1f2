"""A kernel as a table of lines, run in order; each may be replaced by a fault.

Each line computes the name it stands under from what the lines before computed. x.h:
hyperparameters; x.s: state before the step; x.p and x.g: parameter and gradient, until a line
replaces them; x.f: the function, of rules that evaluate it. What a rule takes besides the gradient
stands under its own name. The new_ names are the result. One rounding per operation; constants and
functions of the counter are computed by the host in double, as the profile ieee_float32 declares.
(A Python float that meets a float32 array is rounded to float32.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from truestep.fast.protocol import Slot, Stepped

Line = Callable[[Any], Any]
Kernel = Mapping[str, Line]


@dataclass(frozen=True, slots=True)
class Home:
    """A correct kernel, the dialect it declares, and the tensors and numbers that it takes."""

    kernel: Kernel
    dialect: Mapping[str, str] = field(default_factory=dict)
    shapes: Literal["any", "matrices"] = "any"
    fixed: Mapping[str, Any] = field(default_factory=dict)


def norm(x: Any) -> Any:
    """The Euclidean norm of all elements."""
    return np.sqrt(np.sum(x * x))


def run(
    kernel: Kernel,
    h: Any,
    slot: Slot,
    memory: dict[str, Any],
    function: Callable[[Any], Any] | None = None,
) -> Stepped:
    """One step of one tensor, its results in the shapes and formats that came in.

    memory: what a fault keeps between calls; a correct kernel keeps nothing. A line named still
    that is true ends the step before anything has changed.
    """
    s = SimpleNamespace(**slot.state)
    x = SimpleNamespace(h=h, s=s, p=slot.param, g=slot.grad, memory=memory, f=function)
    vars(x).update(slot.inputs)
    for name, line in kernel.items():
        setattr(x, name, line(x))
        if name == "still" and x.still:
            return Stepped(slot.param.copy(), dict(slot.state))
    state = {
        name: int(getattr(x, f"new_{name}"))
        if isinstance(old, int)
        else np.array(getattr(x, f"new_{name}"), dtype=old.dtype).reshape(old.shape)
        for name, old in slot.state.items()
    }
    return Stepped(np.array(x.new_p, dtype=slot.param.dtype).reshape(slot.param.shape), state)
