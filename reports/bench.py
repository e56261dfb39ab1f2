"""The benchmarks on the command line: ratios to memory traffic alone and to installed libraries."""

from __future__ import annotations

import dataclasses
from typing import Any

from truestep.reports import certificate as certificates
from truestep.reports import environment, terminal


def show(rounds: int, as_json: bool) -> int:
    """Measure and print every comparison; a contender that is missing is listed as not run."""
    from truestep.fast.ours import bench

    found: list[dict[str, Any]] = []
    for row in bench.rows(rounds):
        found.append(dataclasses.asdict(row))
        terminal.warn(f"{row.name}: {row.against}")
    if as_json:
        told = {**environment.environment(), **bench.environment()}
        document = {"environment": told, "rounds": rounds, "rows": found}
        print(certificates.dumps(certificates.plain(document)), end="")
        return 0
    lines = []
    for entry in found:
        if "reason" in entry:
            lines.append((entry["name"], entry["against"], "not run", entry["reason"]))
        else:
            spread = f"{entry['low']:.2f} to {entry['high']:.2f}"
            ratio = f"{entry['median_ratio']:.2f} times as long"
            lines.append((entry["name"], entry["against"], ratio, spread))
    terminal.show_table(("ours", "against", "the other takes (median)", "over the rounds"), lines)
    print(f"instruction set {bench.environment()['instruction_set']}, {rounds} interleaved rounds")
    return 0
