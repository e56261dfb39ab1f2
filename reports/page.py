"""The page: all that a report shows, worked out once from certificates.

HTML, Markdown and the terminal are functions of it alone; none of them reads a certificate, and
none has a notion of its own of what fails, how much was used, or what comes first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from truestep.properties.judge.results import CheckResult
from truestep.properties.kinds.schedule import robbins_monro
from truestep.reports import certificate, expiry, numbers, prose, verdicts
from truestep.reports.certificate import Certificate, Record
from truestep.reports.counterexample import Counterexample, Finding
from truestep.reports.explained import explained
from truestep.reports.groups import Gap, Group, anchor, fragment, gaps, groups_of
from truestep.reports.pictures import Picture, picture
from truestep.reports.verdicts import VERDICTS, Tally

# Order of the kinds on the page, with their headings; other kinds follow under their own name.
KINDS = {
    "optimizer": "Optimizers",
    "minimizer": "Rules that evaluate the function",
    "quantizer": "Quantizers",
    "schedule": "Schedules",
    "training": "Training loops",
    "life": "Objects with a life",
    "theorem": "Theorems",
}

# Backends side by side up to which every variant and format has a column of its own.
FEW = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule's groups over all backends."""

    kind: str
    name: str
    groups: Sequence[Group]
    tally: Tally
    picture: Picture | None

    @property
    def checked(self) -> list[tuple[str, str]]:
        """What its checks are: their names, with a sentence each where one is known."""
        names = dict.fromkeys(check.check for group in self.groups for check in group.checks)
        return [(name, told) for name in names if (told := explained(self.kind, name))]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the matrix. anchor: the group that decides it. description: for screen readers."""

    tally: Tally
    anchor: str
    description: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """One kind's table: rules down, (backend, variant and format) across.

    Of many backends each has one column, of label "". hidden: how many columns are left out because
    nothing in them was run.
    """

    kind: str
    title: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]
    hidden: int

    @property
    def backends(self) -> list[tuple[str, int]]:
        """Each backend with the number of columns it spans."""
        return [(name, len(list(found))) for name, found in groupby(c[0] for c in self.columns)]


@dataclass(frozen=True, slots=True)
class Instead:
    """What a kernel computes in the place of a rule, with the group that it was found in."""

    rule: str
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Backend:
    """One certificate: its verdict in plain words, and where it comes from.

    name: distinct on the page. broken: groups with a failure. computes: what failing rules compute
    instead, as far as that was found. simplest: the counterexample to read first, with its group.
    departures: what is known to depart from its definition where checks pass. run: the
    certificate's other members.
    """

    name: str
    sentence: str
    verdict: str
    tally: Tally
    broken: Sequence[Group]
    computes: Sequence[Instead]
    simplest: tuple[Counterexample, Group] | None
    findings: Sequence[Finding]
    departures: Sequence[str]
    gaps: Sequence[Gap]
    run: Record

    @property
    def anchor(self) -> str:
        """The fragment of its row on the scoreboard."""
        return f"backend-{fragment(self.name)}"


@dataclass(frozen=True, slots=True)
class Page:
    """All that a report shows.

    step_sizes: which of them satisfy the conditions of Robbins and Monro, each with a remark; empty
    where no schedule ran. many: whether there are too many backends for columns per variant.
    """

    headline: str
    backends: Sequence[Backend]
    matrices: Sequence[Matrix]
    rules: Sequence[Rule]
    findings: Sequence[Finding]
    step_sizes: Sequence[tuple[robbins_monro.Verdict, str]]
    many: bool

    @property
    def scoreboard(self) -> list[Backend]:
        """The backends, those that fail first, then those that are open."""
        order = ("fail", "error", "pass")
        return sorted(self.backends, key=lambda backend: order.index(backend.verdict))


def build(certificates: Sequence[Certificate], here: Record | None = None) -> Page:
    """The page that shows certificates side by side.

    here: suite and environment by which each is told to have expired or not.
    """
    names: list[str] = []
    for document in certificates:
        names.append(numbers.distinct(document["backend"]["name"], names, "{} ({})"))
    named = list(zip(names, certificates, strict=True))
    checks = {name: [certificate.result(c) for c in found["checks"]] for name, found in named}
    findings = _findings(named, checks)
    groups = [
        group
        for name, document in named
        for group in groups_of(name, document["backend"]["spec"], checks[name], findings)
    ]
    place = {name: index for index, name in enumerate(names)}
    groups.sort(key=lambda g: (kind_rank(g.kind), g.rule, place[g.backend], _column_rank(g.label)))
    members: dict[str, list[Group]] = {name: [] for name in names}
    for group in groups:
        members[group.backend].append(group)
    backends = [_backend(name, document, members[name], findings, here) for name, document in named]
    many = len(backends) > FEW
    schedules = any(group.kind == "schedule" and group.tally.ran for group in groups)
    return Page(
        headline=prose.headline([(b.sentence, b.verdict == "pass") for b in backends]),
        backends=backends,
        matrices=_matrices(groups, names, many=many),
        rules=[
            Rule(kind, name, members, _sum(members), picture(kind, name))
            for (kind, name), found in groupby(groups, key=lambda g: (g.kind, g.rule))
            for members in [list(found)]
        ],
        findings=findings,
        step_sizes=robbins_monro.table() if schedules else (),
        many=many,
    )


def _findings(
    named: Sequence[tuple[str, Certificate]], checks: Mapping[str, Sequence[CheckResult]]
) -> list[Finding]:
    shown = []
    for name, document in named:
        own = {check.id: check for check in checks[name]}
        for record in document["findings"]:
            links = [(id, anchor(name, own[id])) for id in record["checks"] if id in own]
            shown.append((name, record, links))
    # What fails on this page comes first.
    shown.sort(key=lambda item: not item[2])
    return [Finding(f"finding-{number}", *item) for number, item in enumerate(shown)]


def _backend(
    name: str,
    document: Certificate,
    own: Sequence[Group],
    findings: Sequence[Finding],
    here: Record | None,
) -> Backend:
    checks = sorted((check for group in own for check in group.checks), key=lambda c: c.id)
    departures = verdicts.departures(checks, document["findings"])
    broken = [group for group in own if group.failures]
    return Backend(
        name=name,
        sentence=prose.sentence(
            document["backend"],
            checks,
            complete=document["complete"],
            departures=len(departures),
            part=prose.shard(document),
            expired=expiry.expired(document, here) if here else (),
        ),
        verdict=document["verdict"],
        tally=_sum(own),
        broken=broken,
        computes=list(_instead(broken)),
        simplest=_simplest(broken),
        findings=[finding for finding in findings if finding.backend == name],
        departures=departures,
        gaps=gaps((check.id, check) for check in checks),
        run={key: item for key, item in document.items() if key not in ("checks", "findings")},
    )


def _instead(broken: Sequence[Group]) -> Iterator[Instead]:
    """A line for each rule and finding: the dialect or arithmetic, else the line that departs."""
    told = set()
    for group in broken:
        found = [f.check.identified for f in group.failures if f.check.identified]
        found = found or [f.departs for f in group.failures if f.departs]
        if found and (group.rule, found[0]) not in told:
            told.add((group.rule, found[0]))
            yield Instead(group.rule, found[0], group.anchor)


def _simplest(broken: Sequence[Group]) -> tuple[Counterexample, Group] | None:
    pairs = [(shown, group) for group in broken for shown in group.failures]
    return min(pairs, key=lambda pair: pair[0].order, default=None)


def _matrices(groups: Sequence[Group], names: Sequence[str], *, many: bool) -> list[Matrix]:
    """One matrix per kind, in the order of ``KINDS``."""
    tables = []
    for kind, of_kind in groupby(groups, key=lambda group: group.kind):
        members: dict[tuple[str, tuple[str, str]], list[Group]] = {}
        for group in of_kind:
            place = (group.rule, (group.backend, "" if many else group.label))
            members.setdefault(place, []).append(group)
        cells = {place: _cell(place[1][1], found) for place, found in members.items()}
        # Groups come sorted by rule first; the columns of one backend must stay together.
        across = sorted(
            {column for _, column in cells}, key=lambda c: (names.index(c[0]), _column_rank(c[1]))
        )
        ran = {column for (_, column), cell in cells.items() if cell.tally.ran}
        backends = {backend for backend, _ in ran}
        # A library may have dozens of variants that a level leaves out; the page lists them below.
        shown = [column for column in across if column in ran or column[0] not in backends]
        rules = dict.fromkeys(rule for rule, _ in cells)
        rows = [(rule, [cells.get((rule, column)) for column in shown]) for rule in rules]
        tables.append(Matrix(kind, title(kind), shown, rows, len(across) - len(shown)))
    return tables


def _cell(label: str, groups: Sequence[Group]) -> Cell:
    """One cell for the groups of one place, which leads to the first that decides for it."""
    whole, first = _sum(groups), groups[0]
    used = whole.utilisation
    return Cell(
        tally=whole,
        anchor=next(g.anchor for g in groups if g.tally.verdict == whole.verdict),
        description=(
            f"{', '.join(filter(None, (first.backend, first.rule, label)))}: "
            f"{VERDICTS[whole.verdict].word}"
            f"{'' if used is None else f', utilisation {numbers.utilisation(used)}'}, "
            f"{whole.passed} of {numbers.plural(whole.checks, 'check')} pass"
        ),
    )


def _sum(groups: Sequence[Group]) -> Tally:
    return verdicts.tally(check for group in groups for check in group.checks)


def title(kind: str) -> str:
    """The heading of a kind."""
    return KINDS.get(kind, kind.capitalize())


def kind_rank(kind: str) -> tuple[int, str]:
    """Where a kind stands on the page."""
    return (list(KINDS).index(kind) if kind in KINDS else len(KINDS), kind)


def _column_rank(label: str) -> tuple[bool, bool, str]:
    # float32 and the plain variant first: that is what most readers look for.
    return (not label.endswith("float32"), " " in label, label)
