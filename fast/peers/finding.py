"""What a finding is, a verified departure of a library from its rule, and its form as data.

A library's ``findings.toml`` begins with the name of its package, ``distribution``, the versions
concerned as a PEP 440 specifier, and ``sets``: lists of checks or variants that several findings
name. Each ``[[finding]]`` has the fields of Finding; ``each`` makes one finding per row, whose
values take the place of ``$name`` in its texts. ``checks`` is a list of exact ids, or of tables
whose lists of rules, formats, variants and checks are combined.
"""

import itertools
import re
import shlex
import string
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import cast

from packaging.specifiers import SpecifierSet

from truestep.fast.peers.predicate import Conditions, Json, holds, validated

PEERS = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Finding:
    """One verified departure.

    library: the folder under ``fast/peers``. rule: the reference's rule, or "" where several are
    concerned. contradicts: the line of the rule or of the library's own description that does not
    hold. reproducer: a program and its arguments; actual is its standard output, expected what it
    should have been. checks: ids of the checks that fail by it; none where the protocol cannot
    reach it. when: of their failures, those that it explains. departs: the choices of dialect by
    which its adapter declares it, each as "field value". note: where in the library's source.
    processor: what a processor must be able to do for the library to go that way, by Linux' name.
    """

    library: str
    distribution: str
    versions: str
    rule: str
    title: str
    contradicts: str
    reproducer: str
    expected: str
    actual: str
    checks: tuple[str, ...] = ()
    when: tuple[Conditions, ...] = ()
    departs: tuple[str, ...] = ()
    note: str = ""
    processor: str = ""

    @property
    def label(self) -> str:
        """What tells it from other findings."""
        return f"{self.library} {self.rule or 'every rule'}: {self.title}"

    @property
    def unseen(self) -> bool:
        """Whether no check fails by it: it is declared, or the protocol cannot reach it."""
        return not self.checks

    @property
    def program(self) -> tuple[Path, list[str]]:
        """The reproducer's file, of the library or of several, and its arguments."""
        name, *arguments = shlex.split(self.reproducer)
        own = PEERS / self.library / "reproducers" / name
        return (own if own.exists() else PEERS / "reproducers" / name), arguments

    @property
    def command(self) -> str:
        """The command that runs the reproducer, from the folder that holds ``fast``."""
        file, arguments = self.program
        return shlex.join(["python", str(Path("fast/peers") / file.relative_to(PEERS)), *arguments])

    def concerns(self, version: str | None) -> bool:
        """Whether it was seen in this version of the library."""
        return version is not None and SpecifierSet(self.versions).contains(version)

    def reachable(self) -> bool:
        """Whether the library goes that way on this machine."""
        return not self.processor or self.processor in Path("/proc/cpuinfo").read_text().split()

    def explains(self, check: Json) -> bool:
        """Whether a certificate's failing check is this departure."""
        return check["id"] in self.checks and holds(self.when, check)


def load(file: Path) -> Iterator[Finding]:
    """The findings of a library. Raises ValueError that names file and title."""
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    shared = {key: document[key] for key in ("distribution", "versions")}
    common = {"library": file.parent.name, **shared}
    for entry in document["finding"]:
        try:
            for row in entry.get("each", [{}]):
                texts = {k: _filled(v, row) for k, v in entry.items() if k != "each"}
                yield _finding({**common, **texts}, document.get("sets", {}))
        except (KeyError, TypeError, ValueError, re.error) as error:
            raise ValueError(f"{file}: {entry.get('title')!r}: {error!r}") from error


def _filled(value: object, row: Json) -> object:
    """The value with each ``$name`` of the row filled in, in lists and tables too."""
    if isinstance(value, str) and value.startswith("$") and value[1:] in row:
        return row[value[1:]]
    if isinstance(value, str):
        return string.Template(value).substitute(row) if row else value
    if isinstance(value, list):
        return [_filled(item, row) for item in value]
    if isinstance(value, Mapping):
        return {key: _filled(item, row) for key, item in value.items()}
    return value


def _finding(entry: dict[str, object], sets: Mapping[str, list[str]]) -> Finding:
    if unknown := entry.keys() - {field.name for field in fields(Finding)}:
        raise ValueError(f"unknown: {sorted(unknown)}")
    listed, when = entry.pop("checks", []), entry.pop("when", None)
    departs = entry.pop("departs", [])
    if not isinstance(departs, list) or not all(len(str(x).split()) == 2 for x in departs):
        raise ValueError(f"departs is {departs!r}, not a list of 'field value'")
    if not isinstance(listed, list) or bool(listed) is (when is None):
        raise ValueError("checks, a list, and when belong together")
    ids = [name for item in listed for name in _expanded(item, str(entry["rule"]), sets)]
    if len(set(ids)) < len(ids) or any(set("*?[") & set(name) for name in ids):
        raise ValueError("checks are listed twice, or have a wildcard")
    texts = {key: str(value).strip() for key, value in entry.items()}
    SpecifierSet(texts["versions"])
    conditions = validated(when) if listed else ()
    return Finding(**texts, checks=tuple(ids), when=conditions, departs=tuple(departs))


def _expanded(item: object, rule: str, sets: Mapping[str, list[str]]) -> Iterator[str]:
    """The ids that an item of ``checks`` stands for."""
    if isinstance(item, str):
        yield item
        return
    table: dict[str, object] = {"kind": "optimizer", "rules": [rule], "variants": [""]}
    table |= item if isinstance(item, dict) else {"": item}
    if table.keys() != {"kind", "rules", "formats", "variants", "checks"}:
        raise ValueError(f"checks has {item!r}")
    listed = [table[key] for key in ("rules", "formats", "variants", "checks")]
    known = [sets[names] if isinstance(names, str) else cast(list[str], names) for names in listed]
    for parts in itertools.product([str(table["kind"])], *known):
        yield "/".join(part for part in parts if part)
