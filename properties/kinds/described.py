"""What each check looks at, in words: `truestep list checks`, and alerts."""

import inspect
from collections.abc import Mapping

from truestep.properties.kinds.life import laws as lives
from truestep.properties.kinds.minimizer import families as minimizers
from truestep.properties.kinds.optimizer import families as optimizers
from truestep.properties.kinds.optimizer.laws.laws import LAWS
from truestep.properties.kinds.quantizer import laws as quantizers
from truestep.properties.kinds.schedule import families as schedules
from truestep.properties.kinds.schedule import laws as of_schedules
from truestep.properties.kinds.theorem.kind import PREFIX as THEOREM
from truestep.properties.kinds.theorem.theorems.table import THEOREMS
from truestep.properties.kinds.training import families as training
from truestep.properties.kinds.training.laws import laws as of_training
from truestep.properties.laws.claims import PREFIX

_STRATA = "every part of the input space once: shapes, scales, layouts, unusual hyperparameters"

# By kind, and by what follows it in a check's name. Families say themselves what they vary.
WORDS: Mapping[str, Mapping[str, str]] = {
    "minimizer": {
        **{name: family.about for name, family in minimizers.FAMILIES.items()},
        "strata": _STRATA,
    },
    "optimizer": {
        **{name: family.about for name, family in optimizers.FAMILIES.items()},
        "direction_of_rounding": "whether errors lean one way, as those of a truncating kernel do",
        "drawn_codes": "drawn codes of state: how often each goes up, whether draws repeat",
        "independent_noise": "stochastic stores: noise new for every element, tensor and call",
        "normal_draws": "what a rule draws: normal, and new for every element, tensor and step",
        "strata": _STRATA,
    },
    "process": {"left_as_found": "what calls have left changed in their process"},
    "quantizer": {
        "all_codes": "every value of the format, at several scales",
        "edges": "tensors over the whole range of float32, with nans and infinities",
        "every_code": "what is read of every code, those too that no encoder gives",
        "frequency": "stochastic rounding: how often it goes up, by exact binomial tests",
        "independence": "stochastic rounding: whether one draw repeats another",
        "random": "tensors of sizes around the groups'",
        "sixteen_bits": "every number of the formats of sixteen bits",
        "strata": _STRATA,
        "sweep": "all 2^32 float32 numbers, against the exact thresholds",
        "thresholds": "midpoints between neighbouring values, and the numbers beside them",
    },
    "schedule": {
        **{name: family.about for name, family in schedules.FAMILIES.items()},
        "closed_form": "whole runs of a recursive schedule, against its closed form",
        "strata": _STRATA,
    },
    "training": {
        **{name: family.about for name, family in training.FAMILIES.items()},
        "strata": _STRATA,
    },
}
_LAWS: Mapping[str, Mapping[str, object]] = {
    "life": lives.LAWS,
    "minimizer": LAWS,
    "optimizer": LAWS,
    "quantizer": quantizers.LAWS,
    "schedule": of_schedules.LAWS,
    "training": of_training.LAWS,
}


def about(kind: str, check: str) -> str:
    """What a check looks at, in a line; "" where the name is none of this version's."""
    if check.startswith(PREFIX):
        law = _LAWS.get(kind, {}).get(check.removeprefix(PREFIX))
        return "" if law is None else _first_paragraph(inspect.getdoc(law) or "")
    if check.startswith(THEOREM):
        theorem = THEOREMS.get(check.removeprefix(THEOREM))
        return "" if theorem is None else theorem.statement
    return WORDS.get(kind, {}).get(check, "")


def _first_paragraph(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())
