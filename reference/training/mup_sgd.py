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

from typing import Annotated, Literal

from truestep.reference import declared
from truestep.reference.declared import Real, decades

DIALECTS = {
    "form": {
        "table_3": "rates by the role of the layer, all widths in the rates",
        "package": "rates by the number of growing widths, output layers with a multiplier",
    }
}
INPUTS = {"role": "choice"}
OPTIONAL = ()

Role = Literal["input", "hidden", "output", "bias"]


class Hyper(declared.Hyper):
    """The base model's rate and decay, and the widths over the base model's."""

    lr: Annotated[float, Real(0.0, usual=decades(-3, 1), edges=(0.0,))] = 0.1
    weight_decay: Annotated[float, Real(0.0, usual=decades(-3, 1), edges=(0.0,))] = 0.0
    fan_in: Annotated[
        float, Real(0.0, open="low", usual=(4.0, 0.5, 3.0, 1.0, 7.5), listed=True)
    ] = 1.0
    fan_out: Annotated[
        float, Real(0.0, open="low", usual=(2.0, 0.25, 5.0, 1.0, 1.5), listed=True)
    ] = 1.0
    form: Literal["table_3", "package"] = "table_3"


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


def run(h: Hyper, *, role: Role) -> dict[str, float]:
    """The rate and the weight decay of a layer of that role."""
    lr, weight_decay = rates(h, role)
    return {"lr": lr, "weight_decay": weight_decay}
