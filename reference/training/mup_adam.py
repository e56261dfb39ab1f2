"""Learning rates of Adam in the maximal update parametrisation, muP (Yang, Hu et al. 2022).

Rule
    input weights and biases: lr
    hidden weights: lr / fan_in
    output weights: lr / fan_in

Shapes
    Numbers only. fan_in: the layer's input width over that of the base model.
    run: the layer's role, to lr and weight_decay.

Domain
    lr, weight_decay >= 0 and finite; fan_in > 0.

Choices
    form: "table_3" of the paper, as above. The mup package (its Table 8) rates output weights by lr
    and has a multiplier of 1 / fan_in in the model ("package"); it multiplies the weight decay of
    hidden weights by fan_in, so that lr weight_decay is what it was: with a decoupled decay that
    keeps the decay of the base model, with a coupled one (MuAdam) the decay grows with the width.

Special cases
    fan_in = 1 gives lr for every role: the base model.

Judged
    Rates by the bounded contract.

Sources
    G. Yang, E. J. Hu et al., "Tensor Programs V: Tuning Large Neural Networks via Zero-Shot
    Hyperparameter Transfer", arXiv:2203.03466 (2022), Tables 3 and 8. mup 1.0.0, MuAdam, MuAdamW.
"""

from typing import Annotated, Literal

from truestep.reference import declared
from truestep.reference.declared import Real, decades

DIALECTS = {
    "form": {
        "table_3": "output weights rated by their width",
        "package": "output weights rated as the base model's, with a multiplier in the model",
    }
}
INPUTS = {"role": "choice"}
OPTIONAL = ()

Role = Literal["input", "hidden", "output", "bias"]


class Hyper(declared.Hyper):
    """The base model's rate and decay, and the input width over the base model's."""

    lr: Annotated[float, Real(0.0, usual=decades(-3, 1), edges=(0.0,))] = 1e-3
    weight_decay: Annotated[float, Real(0.0, usual=decades(-3, 1), edges=(0.0,))] = 0.0
    fan_in: Annotated[
        float, Real(0.0, open="low", usual=(4.0, 0.5, 3.0, 1.0, 7.5), listed=True)
    ] = 1.0
    form: Literal["table_3", "package"] = "table_3"


def rates(h: Hyper, role: Role) -> tuple[float, float]:
    """The rate and the weight decay of a layer of that role."""
    if role == "hidden" and h.form == "package":
        return h.lr / h.fan_in, h.weight_decay * h.fan_in
    if role == "hidden" or (role == "output" and h.form == "table_3"):
        return h.lr / h.fan_in, h.weight_decay
    return h.lr, h.weight_decay


def run(h: Hyper, *, role: Role) -> dict[str, float]:
    """The rate and the weight decay of a layer of that role."""
    lr, weight_decay = rates(h, role)
    return {"lr": lr, "weight_decay": weight_decay}
