"""Quantizers: admissible codes, decoded values bit for bit, laws, and stochastic rounding."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast, final

from truestep.fast.protocol import Level, QuantizerBackend, QuantizerCapability
from truestep.properties.cases.restored import restored
from truestep.properties.judge.contracts import Judged
from truestep.properties.judge.records import Place, within
from truestep.properties.judge.results import Check, Record
from truestep.properties.judge.tally import Tally
from truestep.properties.kinds.kind import Kind, Seeded, Steps
from truestep.properties.kinds.quantizer import families, packed, rounding_statistics, strata, sweep
from truestep.properties.kinds.quantizer.cases import QuantizerCase, values
from truestep.properties.kinds.quantizer.laws import EXAMPLES, laws_of
from truestep.properties.kinds.quantizer.step import Encoded, Subject, every_code, judged
from truestep.properties.laws.claims import PREFIX
from truestep.properties.laws.claims import judged as judged_claims
from truestep.properties.search.exploration import Drawn, Listed
from truestep.properties.search.identification import Reading
from truestep.reference.quantizers import QUANTIZERS

AnyCase = QuantizerCase | Seeded


@final
class QuantizerKind(Kind[QuantizerCapability, AnyCase, QuantizerBackend]):
    """Tensors encoded and decoded, and the statistics of what draws its roundings."""

    name = "quantizer"

    def names(self, capability: QuantizerCapability) -> Sequence[str]:
        """Families, the statistics of stochastic rounding, and laws."""
        if not capability.encodes:
            return families.READ
        statistics = families.STATISTICS if families.is_stochastic(capability) else ()
        casts = () if QUANTIZERS[capability.rule].BLOCKS else families.OF_CASTS
        whole = (sweep.NAME,) if sweep.sweeps(capability) else ()
        return (
            *families.NAMES,
            *casts,
            *whole,
            *statistics,
            *(PREFIX + law for law in laws_of(capability)),
        )

    def least(self, check: Check) -> Level:
        """Every number there is takes a minute."""
        own = super().least(check)
        return sweep.LEVEL if check.name == sweep.NAME else own

    def cases(
        self, check: Check, capability: QuantizerCapability
    ) -> Drawn[AnyCase] | Listed[AnyCase]:
        """Drawn tensors, every code or threshold, or a seed."""
        if check.name in families.STATISTICS:
            return Listed(lambda seed: [Seeded(seed)])
        if check.name == strata.NAME:
            return Listed(lambda seed: strata.made(capability, seed))
        if check.name == sweep.NAME:
            return Listed(lambda _: sweep.listed(families.base(capability)))
        if check.name in families.LISTED:
            pattern = families.LISTED[check.name]
            return Listed(lambda _: families.listed(capability, pattern))
        strategy = families.drawn(capability, edges=check.name == "edges")
        return Drawn(strategy, EXAMPLES if check.name.startswith(PREFIX) else families.EXAMPLES)

    def case(self, check: Check, record: Record) -> AnyCase:
        """The case that to_json wrote."""
        seeded = check.name in families.STATISTICS
        return restored(Seeded, record) if seeded else restored(QuantizerCase, record)

    def judged(
        self,
        backend: QuantizerBackend,
        check: Check,
        capability: QuantizerCapability,
        case: AnyCase,
    ) -> Steps:
        """What a tensor was encoded and decoded to, a law's claims, or a statistic."""
        subject = Subject(backend, capability)
        if isinstance(case, Seeded):
            judgement = rounding_statistics.judged(subject, check.name)
            yield judgement, [Judged(0, 0, 0, "draws", judgement)]
            return
        hyper = subject.hyper(case)
        if case.pattern == "every_code":
            yield None, [Judged(0, 0, 0, name, j) for name, j in every_code(subject, hyper)]
            return
        if case.pattern == sweep.NAME:
            out, judgement = sweep.judged(subject, hyper, case.scale)
            yield out, [Judged(0, 0, 0, "code", judgement)]
            return
        out = subject.encode(hyper, values(case, subject.rule, hyper))
        law = laws_of(capability).get(check.name.removeprefix(PREFIX))
        if law is None:
            yield out, [Judged(0, 0, 0, name, j) for name, j in judged(subject, hyper, out)]
        else:
            yield out, judged_claims(law(subject, hyper, out))

    def contract(self, check: Check) -> str:
        """Codes by intervals, draws by exact tests."""
        return "statistical" if check.name in families.STATISTICS else "admissible codes"

    def law(self, check: Check) -> str | None:
        """What a law says."""
        capability = cast(QuantizerCapability, check.capability)
        return laws_of(capability)[check.name.removeprefix(PREFIX)].__doc__

    def reads(self, check: Check) -> bool:
        """Of a failing family, whatever draws no roundings: which rule its scales follow, say."""
        stochastic = families.is_stochastic(cast(QuantizerCapability, check.capability))
        return not stochastic and super().reads(check)

    def battery(self, capability: QuantizerCapability) -> Sequence[AnyCase]:
        """Thresholds, groups in which something is special, and extremes beside powers of two."""
        return families.battery(capability)

    def readings(self, capability: QuantizerCapability, distance: int) -> Iterator[Reading]:
        """Other choices of the format, and other packings of its codes."""
        if distance == 1:
            yield from packed.readings(capability, QUANTIZERS[capability.rule])
        yield from super().readings(capability, distance)

    def read(
        self,
        backend: QuantizerBackend,
        capability: QuantizerCapability,
        case: AnyCase,
        reading: Reading,
    ) -> Steps:
        """Codes and scales, judged as if they were of the reading."""
        subject, given = Subject(backend, capability), cast(QuantizerCase, case)
        hyper = subject.hyper(given)
        # Drawn roundings admit what any directed one gives, which says nothing.
        if (
            given.pattern in ("every_code", sweep.NAME)
            or reading.changes.get("rounding") == "stochastic"
        ):
            return
        out = subject.encode(hyper, values(given, subject.rule, hyper))
        if reading.packing:
            code = packed.as_read(reading.packing, subject.rule, out.words, out.x.shape)
            out = replace(out, stored={**out.stored, "code": code})
        found = judged(subject, reading.hyper(hyper), out)
        yield out, [Judged(0, 0, 0, name, judgement) for name, judgement in found]

    def place(self, check: Check, tally: Tally) -> Place:
        """The element, and the number that entered it."""
        found, case = tally.worst, tally.worst_case
        assert found is not None
        if isinstance(case, Seeded):
            return Place(found.tensor)
        index, out = found.judgement.index or (), cast(Encoded | None, tally.context)
        # A scale's place is its group's, not an element's.
        of_element = out and found.tensor in ("code", "decoded") and within(index, out.x.shape)
        inputs = {"x": float(out.x[index]).hex()} if out and of_element else {}
        told = ", ".join(f"{name}={value}" for name, value in inputs.items())
        return Place(
            f"{found.tensor}{list(index)}",
            {"index": list(index), "inputs": inputs},
            (
                f"input at this element: {told or 'none'}",
                f"hyperparameters: {json.dumps(dict(cast(QuantizerCase, case).hyper))}",
            ),
        )

    def extra(
        self, backend: QuantizerBackend, check: Check, capability: QuantizerCapability, tally: Tally
    ) -> dict[str, object]:
        """Of a statistic: its probability of a false alarm."""
        if check.name not in families.STATISTICS:
            return {}
        return {"false_alarm_probability": rounding_statistics.FALSE_ALARM}
