"""The page of a comparison: a table of each axis, and the fronts between loss and cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from truestep.fast.ours.bench import Row
from truestep.properties.costs.costs import SHAPE
from truestep.reports import numbers
from truestep.reports.certificate import Record
from truestep.reports.compare import tuning
from truestep.reports.compare.campaign import TRANSFORMER
from truestep.reports.compare.certified import Certified
from truestep.reports.compare.exact import BLOCK_SIZE, Exact
from truestep.reports.compare.learned import Learned
from truestep.reports.compare.pareto import front_tables
from truestep.reports.sheet import Cell, Section, Sheet, Table

NOT_EVIDENCE = "small problems, no evidence for large models"
_ABOUT = (
    "Every rule had the same number of runs of the same length: seven rates a decade apart and two "
    "beside the best of them, with one seed. What is shown is the loss at the end of the decay, "
    "of four fresh seeds at the best rate; all rules start from the same numbers and see the same "
    "batches. Linear warm-up over a tenth of the steps, then half a cosine to zero.",
    "A rank's interval holds for all rules together with 95 % confidence (Welch's test, Holm's "
    "procedure); where two intervals overlap, this comparison cannot tell the rules apart.",
    "Other hyperparameters are at the rule's defaults, and were not tuned.",
)
_CERTIFIED = {"pass": ("✓", "good"), "fail": ("✗", "bad"), "reference": ("definition", "")}
_NO_CELL = Cell("–")


@dataclass(frozen=True, slots=True)
class Compared:
    """All that is known of the rules. tokens: of a step of the transformer; 0 without it."""

    rules: Sequence[str]
    steps: Mapping[str, int]
    exact: Mapping[str, Exact]
    learned: Mapping[str, Mapping[str, Learned]]
    certified: Mapping[str, Certified] = field(default_factory=dict)
    times: Mapping[str, Row] = field(default_factory=dict)
    tokens: int = 0
    parameters: int = 0


def sheet(found: Compared) -> Sheet:
    """The whole page."""
    shown = TRANSFORMER if TRANSFORMER in found.learned else next(iter(found.learned), "")
    learned = [_learned_table(found, problem) for problem in found.learned]
    sections = [
        Section("Overview", [_overview(found, shown)]),
        Section("Learned", learned),
        Section("Loss by rate", [_rates_table(found, p) for p in found.learned]),
        Section("Counted", [_costs_table(found), _bytes_table(found), _text_table(found)]),
    ]
    if found.times:
        sections.append(Section("Timed", [_times_table(found)]))
    if shown:
        fronts = front_tables(found.rules, found.exact, shown, found.learned[shown])
        sections.insert(1, Section("Pareto fronts", fronts))
    headline = f"{len(found.rules)} rules compared on {NOT_EVIDENCE}"
    return Sheet("TrueStep compare", headline, (*_ABOUT, *_sizes(found)), sections)


def _sizes(found: Compared) -> Iterable[str]:
    if TRANSFORMER in found.steps:
        yield (
            f"transformer: {found.parameters} parameters, {found.steps[TRANSFORMER]} steps of "
            f"{found.tokens} words of a text drawn by Zipf's law, losses in nats on words held "
            "out. Of rules of matrices the model's other tensors are stepped by AdamW at the "
            "rate of the grid that is best for AdamW alone. Rules that estimate something over a "
            "whole model do so by tensor here."
        )
    if convex := [p for p in found.steps if p != TRANSFORMER]:
        yield (
            f"{', '.join(convex)}: 64 numbers as a matrix, {found.steps[convex[0]]} steps with "
            "noisy gradients; the loss is how far above the minimum the value is at the end."
        )


def _overview(found: Compared, problem: str) -> Table:
    of = found.learned.get(problem, {})
    order = _by_rank(found.rules, of)
    rows = [(rule, _overview_cells(found, rule, of.get(rule))) for rule in order]
    heads = (
        "loss", "rank", "diverged", "state numbers", "operations", "bytes moved", "of the roofline",
        "certified",
    )  # fmt: skip
    about = (
        f"Loss and rank: {problem}. State numbers, operations and bytes moved: for each parameter "
        f"of a matrix of {SHAPE[0]} x {SHAPE[1]}, float32. Of the roofline: the share of memory's "
        "own speed that a step of our kernel reaches. Certified: whether the kernel that made this "
        "row is known to compute the rule that it names."
    )
    notes = [(rule, found.certified[rule].told) for rule in order if rule in found.certified]
    return Table("All axes", about, "rule", heads, rows, notes, "What the certificates are")


def _overview_cells(found: Compared, rule: str, of: Learned | None) -> list[Cell]:
    costs = found.exact[rule].costs
    learned = [_NO_CELL] * 3
    if of is not None:
        learned = [_loss(of), Cell(_interval(of)), _share(of.diverged)]
    row = found.times.get(rule)
    verdict = found.certified.get(rule)
    text, tone = _CERTIFIED.get(verdict.verdict, ("?", "warn")) if verdict else ("–", "")
    return [
        *learned,
        Cell(f"{costs.state_numbers:.3g}"),
        Cell(_number(costs.operations_in_all)),
        Cell(f"{costs.moved():.3g}"),
        Cell(f"{row.median_ratio:.0%}") if row else _NO_CELL,
        Cell(text, tone),
    ]


def _learned_table(found: Compared, problem: str) -> Table:
    of = found.learned[problem]
    heads = ["loss", "spread of seeds", "rank", "of ranks", "best rate", "diverged"]
    curves = any(x.curve for x in of.values())
    if curves:
        heads.append("words to target")
    target = sorted(x.place.mean for x in of.values())
    middle = (target[(len(target) - 1) // 2] + target[len(target) // 2]) / 2
    rows = []
    for rule in _by_rank(found.rules, of):
        x = of[rule]
        cells = [
            _loss(x),
            Cell(f"{x.place.spread:.2g}"),
            Cell(str(x.place.rank)),
            Cell(_interval(x)),
            Cell(f"{x.rate:.3g}{' (edge)' if x.at_edge else ''}", "warn" if x.at_edge else ""),
            _share(x.diverged),
        ]
        if curves:
            reached = x.to_target
            cells.append(Cell(f"{reached * found.tokens:.3g}" if reached is not None else "never"))
        rows.append((rule, cells))
    about = "Diverged: the share of the grid's seven rates that end above the start, or nowhere."
    if curves:
        about += f" The target is the median rule's loss, {middle:.4g}."
    chart = _curves(problem, of, middle) if curves else None
    return Table(problem, about, "rule", heads, rows, chart=chart)


def _curves(problem: str, of: Mapping[str, Learned], target: float) -> Record:
    ranked = sorted((x for x in of.values() if x.curve), key=lambda x: x.place.rank)
    names = {id(x): rule for rule, x in of.items()}
    shown = [(ranked[0], "measured"), (ranked[-1], "control")] if len(ranked) > 1 else []
    steps = [step for step, _ in ranked[0].curve]
    heights = [[loss for _, loss in x.curve] for x in ranked]
    series: list[Record] = [
        {
            "label": "all rules", "x": steps, "role": "band",
            "low": [min(at) for at in zip(*heights, strict=True)],
            "high": [max(at) for at in zip(*heights, strict=True)],
        },
        {"label": "target", "x": [steps[0], steps[-1]], "y": [target] * 2, "role": "bound"},
    ]  # fmt: skip
    for x, role in shown:
        y = [loss for _, loss in x.curve]
        series.append({"label": names[id(x)], "x": steps, "y": y, "role": role})
    return {
        "label": f"{problem}: held-out loss by step", "x_label": "step", "y_label": "loss",
        "log_y": True, "series": series,
    }  # fmt: skip


def _rates_table(found: Compared, problem: str) -> Table:
    of = found.learned[problem]
    halves = sorted({half for x in of.values() for half in x.by_rate})
    rows = []
    for rule in _by_rank(found.rules, of):
        x = of[rule]
        cells = []
        for half in halves:
            if half not in x.by_rate:
                cells.append(Cell(""))
                continue
            loss = x.by_rate[half]
            tone = "bad" if loss is None else "good" if half == x.half else ""
            cells.append(Cell("diverged" if loss is None else f"{loss:.4g}", tone))
        rows.append((rule, cells))
    about = f"One run of seed {tuning.TUNING_SEED} at each rate; the best is marked."
    heads = [f"{10 ** (half / 2):.2g}" for half in halves]
    return Table(f"{problem}: by rate", about, "rule", heads, rows)


def _costs_table(found: Compared) -> Table:
    about = (
        "For each parameter, by the reference's own lines on arrays that count: a result of one "
        "function is an operation, of whatever class; a decomposition is what its textbook "
        "algorithm takes. Bytes moved are what a step cannot do without: every number that it "
        "reads, and every number that it leaves changed, once, in float32."
    )
    heads = ("operations", "by a divider", "of functions", "bytes moved", "operations a byte")
    rows = []
    for rule in found.rules:
        costs = found.exact[rule].costs
        cells = [costs.operations_in_all, costs.operations.get("divider", 0.0),
                 costs.operations.get("function", 0.0), costs.moved(),
                 costs.operations_in_all / costs.moved()]  # fmt: skip
        rows.append((rule, [Cell(_number(x)) for x in cells]))
    return Table("Operations and traffic", about, "rule", heads, rows)


def _bytes_table(found: Compared) -> Table:
    heads = tuple(next(iter(found.exact.values())).bytes)
    rows = [(rule, [Cell(f"{x:.3g}") for x in found.exact[rule].bytes.values()])
            for rule in found.rules]  # fmt: skip
    about = (
        "Bytes of state for each parameter: as it is, and with every state that is no place of a "
        f"parameter kept as codes: dynamic 8-bit in blocks of {BLOCK_SIZE}, and nf4, with their "
        "blocks' scales."
    )
    return Table("Memory", about, "rule", heads, rows)


def _text_table(found: Compared) -> Table:
    heads = ("lines", "hyperparameters", "choices", "branches", "of them by hyperparameters")
    rows = []
    for rule in found.rules:
        x = found.exact[rule].complexity
        cells = (x.lines, x.hyperparameters, x.choices, x.branches, x.by_choice)
        rows.append((rule, [Cell(str(n)) for n in cells]))
    about = (
        "Statements of a step and of all that it calls in the reference, with every choice on "
        "which libraries differ; conditions and loops among them."
    )
    return Table("Length of the text", about, "rule", heads, rows)


def _times_table(found: Compared) -> Table:
    heads = ("our step", "memory alone", "of the roofline", "over the rounds", "GB/s")
    rows = []
    for rule, row in found.times.items():
        cells = (
            f"{row.ours_ms:.3g} ms", f"{row.other_ms:.3g} ms", f"{row.median_ratio:.0%}",
            f"{row.low:.0%} to {row.high:.0%}", f"{row.bytes / row.ours_ms / 1e6:.3g}",
        )  # fmt: skip
        rows.append((rule, [Cell(text) for text in cells]))
    elements = next(iter(found.times.values())).elements
    about = (
        f"One tensor of {numbers.count(elements)} float32 numbers, in rounds that visit both. "
        "Rules of matrices, and of rows and columns, are not timed."
    )
    return Table("A step's time", about, "rule", heads, rows)


def _by_rank(rules: Sequence[str], of: Mapping[str, Learned]) -> list[str]:
    return sorted(rules, key=lambda rule: of[rule].place.rank) if of else list(rules)


def _loss(x: Learned) -> Cell:
    return Cell(f"{x.place.mean:.4g}")


def _interval(x: Learned) -> str:
    low, high = x.place.best, x.place.worst
    return str(low) if low == high else f"{low} to {high}"


def _number(x: float) -> str:
    """Whole numbers from a thousand on."""
    return numbers.count(round(x)) if x >= 1000 else f"{x:.4g}"


def _share(x: float) -> Cell:
    return Cell(f"{x:.0%}", "warn" if x >= 0.5 else "")
