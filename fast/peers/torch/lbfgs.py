"""torch.optim.LBFGS with one iteration per call, without line search and with its own.

Every torch operation rounds to the parameter's format. With max_iter=1 a call evaluates the
function, completes the last pair, and makes one step; max_eval leaves its line search as many
evaluations as the reference's. What torch keeps as a direction d and a length t is our step, d t.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from truestep.fast.peers.torch_like import Named
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import (
    Array,
    Capability,
    Fixed,
    Function,
    MinimizerCapability,
    State,
    Stepped,
)
from truestep.reference.declared import Hyper

_DIALECT = {"accept": "curvature", "first_step": "l1", "stalled": "recorded"}

# variant: torch's line_search_fn, ours, and what torch does not let one vary.
VARIANTS: Mapping[str, tuple[str | None, str, Mapping[str, Fixed]]] = {
    "fixed_step": (None, "none", {}),
    "strong_wolfe": ("strong_wolfe", "strong_wolfe_cubic", {"c1": 1e-4, "c2": 0.9}),
}


def capabilities() -> tuple[MinimizerCapability, ...]:
    """Both ways to choose a step, in both formats that L-BFGS is used in."""
    return tuple(
        MinimizerCapability(
            rule="lbfgs",
            format=format,
            arithmetic=f"ieee_{format}",
            dialect={**_DIALECT, "line_search": ours},
            variant=variant,
            fixed=fixed,
            level="smoke" if format == "float32" else "standard",
            shapes="nonempty",
        )
        for variant, (_, ours, fixed) in VARIANTS.items()
        for format in ("float32", "float64")
    )


def step(
    capability: Capability, hyper: Hyper, param: Array, state: State, function: Function
) -> Stepped:
    """One step() of a fresh optimizer with the state loaded."""
    p = to_tensor(param)
    optimizer = torch.optim.LBFGS(
        [p],
        lr=float(hyper.lr),
        max_iter=1,
        max_eval=hyper.max_evaluations + 1,
        tolerance_grad=hyper.tolerance_grad,
        tolerance_change=hyper.tolerance_change,
        history_size=hyper.memory,
        line_search_fn=VARIANTS[capability.variant][0],
    )
    optimizer.state[p].update(_loaded(state))

    def closure() -> torch.Tensor:
        value, gradient = function(from_tensor(p))
        p.grad = to_tensor(np.asarray(gradient))
        return to_tensor(np.asarray(value))

    optimizer.step(closure)
    return Stepped(from_tensor(p), _read(optimizer.state[p], state))


def _loaded(state: State) -> Named:
    if state["t"] == 0:
        return {}
    kept = np.flatnonzero(state["rho"])
    return {
        "func_evals": 0,
        "n_iter": state["t"],
        "d": to_tensor(state["step"]),
        "t": 1.0,
        "old_dirs": [to_tensor(state["changes"][i]) for i in kept],
        "old_stps": [to_tensor(state["steps"][i]) for i in kept],
        "ro": [to_tensor(np.asarray(state["rho"][i])) for i in kept],
        "H_diag": to_tensor(state["gamma"]),
        "prev_flat_grad": to_tensor(state["g"]),
        "prev_loss": 0.0,
    }


def _read(loaded: Named, before: State) -> Named:
    if loaded["n_iter"] == before["t"]:
        # At an optimum torch returns before it touches its state.
        return {name: x if name == "t" else x.copy() for name, x in before.items()}
    dtype = before["g"].dtype
    return {
        "t": int(loaded["n_iter"]),
        "steps": _stacked(loaded["old_stps"], before["steps"]),
        "changes": _stacked(loaded["old_dirs"], before["changes"]),
        "rho": _stacked(loaded["ro"], before["rho"]),
        "gamma": np.asarray(loaded["H_diag"], dtype=dtype),
        "step": from_tensor(loaded["d"].mul(loaded["t"])),
        "g": from_tensor(loaded["prev_flat_grad"]),
    }


def _stacked(tensors: Sequence[torch.Tensor], like: Array) -> Array:
    """The newest last, and zeros where there is none."""
    out = np.zeros_like(like)
    for i, tensor in enumerate(reversed(tensors)):
        out[len(like) - 1 - i] = from_tensor(tensor)
    return out
