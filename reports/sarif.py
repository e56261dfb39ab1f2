"""Failing checks as SARIF 2.1.0 (OASIS, 2020), which code hosts and editors show beside the code.

One run for all backends: GitHub takes one run of a tool. A check's name ("optimizer/strata") is a
rule, a failing check a result; one whose failure is known is suppressed, with the reason.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from truestep.properties.kinds import described
from truestep.reports import known
from truestep.reports.certificate import Certificate, Record
from truestep.reports.places import Source, place_of
from truestep.reports.verdicts import TOLD, VERDICTS

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

Log = dict[str, object]


def sarif(documents: Sequence[Certificate]) -> Log:
    """A SARIF log of certificates."""
    results = [found for document in documents for found in _results(document)]
    names = sorted({str(found["ruleId"]) for found in results})
    for found in results:
        found["ruleIndex"] = names.index(str(found["ruleId"]))
    suite = documents[0]["suite"] if documents else {"version": ""}
    driver = {
        "name": "TrueStep",
        "semanticVersion": suite["version"],
        "rules": [_rule(name) for name in names],
    }
    whole = all(document["complete"] for document in documents)
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": bool(documents) and whole}],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(name: str) -> Log:
    kind, _, check = name.partition("/")
    about = described.about(kind, check)
    return {
        "id": name,
        "shortDescription": {"text": name},
        "fullDescription": {"text": about or name},
        "help": {"text": f"{about or name}. `truestep list checks` says what each looks at."},
    }


def _results(document: Certificate) -> Iterator[Log]:
    backend = document["backend"]
    where = place_of(backend["spec"])
    for check in document["checks"]:
        if check["verdict"] not in TOLD:
            continue
        told = VERDICTS[check["verdict"]].word
        result: Log = {
            "ruleId": f"{check['kind']}/{check['check']}",
            "level": "error",
            "kind": "fail",
            "message": {"text": f"{backend['name']}: {check['id']} {told}\n{check['message']}"},
            # The same failure of the next run is the same alert.
            "partialFingerprints": {"truestepCheck/v1": f"{backend['spec']}/{check['id']}"},
            "properties": _numbers(check),
        }
        if where is not None:
            result["locations"] = [_location(where)]
        if why := known.why_known(check):
            result["suppressions"] = [
                {"kind": "external", "status": "accepted", "justification": why}
            ]
        yield result


def _numbers(check: Record) -> Log:
    names = ("examples", "utilisation", "identified")
    return {name: check[name] for name in names if check.get(name) not in (None, "")}


def _location(where: Source) -> Log:
    path: Path = where.path
    uri = path.as_uri() if path.is_absolute() else path.as_posix()
    place = {"artifactLocation": {"uri": uri}, "region": {"startLine": where.line}}
    return {"physicalLocation": place}
