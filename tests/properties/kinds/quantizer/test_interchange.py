"""What one implementation has stored is read by another bit for bit, or it is said where not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from truestep.properties.kinds.quantizer.interchange import matrix
from truestep.properties.museum.faults.blocks import PLANTED, made
from truestep.properties.museum.plant import Kernel


class Refuses(Kernel):
    """Reads nothing."""

    def decode(self, *_: Any) -> Any:
        """Raise."""
        raise OSError("no such device")


def test_right_implementations_read_one_another() -> None:
    """Themselves too, and formats that one of them alone has are left out."""
    found = list(matrix({"a": Kernel("nf4"), "b": Kernel("nf4"), "c": Kernel("mxfp4")}))
    ways = [(read.writer, read.reader) for read in found]
    assert ways == [("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]
    assert {(read.rule, read.differ, read.told) for read in found} == {("nf4", 0, "")}


def test_what_is_read_wrong_is_counted_and_shown() -> None:
    """By the reader that has the fault, whoever has written; what is not read at all too."""
    wrong = made("mxfp4", PLANTED["wrong_value"]).backend()
    found = {
        (read.writer, read.reader): read
        for read in matrix({"right": Kernel("mxfp4"), "wrong": wrong, "refuses": Refuses("mxfp4")})
    }
    assert found["right", "right"].differ == found["wrong", "right"].differ == 0
    seen = found["right", "wrong"]
    assert 0 < seen.differ < seen.elements
    assert seen.told.startswith("element [") and ", stored was " in seen.told
    refused = replace(found["right", "refuses"])
    assert refused.differ == -1
    assert "no such device" in refused.told
