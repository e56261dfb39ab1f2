"""Decay outside AdamW's gradient is as strong as it says, whatever the gradient."""

from truestep.properties.kinds.theorem.theorems.adaptive import scale_free
from truestep.properties.kinds.theorem.theorems.controls import another, held
from truestep.properties.kinds.theorem.theorems.kernels import Kernel, reference
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Subject,
    Theorem,
    Trial,
    spoilt,
)

GIVEN = {"lr": 0.125, "weight_decay": 0.25, "eps": 0.0}


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Gradients times 2^-9 and 2^7, decay as it is."""
    return scale_free.agreeing(kernel, trial, plain={**GIVEN})


DECOUPLED_DECAY_IS_ABSOLUTE = Theorem(
    name="decoupled_decay_is_absolute",
    topic="adaptive",
    statement=(
        "With weight decay outside the gradient and eps = 0, gradients c g take AdamW where g take "
        "it, for every c > 0 and the same decay; to the last bit where c is a power of two."
    ),
    source="I. Loshchilov, F. Hutter, ICLR 2019 (arXiv:1711.05101), section 2 and proposition 3",
    subject=Subject(
        "adamw",
        sets=("lr", "weight_decay", "eps"),
        formats=("bfloat16", "float32", "float64"),
        storage=("dynamic_8bit",),
    ),
    constants=GIVEN,
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "decay in the gradient, as in Adam": another(
                reference("adam"), "lr", "weight_decay", "eps"
            ),
            "eps = 1/16": held(eps=0.0625),
        },
    ),
    axes=("t", "way from the start"),
    changed="the parameter",
)
