"""torch.optim.LBFGS with one iteration per call, without line search and with its own.

Every torch operation rounds to the parameter's format. With max_iter=1 a call evaluates the
function, completes the last pair, and makes one step; max_eval leaves its line search as many
evaluations as the reference's. What torch keeps as a direction d and a length t is our step, d t.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from truestep.fast.peers.torch_arrays import from_tensor, to_tensor
from truestep.fast.protocol import Array, Capability, Stepped

_DIALECT = {"accept": "curvature", "first_step": "l1", "stalled": "recorded"}

# variant: torch's line_search_fn, ours, and what torch does not let one vary.
VARIANTS: dict[str, tuple[str | None, str, dict[str, Any]]] = {
    "fixed_step": (None, "none", {}),
    "strong_wolfe": ("strong_wolfe", "strong_wolfe_cubic", {"c1": 1e-4, "c2": 0.9}),
}


def capabilities() -> tuple[Capability, ...]:
    """Both ways to choose a step, in both formats that L-BFGS is used in."""
    return tuple(
        Capability(
            kind="minimizer",
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
    torch: Any,
    capability: Capability,
    hyper: Any,
    param: Array,
    state: Mapping[str, Any],
    function: Callable[[Array], tuple[Any, Array]],
) -> Stepped:
    """One step() of a fresh optimizer with the state loaded."""
    p = to_tensor(torch, param)
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
    optimizer.state[p].update(_loaded(torch, state))

    def closure() -> Any:
        value, gradient = function(from_tensor(torch, p))
        p.grad = to_tensor(torch, np.asarray(gradient))
        return to_tensor(torch, np.asarray(value))

    optimizer.step(closure)
    return Stepped(from_tensor(torch, p), _read(torch, optimizer.state[p], state))


def _loaded(torch: Any, state: Mapping[str, Any]) -> dict[str, Any]:
    if state["t"] == 0:
        return {}
    kept = np.flatnonzero(state["rho"])
    return {
        "func_evals": 0,
        "n_iter": state["t"],
        "d": to_tensor(torch, state["step"]),
        "t": 1.0,
        "old_dirs": [to_tensor(torch, state["changes"][i]) for i in kept],
        "old_stps": [to_tensor(torch, state["steps"][i]) for i in kept],
        "ro": [to_tensor(torch, np.asarray(state["rho"][i])) for i in kept],
        "H_diag": to_tensor(torch, state["gamma"]),
        "prev_flat_grad": to_tensor(torch, state["g"]),
        "prev_loss": 0.0,
    }


def _read(torch: Any, loaded: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    if loaded["n_iter"] == before["t"]:
        # At an optimum torch returns before it touches its state.
        return {name: x if name == "t" else x.copy() for name, x in before.items()}
    dtype = before["g"].dtype
    return {
        "t": int(loaded["n_iter"]),
        "steps": _stacked(torch, loaded["old_stps"], before["steps"]),
        "changes": _stacked(torch, loaded["old_dirs"], before["changes"]),
        "rho": _stacked(torch, loaded["ro"], before["rho"]),
        "gamma": np.asarray(loaded["H_diag"], dtype=dtype),
        "step": from_tensor(torch, loaded["d"].mul(loaded["t"])),
        "g": from_tensor(torch, loaded["prev_flat_grad"]),
    }


def _stacked(torch: Any, tensors: list[Any], like: Array) -> Array:
    """The newest last, and zeros where there is none."""
    out = np.zeros_like(like)
    for i, tensor in enumerate(reversed(tensors)):
        out[len(like) - 1 - i] = from_tensor(torch, tensor)
    return out
