"""Every claim by name."""

from collections.abc import Mapping

from truestep.properties.claims import noise, rates, rules, steps, trust
from truestep.properties.claims.claim import Claim

CLAIMS: Mapping[str, Claim] = dict(
    sorted({**noise.CLAIMS, **rates.CLAIMS, **rules.CLAIMS, **steps.CLAIMS, **trust.CLAIMS}.items())
)
