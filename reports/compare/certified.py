"""Whether a row is the rule that it names: from a certificate of our kernels, found or made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from truestep.reports import certificate, environment, judging, verdicts
from truestep.reports.certificate import Certificate
from truestep.reports.compare.subjects import Subject

BACKEND, STEM = "cpu", "compare-cpu"
# Up to so many rules, a run for each is shorter than one of all that there are.
_FEW = 4


@dataclass(frozen=True, slots=True)
class Certified:
    """verdict: of the checks of this rule, form and format, "reference" of the definition itself.

    told: from what it is known.
    """

    verdict: str
    told: str


def certified(
    subjects: Sequence[Subject], folders: Sequence[Path], out: Path
) -> dict[str, Certified]:
    """By rule what a certificate says of the kernel that trained it.

    Certificates of this version of the suite are looked for in the folders; where none judges a
    rule, one is made in out.
    """
    found: dict[str, Certified] = {
        s.rule: Certified("reference", "the definition itself") for s in subjects if s.by != BACKEND
    }
    for path in (path for folder in folders for path in sorted(folder.glob("*.json"))):
        if (document := _ours(path)) is not None:
            found |= _of(document, path.name, [s for s in subjects if s.rule not in found])
    missing = [s for s in subjects if s.rule not in found]
    for name in _selections(missing):
        only = f"optimizer/{name}/float32/*"
        stem = STEM if name == "*" else f"{STEM}-{name}"
        made = judging.certify(BACKEND, only=only, level="smoke")
        made.write(out, stem)
        found |= _of(made.certificate, f"{stem}.json", missing)
    unknown = Certified("not_judged", "no check of this form")
    return {s.rule: found.get(s.rule, unknown) for s in subjects}


def _selections(missing: Sequence[Subject]) -> list[str]:
    """Rules that are judged one by one; all of them at once where they are many."""
    return [s.rule for s in missing] if len(missing) <= _FEW else ["*"]


def _ours(path: Path) -> Certificate | None:
    """A complete certificate of our kernels by this version, or None."""
    try:
        document = certificate.read(path)
    except (OSError, certificate.BadCertificate):
        return None
    same = document["suite"]["version"] == environment.suite()["version"]
    ours = document["backend"]["spec"] == BACKEND
    return document if same and ours and document["complete"] else None


def _of(document: Certificate, name: str, subjects: Iterable[Subject]) -> dict[str, Certified]:
    found = {}
    for subject in subjects:
        of = subject.capability
        checks = [
            certificate.result(check)
            for check in document["checks"]
            if (check["kind"], check["rule"], check["format"], check["variant"])
            == ("optimizer", of.rule, of.format, of.variant)
        ]
        tally = verdicts.tally(checks)
        if any(verdicts.VERDICTS[check.verdict].ran for check in checks):
            verdict = verdicts.of_run((check.verdict for check in checks), complete=True)
            told = f"{tally.passed} checks of {name}, level {document['level']}"
            found[subject.rule] = Certified(verdict, told)
    return found
