"""Learning rates of SGD in the maximal update parametrisation, muP (Yang, Hu et al. 2022).

Rule
    input weights and biases: lr fan_out
    hidden weights: lr
    output weights: lr / fan_in

Shapes
    Numbers only. fan_in, fan_out: the layer's widths over those of the base model.
    run: the layer's role, to lr and weight_decay.

Domain
    lr, weight_decay >= 0 and finite; fan_in, fan_out > 0.

Choices
    form: "table_3" of the paper, as above. The mup package instead rates by the number of widths
    that grow ("package"): matrices, with two, by lr fan_out / fan_in, vectors, with one, by lr
    times that width, scalars by lr; its output layer has a multiplier of 1 / fan_in in the model
    instead of the rate. It divides the weight decay by the same factor, so that lr weight_decay is
    what it was.

Special cases
    fan_in = fan_out = 1 gives lr for every role: the base model.

Judged
    Rates by the bounded contract.

Sources
    G. Yang, E. J. Hu et al., "Tensor Programs V: Tuning Large Neural Networks via Zero-Shot
    Hyperparameter Transfer", arXiv:2203.03466 (2022), Table 3. mup 1.0.0, MuSGD.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from truestep.reference.validation import require_above, require_at_least, require_one_of

DIALECTS = {
    "form": {
        "table_3": "rates by the role of the layer, all widths in the rates",
        "package": "rates by the number of growing widths, output layers with a multiplier",
    },
}
INPUTS = {"role": "choice"}

Role = Literal["input", "hidden", "output", "bias"]


@dataclass(frozen=True, slots=True)
class Hyper:
    """The base model's rate and decay, and the widths over the base model's."""

    lr: float = 0.1
    weight_decay: float = 0.0
    fan_in: float = 1.0
    fan_out: float = 1.0
    form: Literal["table_3", "package"] = "table_3"

    def __post_init__(self) -> None:
        require_at_least(self, 0.0, "lr", "weight_decay")
        require_above(self, 0.0, "fan_in", "fan_out")
        require_one_of(self, DIALECTS)


def factor(h: Hyper, role: Role) -> float:
    """What multiplies the base model's rate."""
    if role in ("input", "bias"):
        return h.fan_out
    if h.form == "package":
        return h.fan_out / h.fan_in if role == "hidden" else h.fan_in
    return 1.0 if role == "hidden" else 1 / h.fan_in


def rates(h: Hyper, role: Role) -> tuple[float, float]:
    """The rate and the weight decay of a layer of that role."""
    f = factor(h, role)
    return h.lr * f, h.weight_decay / f if h.form == "package" else h.weight_decay


def run(h: Hyper, *, role: Role) -> dict[str, Any]:
    """The rate and the weight decay of a layer of that role."""
    lr, weight_decay = rates(h, role)
    return {"lr": lr, "weight_decay": weight_decay}
