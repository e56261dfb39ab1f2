"""The authors' Prodigy on the CPU, whose estimate of the distance belongs to the parameter group.

torch's dot adds in a few lanes, one element after another.
"""

import contextlib
import io
from dataclasses import replace

import numpy as np
import prodigyopt
import torch

from truestep.fast.peers import torch_like
from truestep.fast.peers.torch_like import (
    BETAS,
    DECAY,
    EPS,
    MOMENTS,
    SEQUENTIAL,
    Bridge,
    Named,
    Row,
    number,
)
from truestep.fast.peers.torch_signatures import life
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper


def _entries(hyper: Hyper, slot: Slot) -> Named:
    d0, d, d_max = np.float32(hyper.d0), slot.state["d"], slot.state["d_max"]
    return {
        # A stored d0 is d0: the library asks whether the estimate still is its first value.
        "d": float(hyper.d0 if d == d0 else d),
        "d_max": float(hyper.d0 if d_max == d0 else d_max),
        "d_numerator": float(slot.state["r"]),
        # Which the library does not advance where the sum s is still zero.
        "k": int(slot.state["t"]),
    }


def _enter(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    state |= {name: to_tensor(slot.state[name]).flatten() for name in ("s", "p0")}
    state["step"] = int(slot.state["t"])


def _begins(hyper: Hyper, slot: Slot) -> bool:
    # The library begins where the parameter is; a start that could not be stored is elsewhere.
    return bool(slot.state["t"] == 0 and np.array_equal(slot.state["p0"], slot.param))


def _leave(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    names = {"r": "d_numerator", "d": "d", "d_max": "d_max"}
    start = from_tensor(state["p0"]) + np.zeros(slot.param.size, slot.param.dtype)
    return {
        "p0": start.reshape(slot.param.shape),
        **{ours: number(group[theirs], slot.state[ours]) for ours, theirs in names.items()},
    }


_PRODIGY = Row(
    "prodigy",
    "Prodigy",
    {**MOMENTS, "s": "s"},
    {**BETAS, "d0": "d0", "d_coef": "d_coef", **EPS, **DECAY},
    dialect={"eps_scale": "new", "nan_estimate": "ignored", "weights": "over_d0"},
    arithmetic=SEQUENTIAL,
    counter="",
    fresh=_begins,
    bridge=Bridge(_entries, _enter, _leave),
    single=True,
)
ROWS: tuple[Row, ...] = (
    _PRODIGY,
    _PRODIGY.but("corrected_", {"bias_correction": "rate"}, {"use_bias_correction": True}),
    _PRODIGY.but("coupled_", {"decay": "coupled"}, {"decouple": False}),
    replace(
        _PRODIGY,
        numbers={**_PRODIGY.numbers, "growth_rate": "growth_rate"},
        prefix="limited_",
        dialect={**_PRODIGY.dialect, "growth": "limited"},
    ),
    _PRODIGY.but("safeguard_", {"weights": "safeguard"}, {"safeguard_warmup": True}),
)


# All groups have one rate, or none: see the findings. So a life of several never sets it.
_KIND = {"counts": "all", "coupling": "shared"}


def _silent(params: object, **numbers: object) -> torch.optim.Optimizer:
    # A decay is printed.
    with contextlib.redirect_stdout(io.StringIO()):
        return prodigyopt.Prodigy(params, **numbers)


class Backend(torch_like.Backend):
    """prodigyopt.Prodigy."""

    name, library, rows = "prodigyopt", prodigyopt, ROWS
    lives = (
        life("Prodigy", _silent, signature=prodigyopt.Prodigy, dialect=_KIND, besides=("lr",)),
        life(
            "Prodigy_one_group",
            _silent,
            signature=prodigyopt.Prodigy,
            dialect=_KIND,
            offers=("closure", "formats", "none"),
        ),
    )
