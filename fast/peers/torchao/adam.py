"""single_param_adam, the step of torchao's Adam and AdamW, on moments quantized or not.

torchao compiles it; "eager" runs it uncompiled. Functions of the counter are float32, and so are
those of lr, which has to be a tensor.
"""

from collections.abc import Mapping

import torch
from torchao.optim.adam import single_param_adam

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import OptimizerCapability, Slot, Stepped
from truestep.reference.declared import Hyper

# By format of the parameters, and of the moments that are not quantized.
ARITHMETIC = {
    "bfloat16": "float32_hyper_bfloat16_storage",
    "float16": "float32_hyper_float16_storage",
    "float32": "float32_hyper",
}
# Rules on moments that are not quantized, by variant: what differs from the reference's defaults.
ROWS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("adam", "eager", {}),
    ("adamw", "eager", {"decay": "before"}),
    ("amsgrad", "adamw_eager", {"bias_correction": "both", "decay": "before"}),
    ("amsgrad", "eager", {"bias_correction": "both"}),
)


def capabilities() -> tuple[OptimizerCapability, ...]:
    """Every row in every format, its moments kept as torchao's optimizers keep small tensors."""
    return tuple(
        OptimizerCapability(
            rule=rule,
            format=format,
            arithmetic=arithmetic,
            dialect=dialect,
            fixed={"maximize": False},
            variant=variant,
            level="smoke" if format == "float32" else "standard",
        )
        for rule, variant, dialect in ROWS
        for format, arithmetic in ARITHMETIC.items()
    )


def stepped(hyper: Hyper, slot: Slot, *, adamw: bool) -> Stepped:
    """One step on moments of the parameter's format."""
    param, grad = to_tensor(slot.param), to_tensor(slot.grad)
    moments = {name: to_tensor(x) for name, x in slot.state.items() if name != "t"}
    t = updated(hyper, slot, param, grad, moments, adamw=adamw)
    state = {name: from_tensor(moment) for name, moment in moments.items()}
    return Stepped(from_tensor(param), {**state, "t": t})


def updated(
    hyper: Hyper,
    slot: Slot,
    param: torch.Tensor,
    grad: torch.Tensor,
    moments: Mapping[str, torch.Tensor],
    *,
    adamw: bool,
) -> int:
    """param and moments moved by a step; the number of steps as the library counts them."""
    step = torch.tensor(float(slot.state["t"] + 1))
    with torch.no_grad():
        single_param_adam(
            param,
            grad,
            step,
            moments["m"],
            moments["v"],
            moments.get("v_max"),
            torch.tensor(hyper.lr, dtype=torch.float32),
            hyper.beta1,
            hyper.beta2,
            hyper.weight_decay,
            hyper.eps,
            adamw,
            False,
        )
    return int(step.item())
