"""Going on from the journals of a run that was stopped: what they hold is not run again."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from click import ClickException

from truestep.reports import certificate, journal, strict, terminal
from truestep.reports.certificate import Certificate, Record

# Members of a header that a run and its continuation have in common.
_SAME = ("only", "level", "seed", "suite")
# What may change in the environment without changing a verdict.
_FREE = ("threads",)


@dataclass(frozen=True, slots=True)
class Earlier:
    """Results at hand, by id, and the files that hold them."""

    checks: dict[str, Record] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)


def earlier(place: Path, headers: Iterable[Record]) -> Mapping[str, Earlier]:
    """What a journal, unfinished certificate or folder of journals holds of these runs, by spec.

    A damaged journal counts up to its first damaged line. Raises ClickException with the difference
    where nothing belongs to any of them, and where a file cannot be read.
    """
    headers = list(headers)
    paths = sorted(place.glob(f"*{journal.ENDING}")) if place.is_dir() else [place]
    found = {header["backend"]["spec"]: Earlier() for header in headers}
    reasons = []
    for path in paths:
        document = _read(path)
        differing = [_difference(document, header) for header in headers]
        for header, difference in zip(headers, differing, strict=True):
            if not difference:
                taken = found[header["backend"]["spec"]]
                taken.checks.update({check["id"]: check for check in document["checks"]})
                taken.files.append(path)
        if all(differing):
            reasons.append(f"{path}: {differing[0]}")
    if not any(each.files for each in found.values()):
        told = "; ".join(reasons) or f"no journal (*{journal.ENDING}) in it"
        raise ClickException(f"--resume {place}: {told}")
    return found


def _read(path: Path) -> Certificate:
    try:
        text = strict.content(path)
        if not journal.looks_like(text):
            document = certificate.read(path)
            if document["complete"]:
                raise ValueError("the run it is of was complete")
            return document
        lines, damage = journal.intact(text)
        document = certificate.checked(certificate.unfinished(*lines))
    except OSError as error:
        raise ClickException(f"--resume {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ClickException(f"--resume {path}: {error}") from error
    if damage:
        terminal.warn(f"{path}: {damage}; {len(lines) - 1} results before it are kept")
    return document


def _difference(document: Certificate, header: Record) -> str:
    """In what a run differs from the one that a document is of, or ""."""
    for name, there, here in differences(document, header):
        return f"{name} is {there!r} there and {here!r} here"
    return ""


def differences(one: Record, other: Record) -> Iterator[tuple[str, object, object]]:
    """In what two runs differ that may decide a verdict: each by name, with both values."""
    there, here = _run(one), _run(other)
    for name in [*there, *sorted(here.keys() - there.keys())]:
        if there.get(name) != here.get(name):
            yield name, there.get(name), here.get(name)


def _run(header: Record) -> dict[str, object]:
    """What a run and its continuation have in common, by name."""
    where = {name: value for name, value in header["environment"].items() if name not in _FREE}
    libraries = where.pop("libraries")
    same = {name: header[name] for name in _SAME}
    backend = {"backend": header["backend"]["spec"]}
    if file := header["backend"].get("file_sha256"):
        backend["the SHA-256 of the backend's file"] = file
    for rule in header.get("rules", ()):
        backend[f"the SHA-256 of the rule {rule['name']}"] = rule["sha256"]
    shard = {f"shard.{name}": value for name, value in header.get("shard", {}).items()}
    return {**backend, **same, **shard, **where, **libraries}
