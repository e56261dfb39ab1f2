"""The atlas: in which form every library at hand computes each rule, and where that departs."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from truestep.fast.protocol import Capability, Fixed, Number, OptimizerCapability, Storage
from truestep.properties.arithmetic.profiles import PROFILES, Arithmetic, arithmetic_of
from truestep.reference.tables import RULES
from truestep.reports import certificate, files, libraries, numbers, page, terminal
from truestep.reports.sheet import Cell, Section, Sheet, Table

Item = TypeVar("Item")

_ABOUT = (
    "A row is one form in which a library computes the rule, a column a choice on which libraries "
    "differ. Bold is what departs from the form of the paper; choices that nobody makes otherwise "
    "are named above their table.",
    "Everything here is what the adapters declare, and so what certificates judge.",
)


@dataclass(frozen=True, slots=True)
class Form:
    """One form in which a library computes a rule.

    dialect: every choice, the paper's where none is declared; departs: those that are not the
    paper's. variants: the implementations that compute it so, "" for a library's only one.
    storage: of state tensors that are kept as codes, the format. fixed: hyperparameters that it
    cannot vary, at the values that one or another variant holds.
    """

    kind: str
    rule: str
    library: str
    variants: Sequence[str]
    formats: Sequence[str]
    arithmetics: Sequence[str]
    dialect: Mapping[str, str]
    departs: Sequence[str]
    storage: Mapping[str, str]
    fixed: Mapping[str, tuple[Number, ...]]


def show(specs: Sequence[str], out: Path, as_json: bool) -> int:
    """Write the atlas of these libraries, or of all that are installed, or print its forms."""
    declared: dict[str, Sequence[Capability]] = {}
    for name in libraries.chosen(specs):
        if backend := libraries.started(name):
            declared[name] = backend.capabilities()
            backend.close()
    if as_json:
        found = [asdict(form) for form in forms(declared)]
        print(certificate.dumps(certificate.plain(found)), end="")
    else:
        terminal.show_path(files.write_report(sheet(declared), out, "atlas"))
    return 0


def forms(declared: Mapping[str, Sequence[Capability]]) -> list[Form]:
    """The forms of every library, those first that are looked for first on a report."""
    merged: dict[tuple[str, ...], Form] = {}
    for library, capabilities in declared.items():
        for capability in capabilities:
            form = _form(library, capability)
            told = (repr(x) for x in (form.dialect, form.storage, sorted(form.fixed)))
            key = (form.kind, form.rule, library, *told)
            seen = merged.get(key)
            merged[key] = form if seen is None else _both(seen, form)
    return sorted(merged.values(), key=lambda f: (page.kind_rank(f.kind), f.rule, f.library))


def _form(library: str, capability: Capability) -> Form:
    rule = RULES[capability.kind][capability.rule]
    paper = {field: getattr(rule.Hyper(), field) for field in rule.DIALECTS}
    storage = capability.storage if isinstance(capability, OptimizerCapability) else {}
    return Form(
        kind=capability.kind,
        rule=capability.rule,
        library=library,
        variants=[capability.variant],
        formats=[capability.format],
        arithmetics=[arithmetic_of(capability.arithmetic).name],
        dialect={**paper, **capability.dialect},
        departs=[field for field, x in capability.dialect.items() if x != paper[field]],
        storage={name: _kept(each) for name, each in storage.items()},
        fixed={name: _values(x) for name, x in capability.fixed.items()},
    )


def _both(one: Form, other: Form) -> Form:
    return dataclasses.replace(
        one,
        variants=_union(one.variants, other.variants),
        formats=_union(one.formats, other.formats),
        arithmetics=_union(one.arithmetics, other.arithmetics),
        fixed={x: tuple(_union(one.fixed[x], other.fixed[x])) for x in one.fixed},
    )


def _union(one: Sequence[Item], other: Sequence[Item]) -> list[Item]:
    return list(dict.fromkeys([*one, *other]))


def _kept(storage: Storage) -> str:
    told = _fields(storage.hyper)
    return f"{storage.quantizer} ({told})" if told else storage.quantizer


def _fields(held: Mapping[str, Fixed]) -> str:
    return ", ".join(f"{name}={' or '.join(map(str, _values(x)))}" for name, x in held.items())


def _values(given: Fixed) -> tuple[Number, ...]:
    return given if isinstance(given, tuple) else (given,)


def sheet(declared: Mapping[str, Sequence[Capability]]) -> Sheet:
    """The page: a table for every rule, then how libraries compute and what they keep as codes."""
    found = forms(declared)
    by_rule: dict[tuple[str, str], list[Form]] = {}
    for form in found:
        by_rule.setdefault((form.kind, form.rule), []).append(form)
    several = sum(len({repr(form.dialect) for form in of}) > 1 for of in by_rule.values())
    headline = (
        f"{numbers.plural(len(by_rule), 'rule')} in "
        f"{numbers.plural(len(declared), 'backend')}: {several} in more than one form."
    )
    sections = [
        Section(page.title(kind), [_table(of) for (k, _), of in by_rule.items() if k == kind])
        for kind in dict.fromkeys(kind for kind, _ in by_rule)
    ]
    rounding = [_arithmetics(declared), *_storages(found)]
    return Sheet("TrueStep atlas", headline, _ABOUT, [*sections, Section("Numbers", rounding)])


def _table(of: Sequence[Form]) -> Table:
    rule = RULES[of[0].kind][of[0].rule]
    shown = [field for field in rule.DIALECTS if any(field in form.departs for form in of)]
    alike = [field for field in rule.DIALECTS if field not in shown]
    columns = [*shown, "formats", "arithmetics"]
    rows = [
        (
            _named(form),
            [
                *(Cell(form.dialect[x], "warn" if x in form.departs else "") for x in shown),
                Cell(", ".join(form.formats)),
                Cell(", ".join(form.arithmetics)),
            ],
        )
        for form in of
    ]
    about = f"Like the paper in all of these: {', '.join(alike)}." if alike else ""
    held = [(f"{_named(form)} holds", _fields(form.fixed)) for form in of if form.fixed]
    notes = [*_meanings(of, shown), *held]
    return Table(of[0].rule, about, "library", columns, rows, notes, "What the choices mean")


def _meanings(of: Sequence[Form], shown: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What the values of each choice mean, the paper's first."""
    rule = RULES[of[0].kind][of[0].rule]
    for field in shown:
        paper = getattr(rule.Hyper(), field)
        for value in dict.fromkeys((paper, *sorted(form.dialect[field] for form in of))):
            own = " (the paper's)" if value == paper else ""
            yield f"{field} {value}", f"{rule.DIALECTS[field][value]}{own}"


def _named(form: Form) -> str:
    variants = ", ".join(filter(None, form.variants))
    return f"{form.library}: {variants}" if variants else form.library


def _arithmetics(declared: Mapping[str, Sequence[Capability]]) -> Table:
    """Who computes in which arithmetic, and what each says beyond float32."""
    plain = asdict(PROFILES["ieee_float32"])
    used: dict[str, tuple[Arithmetic, dict[str, None]]] = {}
    for library, capabilities in declared.items():
        for capability in capabilities:
            arithmetic = arithmetic_of(capability.arithmetic)
            used.setdefault(arithmetic.name, (arithmetic, {}))[1][library] = None
    rows = []
    for name, (arithmetic, by) in sorted(used.items()):
        fields = {f: x for f, x in asdict(arithmetic).items() if f != "name" and x != plain[f]}
        said = "; ".join(f"{f} {_told(x)}" for f, x in fields.items())
        rows.append((name, [Cell(said or "float32, rounded to nearest"), Cell(", ".join(by))]))
    columns = ["beyond float32, rounded to nearest", "libraries"]
    return Table("Arithmetics", "", "arithmetic", columns, rows)


def _told(value: object) -> str:
    return _fields(value) if isinstance(value, Mapping) else str(value)


def _storages(found: Sequence[Form]) -> Iterator[Table]:
    """Which states are kept as codes, and in which format."""
    rows = [
        (f"{_named(form)}, {form.rule}", [Cell(state), Cell(kept)])
        for form in found
        for state, kept in form.storage.items()
    ]
    if rows:
        yield Table("States kept as codes", "", "library, rule", ["state", "format"], rows)
