"""A format with scales by groups is added by one row: it is judged, and its faults are found."""

from __future__ import annotations

import dataclasses

import pytest

from truestep.properties.museum.faults.blocks import PLANTED, made
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference import tables
from truestep.reference.block_formats import BlockFormat
from truestep.reference.format_rows import ROWS, Codebook, Row
from truestep.reference.quantizers import QUANTIZERS

# Five values of either sign and zero.
ROW = Row(
    "Sixths, for blocks", (-1.0, -0.75, -0.5, -0.25, -0.1, 0.0, 0.1, 0.25, 0.5, 0.75, 1.0),
    "absmax", Codebook,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROWS, "sixths", ROW)
    monkeypatch.setitem(QUANTIZERS, "sixths", BlockFormat("sixths", ROW))
    assert "sixths" in tables.RULES["quantizer"]


def test_its_right_kernel_passes() -> None:
    """Every check, with nothing written for it."""
    kernel = Kernel("sixths")
    found = {
        check.name: run_check(kernel, check, level="standard", seed=0)
        for check in checks_of(kernel)
    }
    assert {"all_codes", "every_code", "strata", "thresholds"} < found.keys()
    assert {result.verdict for result in found.values()} == {"pass"}


@pytest.mark.parametrize("name", ["missing_value", "ties_away", "truncated", "wrong_value"])
def test_its_faults_are_found(name: str) -> None:
    """Those that are planted in every format."""
    kernel = made("sixths", PLANTED[name]).backend()
    verdicts = {
        run_check(kernel, c, level="standard", seed=0, told=False).verdict
        for c in checks_of(kernel)
    }
    assert "fail" in verdicts


def test_a_row_is_data() -> None:
    """Another block or scale is another row, and nothing else."""
    longer = BlockFormat("longer", dataclasses.replace(ROW, block=48))
    assert longer.groups(longer.Hyper(), (100,)) == 3
