"""Known findings about a library, attached to the certificate of a backend that wraps it."""

from collections.abc import Mapping, Sequence

from truestep.reports.certificate import Record

FIELDS = ("library", "versions", "rule", "title", "contradicts", "expected", "actual", "note")


def findings_for(
    backend: str, spec: str, checks: Sequence[Record], libraries: Mapping[str, str]
) -> list[Record]:
    """Findings about the run's rules and the backend's library, with the checks each explains.

    libraries: the versions that were judged.
    """
    from truestep.fast.peers.findings import explained  # every finding is read: not to refuse a run

    rules = {"", *(check["rule"] for check in checks)}
    return [
        {
            **{field: getattr(finding, field) for field in FIELDS},
            "reproducer": finding.command,
            "departs": list(finding.departs),
            "unseen": finding.unseen,
            "checks": ids,
        }
        for finding, ids in explained(backend, spec, checks, libraries)
        if finding.rule in rules
    ]
