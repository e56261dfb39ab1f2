"""What is found of libraries' optimizers without an adapter, beside what our adapters declare.

`python -m truestep.reports.unadapted [LIBRARY...]` wraps every optimizer that has a row in one of
our adapters: as it is made by default, and with each row's arguments of the constructor. Nothing
else of a row is used. Some that have no row compute a rule of ours, and are wrapped too. A line
says what was found, and whether it is what a row declares: "row", or "form" where rule or dialect
is another one and its steps pass all the same, "wrong" where they do not, and "refused" where
nothing agrees.
"""

import importlib
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from truestep.fast.discovery import BrokenBackend, check
from truestep.fast.peers.torch_like import Row
from truestep.properties.run import plan, rounding
from truestep.reference.optimizers import OPTIMIZERS

Options = Mapping[str, object]

# What a constructor cannot do without, or is another optimizer without.
NEEDED: Mapping[str, Options] = {
    "AdaMuon": {"use_muon": True},
    "GaLore": {"projection_type": "std", "rank": 2, "scale": 0.25, "update_proj_gap": 200},
    "Muon": {"use_muon": True},
    "MuonClip": {"use_muon": True},
    "NorMuon": {"use_muon": True},
}
# Optimizers that have no row and compute a rule of ours, made so.
WITHOUT_ROWS: Mapping[str, Mapping[str, Options]] = {
    "pytorch_optimizer": {
        "AdamS": {"weight_decay": 0.0},
        "AdamWSN": {},
        "Fira": {},
        "GrokFastAdamW": {"grokfast": False},
        "PAdam": {"partial": 0.5},
        "ScheduleFreeRAdam": {},
    },
    "torch": {},
}
LIBRARIES = {
    "pytorch_optimizer": ("pytorch_optimizer", "pytorch_optimizer.rows"),
    "torch": ("torch.optim", "torch.rows"),
}
# Cases of a check that a form which no row has must pass.
_CHECK = "lockstep"


@dataclass(frozen=True, slots=True)
class Line:
    """What was found of one optimizer, made with these options."""

    optimizer: str
    options: Options
    verdict: str
    told: str

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"{self.verdict:8}{self.optimizer}({given}): {self.told}"


def lines(library: str, only: str = "") -> Iterator[Line]:
    """Every optimizer of a library that has a row, with each row's options, and of those without.

    only: this one.
    """
    module, table = LIBRARIES[library]
    rows = importlib.import_module(f"truestep.fast.peers.{table}").ROWS
    home = importlib.import_module(module)
    others = WITHOUT_ROWS[library]
    for name in sorted({*(row.optimizer for row in rows), *others}):
        make = getattr(home, name, None)
        if isinstance(make, type) and name.startswith(only):
            own = [row for row in rows if row.optimizer == name]
            for options in [others[name]] if name in others else _options(name, own):
                yield _line(name, make, options, own)


def _options(name: str, rows: list[Row]) -> list[Options]:
    """As it is made by default, and with each row's arguments."""
    found: list[Options] = []
    needed = NEEDED.get(name, {})
    for options in ({}, *(row.options for row in rows)):
        # A number of the rule that a row sets for its constructor is no option.
        if (each := {**needed, **options}) not in found and "momentum" not in each:
            found.append(each)
    return found


def _line(name: str, make: Any, options: Options, rows: list[Row]) -> Line:
    from truestep.fast.wrapped.torch_backend import wrapped

    try:
        backend = check(wrapped(make, None, None, options), name)
        told = rounding.told(backend)
    except BrokenBackend as error:
        return Line(name, options, "refused", str(error))
    [capability] = rounding.settled(backend)
    if any(_same(row, capability) for row in rows):
        return Line(name, options, "row", told)
    checks = [each for each in plan.checks_of(backend) if each.name == _CHECK]
    verdicts = {plan.run_check(backend, c, level="smoke", seed=0).verdict for c in checks}
    return Line(name, options, "form" if verdicts == {"pass"} else "wrong", told)


def _same(row: Row, capability: Any) -> bool:
    """Whether rule, dialect and arithmetic are those of a row."""
    if row.rule != capability.rule:
        return False
    own = OPTIMIZERS[row.rule].Hyper()
    choices = OPTIMIZERS[row.rule].DIALECTS
    forms = [
        {name: dialect.get(name, getattr(own, name)) for name in choices}
        for dialect in (row.dialect, capability.dialect)
    ]
    return forms[0] == forms[1] and capability.arithmetic in row.arithmetic.values()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for each in sys.argv[1:] or LIBRARIES:
        chosen, _, optimizer = each.partition(".")
        for line in lines(chosen, optimizer):
            print(line, flush=True)
