"""What the kernels of csrc compute, on whichever device: rules, quantizers, storages."""

from collections.abc import Mapping
from typing import TypeVar

from truestep.fast.ours import offered_quantizers, offered_storages
from truestep.fast.ours.rule_kernels import RuleKernel, rule_kernels
from truestep.fast.protocol import Capability, Fixed, OptimizerCapability, Storage
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.quantizers import dynamic_8bit

# What the quantizer does without being asked, as fields of its Hyper; it varies map and block_size.
QUANTIZER: Mapping[str, Fixed] = {
    "absmax_floor": 0.0,
    "nan": "propagate",
    "normalise": "divide",
    "ties": "lower",
    "zero_block": "code_of_zero",
}
_BLOCKS: Mapping[str, Fixed] = {
    "block_size": dynamic_8bit.BLOCK_SIZES,
    "map": ("fused", "separate"),
}

Entry = TypeVar("Entry")


def capabilities() -> list[Capability]:
    """Every rule in every dialect that there are kernels of, with each storage; the quantizers.

    A kernel's header says which choices of the dialect it is for: they are documented. A rule's
    first dialect in float32 is run at level smoke already, the others from standard on.
    """
    found: list[Capability] = []
    by_dialect: dict[tuple[str, str], RuleKernel] = {}
    # Of the kernels of one dialect, the one that does most.
    for kernel in sorted(rule_kernels(), key=lambda kernel: -len(kernel.states)):
        by_dialect.setdefault((kernel.rule, variant_of(kernel)), kernel)
    by_dialect = dict(sorted(by_dialect.items(), key=lambda item: item[1].place))
    first: dict[str, RuleKernel] = {}
    for (rule, variant), kernel in by_dialect.items():
        found.append(
            OptimizerCapability(
                rule=rule,
                arithmetic=arithmetic_of(kernel, "ieee_float32_strict"),
                dialect=kernel.dialect,
                variant=variant,
                level="standard" if rule in first else "smoke",
                documented=tuple(kernel.dialect),
            )
        )
        first.setdefault(rule, kernel)
    for rule, kernel in first.items():
        found += _stored(rule, kernel)
    return [*found, *offered_quantizers.QUANTIZERS]


def variant_of(kernel: RuleKernel) -> str:
    """What tells this dialect's capability from the rule's others: its choices."""
    return "+".join(kernel.dialect.values())


def arithmetic_of(kernel: RuleKernel, name: str) -> str:
    """The arithmetic of a kernel: sums over a tensor are added in float64."""
    return f"{name}_float64_sums" if kernel.sums else name


def _stored(rule: str, kernel: RuleKernel) -> list[Capability]:
    """The rule's first dialect with parameters in bfloat16, and with states in other formats."""
    params = OptimizerCapability(
        rule=rule,
        format="bfloat16",
        arithmetic=arithmetic_of(kernel, "bfloat16_params"),
        dialect=kernel.dialect,
        level="standard",
    )
    behaviour = OPTIMIZERS[rule].State.BEHAVIOUR
    if not coded_states(kernel):
        return [params]
    coded = OptimizerCapability(
        rule=rule,
        arithmetic=arithmetic_of(kernel, "ieee_float32_strict"),
        dialect=kernel.dialect,
        variant="8bit",
        level="standard",
        storage={
            name: Storage("dynamic_8bit", {"signed": not behaviour[name].nonnegative, **_BLOCKS})
            for name in coded_states(kernel)
        },
    )
    arithmetic, names = coded.arithmetic, coded_states(kernel)
    formats = offered_storages.capabilities(rule, kernel.dialect, str(arithmetic), names)
    return [params, coded, *formats]


def coded_states(kernel: RuleKernel) -> tuple[str, ...]:
    """The states that may be kept as codes: moments, and not points, which lose their place."""
    behaviour = OPTIMIZERS[kernel.rule].State.BEHAVIOUR
    return tuple(name for name in kernel.states if not behaviour[name].moves)


def chosen(table: Mapping[str, Entry], capability: Capability, kernels: str) -> Entry:
    """The table's entry for the capability's rule; raises if there is none."""
    if capability.rule not in table:
        raise ValueError(
            f"the {kernels} backend offers {', '.join(sorted(table))} here; "
            f"got {capability.kind} {capability.rule!r}"
        )
    return table[capability.rule]


def require_offered(hyper: Hyper, offered: Mapping[str, Fixed], kernels: str) -> None:
    """Raise unless every field that hyper shares with offered has the offered value."""
    for field, value in offered.items():
        if (given := getattr(hyper, field, value)) != value:
            raise ValueError(f"{field} must be {value!r} for the {kernels} kernels, got {given!r}")
