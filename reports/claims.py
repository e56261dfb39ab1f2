"""The page of claims: what is often said of SGD, what is true, and the experiment that decides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from truestep.properties.claims.claim import HARDWARE, IMPRECISE, OPEN, RIGHT, WRONG, Claim, Found
from truestep.properties.claims.table import CLAIMS
from truestep.reports import certificate, files, numbers, terminal
from truestep.reports.sheet import Cell, Section, Sheet, Table

# The tone of a verdict: of the claim, not of the experiment.
_TONES = {RIGHT: "good", WRONG: "bad", IMPRECISE: "warn", HARDWARE: "", OPEN: "bad"}
_ABOUT = (
    "Each claim is decided by an experiment whose outcome the mathematics fixes: recursions of "
    "moments, sums and enumerations in float64, without sampling, so that no verdict is a matter "
    "of chance. A picture shows what was measured, the theorem's line or band, and a control on "
    "which the same measure says the opposite.",
    "Wrong: the claim fails as it is made. Imprecise: it holds under a condition that it does not "
    "name. Hardware: a machine decides it, and it is decided nowhere else. Undecided: the "
    "corrected statement or the control failed here, which is an error of this suite.",
)


def decided(seed: int) -> dict[str, tuple[Claim, Found]]:
    """Every experiment, by the claim's name."""
    return {name: (claim, claim.decide(seed)) for name, claim in CLAIMS.items()}


def show(seed: int, as_json: bool, out: Path | None) -> int:
    """Decide every claim and show it; 1 where an experiment contradicts itself."""
    found = decided(seed)
    shown = sheet(found)
    if out is not None:
        terminal.show_path(files.write_report(shown, out, "claims"))
    if as_json:
        print(certificate.dumps(certificate.plain(_document(found, seed))), end="")
    elif out is None:
        rows = [(n, c.claim, c.verdict(f), c.statement) for n, (c, f) in found.items()]
        terminal.show_table(("name", "claim", "verdict", "what is true"), rows)
        print(shown.headline)
    return 1 if any(claim.verdict(of) == OPEN for claim, of in found.values()) else 0


def _document(found: Mapping[str, tuple[Claim, Found]], seed: int) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "claim": claim.claim,
            "verdict": claim.verdict(of),
            "statement": claim.statement,
            "source": claim.source,
            "error_probability": claim.error,
            "seed": seed,
            "numbers": dict(of.numbers),
            "chart": of.chart,
        }
        for name, (claim, of) in found.items()
    ]


def sheet(found: Mapping[str, tuple[Claim, Found]]) -> Sheet:
    """The page: all verdicts, then each claim with its picture."""
    told = [claim.verdict(of) for claim, of in found.values()]
    counted = ", ".join(f"{told.count(v)} {v}" for v in _TONES if told.count(v))
    headline = f"{numbers.plural(len(found), 'claim')} about SGD: {counted}"
    rows = [
        (claim.claim, [_verdict(claim, of), Cell(claim.statement)]) for claim, of in found.values()
    ]
    summary = Table("Verdicts", "", "claim", ("verdict", "what is true"), rows)
    tables = [_table(name, claim, of) for name, (claim, of) in found.items()]
    sections = [Section("All claims", [summary]), Section("Experiments", tables)]
    return Sheet("TrueStep claims", headline, _ABOUT, sections)


def _verdict(claim: Claim, of: Found) -> Cell:
    verdict = claim.verdict(of)
    return Cell(verdict, _TONES[verdict])


def _table(name: str, claim: Claim, of: Found) -> Table:
    rows = [
        ("claim as made", [Cell("holds" if of.claimed else "fails")]),
        ("corrected statement", [Cell("holds" if of.corrected else "fails")]),
        ("control", [Cell("as due" if of.control else "not as due")]),
        *((what, [Cell(f"{x:.4g}")]) for what, x in of.numbers.items()),
    ]
    if claim.hardware:
        rows = [(what, [Cell(f"{x:.3g}, here")]) for what, x in of.numbers.items()]
    about = f"“{claim.claim}” {claim.verdict(of).capitalize()}. {claim.statement}"
    error = f"{claim.error:g}" if claim.error else "0: nothing is sampled"
    notes = [("decided by", _first(claim)), ("source", claim.source)]
    if not claim.hardware:
        notes.append(("probability of a wrong verdict", error))
    return Table(name.replace("_", " "), about, "", ("found",), rows, notes, chart=of.chart)


def _first(claim: Claim) -> str:
    """What the experiment is, from its docstring."""
    return " ".join((claim.decide.__doc__ or "").split())
