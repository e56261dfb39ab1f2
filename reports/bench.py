"""The benchmarks on the command line: ratios to memory traffic alone and to installed libraries."""

import dataclasses

from truestep.fast.ours import bench
from truestep.reports import certificate, environment, terminal
from truestep.reports.certificate import Record


def show(rounds: int, as_json: bool) -> int:
    """Measure and print every comparison; a contender that is missing is listed as not run."""
    found: list[Record] = []
    for row in bench.rows(rounds):
        found.append(dataclasses.asdict(row))
        terminal.warn(f"{row.name}: {row.against}")
    told = bench.environment()
    if as_json:
        where = {**environment.environment(), **told}
        document = {"environment": where, "rounds": rounds, "rows": found}
        print(certificate.dumps(certificate.plain(document)), end="")
        return 0
    heads = ("ours", "against", "the other takes (median)", "over the rounds")
    terminal.show_table(heads, [(row["name"], row["against"], *_ratio(row)) for row in found])
    print(f"instruction set {told['instruction_set']}, {rounds} interleaved rounds")
    return 0


def _ratio(row: Record) -> tuple[str, str]:
    if "reason" in row:
        return "not run", row["reason"]
    return f"{row['median_ratio']:.2f} times as long", f"{row['low']:.2f} to {row['high']:.2f}"
