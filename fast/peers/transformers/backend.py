"""transformers on the CPU: Adafactor in each of its ways to choose the step size, and schedulers.

It computes float16 and bfloat16 parameters in float32, where its state stays too, and rounds the
new parameter once. Root mean squares add one number after another.
"""

from collections.abc import Sequence
from dataclasses import replace

import transformers.optimization

from truestep.fast.peers import torch_like, torch_schedulers, training_row
from truestep.fast.peers.torch_like import DECAY, FACTORED, SIDES, Bridge, Named, Row
from truestep.fast.peers.transformers import lives, schedules, training
from truestep.fast.protocol import Capability, Inputs, Outputs, Slot
from truestep.reference.declared import Hyper


def _enter(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    # Written before it is read.
    state["RMS"] = 0


_CONSTANT = Row(
    "adafactor",
    "Adafactor",
    FACTORED,
    {
        "eps1": "eps",
        "eps2": "eps",
        "clip_threshold": "clip_threshold",
        "decay_rate": "-decay_rate",
        **DECAY,
    },
    dialect={"decay": "step", "parameter_scale": "none", "step_size": "constant"},
    options={"relative_step": False, "scale_parameter": False},
    fixed={"beta2_cap": 1.0, "min_size": 0},
    paths={"constant": {}},
    arithmetic={
        "bfloat16": "bfloat16_params",
        "float16": "float16_params",
        "float32": "sequential_float32",
        "float64": "sequential_float64",
    },
    squeezed=SIDES,
    bridge=Bridge(enter=_enter),
)
_MOMENTUM = replace(
    _CONSTANT,
    state={**FACTORED, "m": "exp_avg"},
    numbers={**_CONSTANT.numbers, "beta1": "beta1"},
    dialect={**_CONSTANT.dialect, "momentum": "of_step"},
    paths={"constant_momentum": {}},
)
_RELATIVE = replace(
    _CONSTANT,
    dialect={"decay": "step"},
    # Without a rate: the group's is not looked at.
    options={"lr": None, "relative_step": True},
    # The largest relative step, which is no argument.
    fixed={**_CONSTANT.fixed, "lr": 1e-2},
    paths={"relative": {}},
)

ROWS: tuple[Row, ...] = (
    _CONSTANT,
    _MOMENTUM,
    _RELATIVE,
    replace(
        _MOMENTUM,
        dialect={"decay": "step", "momentum": "of_step", "step_size": "constant"},
        options={"relative_step": False},
        paths={"scaled_momentum": {}},
    ),
    replace(
        _RELATIVE,
        dialect={"decay": "step", "step_size": "warmup"},
        paths={"warmup": {"warmup_init": True}},
    ),
)


class Backend(torch_like.Backend):
    """transformers.optimization."""

    name, library, rows = "transformers", transformers.optimization, ROWS
    lives = lives.LIVES

    def capabilities(self) -> tuple[Capability, ...]:
        """Adafactor, schedules, also as objects, and schedulers that a metric drives."""
        return (
            *super().capabilities(),
            *torch_schedulers.capabilities(schedules.ROWS),
            *training_row.capabilities(training.ROWS),
        )

    def training_piece(self, capability: Capability, hyper: Hyper, inputs: Inputs) -> Outputs:
        """What a scheduler makes of one more metric."""
        return training_row.outputs(training.ROWS, capability, hyper, inputs)

    def schedule_values(
        self, capability: Capability, hyper: Hyper, steps: Sequence[int]
    ) -> list[float]:
        """What a schedule sets its optimizer's rate to."""
        return torch_schedulers.values(schedules.ROWS, capability, hyper, steps)
