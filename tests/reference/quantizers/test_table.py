"""Facts every quantizer's file obeys: the table, the docstring, the interface, validation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from truestep.reference import quantizers
from truestep.reference.quantizers import FORMATS, QUANTIZERS

HEADINGS = ["Rule", "Shapes", "Domain", "Choices", "Special cases", "Judged", "Sources"]
ALL = pytest.mark.parametrize("name", sorted(QUANTIZERS))


def test_table_lists_every_module_in_alphabetical_order() -> None:
    """A format's file without a line in QUANTIZERS, or a line without a file, is named here."""
    folder = Path(next(iter(quantizers.__path__)))
    files = sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")
    assert list(QUANTIZERS) == [*files, *sorted(FORMATS)]


@ALL
def test_docstring_has_the_seven_headings_in_order(name: str) -> None:
    """Rule, Shapes, Domain, Choices, Special cases, Judged, Sources; none left out."""
    found = re.findall(r"^([A-Z][a-z ]+)$", QUANTIZERS[name].__doc__ or "", re.MULTILINE)
    assert found == HEADINGS


@ALL
def test_dialects_are_the_literal_fields(name: str) -> None:
    """DIALECTS names each Literal field with exactly its values; others are refused by name."""
    module = QUANTIZERS[name]
    hints = get_type_hints(module.Hyper)
    literal = {f: set(get_args(hint)) for f, hint in hints.items() if get_origin(hint) is Literal}
    assert literal == {field: set(choices) for field, choices in module.DIALECTS.items()}
    for field in literal:
        with pytest.raises(ValueError, match=f"{field} must be one of"):
            module.Hyper(**{field: "nonsense"})


@ALL
def test_thresholds_lie_between_the_values(name: str) -> None:
    """One between any two neighbouring finite values; of casts, more where they overflow."""
    module = QUANTIZERS[name]
    h = module.Hyper()
    values = module.all_values(h)
    finite = np.unique(values[np.isfinite(values)])
    t = module.thresholds(h)
    if module.BLOCKS and np.any(np.signbit(values) & (values == 0)):
        t = t[t != 0]  # which lies between the two zeros
    if not getattr(module, "SIGNED", True):
        assert t[-1] == 1.5 * finite[-1]
        t = t[:-1]
    elif not module.BLOCKS:
        assert t[-1] == -t[0] == finite[-1] + (finite[-1] - finite[-2]) / 2
        t = t[1:-1]
    assert t.shape == (finite.size - 1,)
    assert ((finite[:-1] < t) & (t < finite[1:])).all()


@ALL
def test_inputs_are_not_written(name: str) -> None:
    """Read-only arrays are accepted, and what all_values returns may be changed freely."""
    module = QUANTIZERS[name]
    h = module.Hyper()
    x = np.linspace(-1, 1, 100)
    x.flags.writeable = False
    encoded = module.encode(h, x)
    parts = encoded if isinstance(encoded, tuple) else (encoded,)
    for part in parts:
        part.flags.writeable = False
    module.decode(h, *parts)
    values = module.all_values(h)
    values[:] = 0
    assert (module.all_values(h) != 0).any()
