"""Every element-wise rule with every family of storages: each pair is judged, and a fault is found.

A family is what the judge can tell apart: the body of a format, how its scale is kept and what is
grouped. Of each one format stands for all; for those that hold signed tensors alone or none below
zero, the pair that libraries use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from truestep.fast.protocol import Array, Capability, Group, Stepped, Storage
from truestep.properties.kinds.table import KINDS
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import checks_of
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.storages import STORAGES

pytestmark = pytest.mark.power

RULES = [n for n, r in OPTIMIZERS.items() if r.FACTS.elementwise and r.State.BEHAVIOUR]
# What keeps tensors of either sign, and those never negative.
FORMATS = (
    ("dynamic_8bit", "dynamic_8bit"), ("dynamic_4bit", "linear_4bit"),
    ("dynamic_4bit_rank1", "linear_4bit_rank1"), ("dynamic_8bit_tensor",) * 2, ("bof4_s",) * 2,
    ("int8",) * 2, ("int8_rows",) * 2, ("int8_columns",) * 2, ("e4m3_tensors",) * 2,
    ("e5m2_tiles",) * 2, ("mxfp8_e4m3",) * 2, ("mxfp4_tiles",) * 2, ("nvfp4",) * 2,
    ("nvfp4_two_level_tiles",) * 2, ("q4_0",) * 2, ("q8_0",) * 2, ("softsign_8bit", "sqrt_8bit"),
    ("bfloat16_rest8",) * 2,
)  # fmt: skip

# Tensors so small that a format's least scale is above them, of which therefore nothing is said.
UNSAID = {
    ("adadelta", "nvfp4"): {"u"},
    ("adadelta", "nvfp4_two_level_tiles"): {"u"},
    ("adamg", "nvfp4"): {"m", "r"},
    ("adamg", "nvfp4_two_level_tiles"): {"m", "r"},
    ("ademamix", "nvfp4"): {"m2"},
    ("ademamix", "nvfp4_two_level_tiles"): {"m2"},
}


def family(name: str) -> tuple[object, ...]:
    """What tells a storage from those that are judged in another way."""
    row = getattr(STORAGES[name], "row", None)
    if row is None:
        return (getattr(STORAGES[name], "__name__", name).partition("_rest")[0],)
    return type(STORAGES[name]), row.scale, row.grouping, row.signed


def storage(rule: str, signed: str, nonnegative: str) -> dict[str, Storage]:
    """The rule's whole state, in blocks of 64 where their length is free."""
    found = {}
    for name, of in OPTIMIZERS[rule].State.BEHAVIOUR.items():
        format = nonnegative if of.nonnegative else signed
        hyper: dict[str, int] = {}
        if "block_size" in STORAGES[format].Hyper.RANGES:
            hyper["block_size"] = 64
        if format == "dynamic_8bit":
            hyper["signed"] = not of.nonnegative
        found[name] = Storage(format, hyper)
    return found


class OneOff(Kernel):
    """Its first code of every tensor is another one: that of the next value, or of the last."""

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """The right step with a wrong code."""
        made = super().optimizer_step(capability, groups)
        return [[self._wrong(new) for new in row] for row in made]

    def _wrong(self, new: Stepped) -> Stepped:
        state = dict(new.state)
        for name, how in self.capability.storage.items():  # type: ignore[union-attr]
            state[f"{name}_code"] = _moved(how.quantizer, state[f"{name}_code"])
        return Stepped(new.param, state)


def _moved(format: str, code: Array) -> Array:
    out = code.copy()
    first = out.reshape(-1)[:1]
    if not hasattr(STORAGES[format], "ranked"):
        first ^= 1
        return out
    codes = STORAGES[format].ranked[0]
    rank = STORAGES[format].rank(first)
    first[:] = codes[np.where(rank + 2 < codes.size, rank + 2, rank - 2)]
    return out


def judged(backend: Kernel, kept: Mapping[str, Storage]) -> dict[str, bool]:
    """Whether each tensor, a coded one by its name, passes, of those of which something is judged.

    In fixed cases, until each coded one has been: of what is below the least scale nothing is said.
    """
    optimizers, capability = KINDS["optimizer"], backend.capability
    check, found = checks_of(backend)[0], dict[str, bool]()
    for case in optimizers.battery(capability):
        for _, tensors in optimizers.judged(backend, check, capability, case):
            for one in tensors:
                if one.judgement.judged:
                    name = one.tensor.removesuffix("_code")
                    found[name] = found.get(name, True) and one.judgement.passed
        if kept.keys() <= found.keys():
            break
    return found


def test_every_storage_belongs_to_a_family_that_is_tried() -> None:
    """A new sort of format is named here."""
    tried = {family(name) for pair in FORMATS for name in pair}
    assert {name for name in STORAGES if family(name) not in tried} == set()


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_judged_with_every_family(rule: str) -> None:
    """A right kernel passes with each; of one family in turn, a code that is off fails."""
    for pair in FORMATS:
        kept = storage(rule, *pair)
        found = judged(Kernel(rule, storage=kept), kept)
        unsaid = UNSAID.get((rule, pair[0]), set())
        assert {"p", *kept} - found.keys() == unsaid, pair
        assert all(found.values()), (pair, found)
    kept = storage(rule, *FORMATS[RULES.index(rule) % len(FORMATS)])
    found = judged(OneOff(rule, storage=kept), kept)
    assert not all(found[name] for name in kept if name in found)
