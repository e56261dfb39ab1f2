"""Decay in Adam's gradient is as strong as the gradient lets it be."""

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
    """Gradients and decay times 2^-9 and 2^7."""
    return scale_free.agreeing(kernel, trial, plain={**GIVEN}, scaled=("weight_decay",))


L2_DECAY_IS_RELATIVE = Theorem(
    name="l2_decay_is_relative",
    topic="adaptive",
    statement=(
        "With weight decay in the gradient and eps = 0, gradients c g with decay c d take Adam "
        "where g with d take it: what counts is the decay over the gradients' size, so that "
        "gradients twice as large halve the decay. To the last bit where c is a power of two."
    ),
    source="I. Loshchilov, F. Hutter, ICLR 2019 (arXiv:1711.05101), section 2, propositions 1, 2",
    subject=Subject(
        "adam",
        dialect={"decay": ("coupled",)},
        sets=("lr", "weight_decay", "eps"),
        formats=("bfloat16", "float32", "float64"),
        storage=("dynamic_8bit",),
    ),
    constants=GIVEN,
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "decay outside the gradient, as in AdamW": another(
                reference("adamw", decay="before"), "lr", "weight_decay", "eps"
            ),
            "the same decay for gradients of every size": held(weight_decay=0.25),
        },
    ),
    axes=("t", "way from the start"),
    changed="the parameter",
)
