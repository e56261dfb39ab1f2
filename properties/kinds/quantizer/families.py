"""The families of a quantizer's cases: drawn tensors, and all codes and thresholds."""

import itertools
from collections.abc import Mapping

from hypothesis import strategies as st

from truestep.fast.protocol import Level, QuantizerCapability
from truestep.properties.cases.hypers import held, hypers, values_of
from truestep.properties.cases.tensors import EXTREMES, KINDS, TensorSpec, specs
from truestep.properties.kinds.quantizer.cases import QuantizerCase
from truestep.reference.quantizers import QUANTIZERS

# Numbers of examples: what fits the time of each level on two cores, not part of any contract.
EXAMPLES: Mapping[Level, int] = {"smoke": 6, "standard": 24, "deep": 1000}
# Families whose cases are listed, and the pattern of these.
LISTED = {
    "all_codes": "codes",
    "every_code": "every_code",
    "sixteen_bits": "sixteen_bits",
    "thresholds": "thresholds",
}
NAMES = ("all_codes", "edges", "every_code", "random", "strata", "thresholds")
# Of casts besides: every number of the formats of sixteen bits.
OF_CASTS = ("sixteen_bits",)
# Of what only decodes.
READ = ("every_code",)
# Of stochastic rounding.
STATISTICS = ("frequency", "independence")
_BLOCKS = (64, 256, 4096)
_SIZES = (1, 63, 64, 65, 127, 255, 256, 257, 300, 511, 513, 4095, 4096, 4097, 0)


def is_stochastic(capability: QuantizerCapability) -> bool:
    """Whether what is judged draws its roundings."""
    return capability.dialect.get("rounding") == "stochastic"


def drawn(
    capability: QuantizerCapability, *, edges: bool = False
) -> st.SearchStrategy[QuantizerCase]:
    """Tensors of sizes around blocks; edges: over the whole range of float32."""
    shapes = (*((n,) for n in _SIZES), (), (3, 5), (16, 33))
    kinds = (*KINDS, "bits") if edges else KINDS
    exponents = (-44, 38) if edges else (-6, 3)
    tensor = specs(shapes, kinds, exponents, EXTREMES if edges else ("zero", "huge", "tiny"))
    rule = QUANTIZERS[capability.rule]
    hyper = hypers(rule, capability.dialect, capability.fixed)
    multiple = st.just(capability.multiple)
    return st.builds(QuantizerCase, hyper=hyper, tensor=tensor, multiple=multiple)


def base(capability: QuantizerCapability) -> dict[str, object]:
    """The choices of a capability, and the first of what it fixes."""
    return {**dict(capability.dialect), **held(capability.fixed)}


def battery(capability: QuantizerCapability) -> list[QuantizerCase]:
    """Fixed cases that tell dialects apart."""
    rule = QUANTIZERS[capability.rule]
    patterns = ("thresholds", *(("beside", "binades", "blocks") if rule.BLOCKS else ()))
    tensor = TensorSpec((0,), seed=5)
    return [
        QuantizerCase(base(capability), tensor, pattern, multiple=capability.multiple)
        for pattern in patterns
    ]


def listed(capability: QuantizerCapability, pattern: str) -> list[QuantizerCase]:
    """The cases of an exhaustive family."""
    rule = QUANTIZERS[capability.rule]
    if not rule.BLOCKS:
        return [QuantizerCase(base(capability), pattern=pattern)]
    scales = (0, -20, 30, -130) if pattern != "every_code" else (0,)
    ranges = rule.Hyper.RANGES
    axes = {
        name: values_of(capability.fixed.get(name, usual))
        for name, usual in (("block_size", _BLOCKS), ("signed", (True, False)))
        if name in ranges
    }
    return [
        QuantizerCase(
            {**base(capability), **dict(zip(axes, chosen, strict=True))},
            pattern=pattern,
            scale=k,
            multiple=capability.multiple,
        )
        for chosen in itertools.product(*axes.values())
        for k in scales
    ]
