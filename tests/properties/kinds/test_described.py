"""What each check looks at, in words."""

from __future__ import annotations

from truestep.fast.protocol import Capability, Storage
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.properties.kinds import described
from truestep.properties.kinds.table import KINDS
from truestep.properties.kinds.theorem.kind import TheoremKind
from truestep.properties.run import conduct
from truestep.reference.tables import RULES

BY_CHANCE = Arithmetic("by_chance", storage={"p": "bfloat16"}, rounding="stochastic")
DRAWN = Storage("int8", {"block_size": 64, "rounding": "stochastic"})
# Capabilities that have the checks of which others have none.
UNUSUAL = (
    Capability("optimizer", "lion", arithmetic=BY_CHANCE, format="bfloat16"),
    Capability("optimizer", "lion", storage={"m": DRAWN}),  # type: ignore[call-arg]
    Capability("quantizer", "int8", dialect={"rounding": "stochastic"}),
    Capability("schedule", "cosine", recursive=True, format="float64"),  # type: ignore[call-arg]
)


def test_every_check_is_described() -> None:
    """Of every rule, and of what some capabilities alone have; and nothing else is."""
    plain = [Capability(kind, rule) for kind, rules in RULES.items() for rule in rules]  # type: ignore[arg-type]
    capabilities = [*plain, *UNUSUAL]
    checks = [c for one in capabilities for c in KINDS[one.kind].checks(one)]
    checks += [*TheoremKind().checks_of(plain), conduct.check()]
    lacking = {(c.kind, c.name) for c in checks if not described.about(c.kind, c.name)}
    assert not lacking
    found = {(check.kind, check.name) for check in checks}
    words = {(kind, name) for kind, of in described.WORDS.items() for name in of}
    assert words <= found, f"no check has {sorted(words - found)}"
