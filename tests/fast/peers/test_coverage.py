"""Which optimizers of a library have a row: counted from the library and from the tables."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed")

from truestep.fast.peers import coverage
from truestep.fast.peers.coverage import LIBRARIES, covered, told


def test_every_optimizer_of_torch_has_a_row() -> None:
    """Those in the tables, and L-BFGS, which is judged as a minimizer."""
    have, lack = covered(LIBRARIES["torch"])
    assert lack == []
    assert {"Adadelta", "LBFGS", "Muon", "Rprop", "SGD", "SparseAdam"} <= set(have)
    assert told("torch") == f"torch: {len(have)} of {len(have)} optimizers have a row"


def test_a_row_that_is_taken_away_leaves_a_name_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """The count follows the tables, and the line says which name lacks."""
    from truestep.fast.peers.torch import rows

    kept = tuple(row for row in rows.ROWS if row.optimizer != "Rprop")
    monkeypatch.setattr(rows, "ROWS", kept)
    have, lack = covered(LIBRARIES["torch"])
    assert lack == ["Rprop"] and "Rprop" not in have
    assert told("torch").endswith("optimizers have a row; without: Rprop")


def test_schedules_are_counted_too() -> None:
    """Those of torch, of which one that a metric drives is judged as a piece of training."""
    have, lack = covered(LIBRARIES["torch.optim.lr_scheduler"])
    assert {"CosineAnnealingLR", "ReduceLROnPlateau", "SequentialLR"} <= set(have)
    assert lack == []
    assert "15 of 15 schedules have a row" in told("torch.optim.lr_scheduler")


@pytest.mark.parametrize(
    "name", [x for x, library in LIBRARIES.items() if library.what != "optimizers"]
)
def test_every_name_in_a_table_is_a_schedule_of_its_library(name: str) -> None:
    """No row is of what the library does not have."""
    library = LIBRARIES[name]
    # Not imported first: Keras takes its backend from the environment.
    if importlib.util.find_spec(library.module.partition(".")[0]) is None:
        pytest.skip("it is not installed")
    have, lack = covered(library)
    [[home, table]] = library.rows
    rows = getattr(importlib.import_module(f"truestep.fast.peers.{home}"), table)
    named = {getattr(row, "schedule", "") or row.scheduler for row in rows}
    assert named == {*have} - {*library.beside}
    assert not {*have} & {*lack}


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_library_that_is_not_installed_is_told_as_such(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither counted nor an error."""

    def absent(*_: Any) -> None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", absent)
    assert coverage.told(name) == f"{name}: not installed"
