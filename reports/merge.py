"""Certificates of a run's shards, merged into the one that a single machine would have made.

It equals that one bit for bit in everything but what ``substance`` leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from click import ClickException

from truestep.properties.run import conduct, pool
from truestep.properties.run.shards import fingerprint
from truestep.reports import certificate, files, naming, resume, terminal
from truestep.reports.certificate import Certificate, Record
from truestep.reports.judged import Judged, judged
from truestep.reports.verdicts import RUNS

# Of a certificate and of its environment what says when it was made, how fast and on how many
# processors, and the hash of it all; and the same of one check.
_WHEN, _WHERE, _OF_CHECK = ("created", "seconds", "sha256"), ("threads",), ("seconds",)


def substance(document: Certificate) -> Certificate:
    """A certificate without what may differ between two runs of the same, to compare them by.

    Left out are created, seconds, sha256, environment.threads, and the seconds of each check.
    """
    return {
        **_without(document, _WHEN),
        "environment": _without(document["environment"], _WHERE),
        "checks": [_without(check, _OF_CHECK) for check in document["checks"]],
    }


def _without(record: Record, names: Sequence[str]) -> dict[str, object]:
    return {name: value for name, value in record.items() if name not in names}


def merged(shards: Mapping[str, Certificate]) -> Judged:
    """The certificate of the whole, from those of all shards by the names of their files.

    Raises ValueError with the value for what is no shard, for shards of different runs, for one
    that is missing and one that is there twice, and for checks in no shard or in two.
    """
    for name, document in shards.items():
        if "shard" not in document:
            raise ValueError(f"{name}: is of no shard, but of a whole run")
        if not document["complete"]:
            raise ValueError(f"{name}: of an unfinished run, which certify --resume goes on from")
    first, document = next(iter(shards.items()))
    for name, other in shards.items():
        for what, there, here in resume.differences(_of_all(document), _of_all(other)):
            raise ValueError(f"{what} is {there!r} in {first} and {here!r} in {name}")
    _require_all(shards)
    checks = [check for each in shards.values() for check in each["checks"]]
    run = pool.Run(
        document["backend"]["name"],
        [certificate.result(check) for check in checks],
        document["backend"]["unavailable"],
        sum(each["seconds"] for each in shards.values()),
        declaration=document["backend"].get("declaration", ""),
    )
    created = min(each["created"] for each in shards.values())
    return judged({**_header(document), "created": created}, run, checks)


def _header(document: Record) -> Record:
    names = ("schema", "created", "suite", "environment", "backend", "only", "level", "seed")
    return {name: document[name] for name in names}


def _of_all(document: Certificate) -> Certificate:
    """What all shards of one run have in common: all of their shard but its number."""
    shard = {name: value for name, value in document["shard"].items() if name != "index"}
    return {**document, "shard": shard}


def _require_all(shards: Mapping[str, Certificate]) -> None:
    of = next(iter(shards.values()))["shard"]
    by_index: dict[int, str] = {}
    by_id: dict[str, str] = {}
    for name, document in shards.items():
        index = document["shard"]["index"]
        if index in by_index:
            raise ValueError(f"overlap: {by_index[index]} and {name} are shard {index}/{of['of']}")
        by_index[index] = name
        for check in document["checks"]:
            id = check["id"]
            if check["kind"] != conduct.KIND and by_id.setdefault(id, name) != name:
                raise ValueError(f"overlap: {id} is in {by_id[id]} and {name}")
    if missing := [str(k) for k in range(1, of["of"] + 1) if k not in by_index]:
        told = f"{'s' if len(missing) > 1 else ''} {', '.join(missing[:9])} of {of['of']}"
        raise ValueError(f"gap: no certificate of shard{told}{', ...' * (len(missing) > 9)}")
    # Only the check of conduct is in each.
    ids = {check["id"] for document in shards.values() for check in document["checks"]}
    if "plan" in of and fingerprint(list(ids)) != of["plan"]:
        raise ValueError(f"gap: the shards hold {len(ids)} of the run's {of['checks']} checks")


def seconds_of(document: Certificate) -> dict[str, float]:
    """The recorded seconds of each check that was run, by its id."""
    return {
        check["id"]: float(check["seconds"])
        for check in document["checks"]
        if check["verdict"] != "not_run" and "seconds" in check
    }


def merge(shards: Mapping[str, Certificate], out: Path, *, force: bool, as_json: bool) -> int:
    """Write the certificate of the whole, and show it; the exit status is its verdict's."""
    try:
        found = merged(shards)
    except ValueError as error:
        raise ClickException(str(error)) from error
    stem = files.stem_of(found.certificate["backend"]["spec"])
    if not force:
        stem, why = naming.free_stem(out, stem, found.certificate)
        if why:
            terminal.warn(f"{why}; what was merged is in {stem}.json (--force overwrites)")
    path = found.write(out, stem)
    if as_json:
        print(certificate.dumps(found.certificate), end="")
    else:
        terminal.show_page(found.page)
        terminal.show_path(path)
    return RUNS[found.certificate["verdict"]].status
