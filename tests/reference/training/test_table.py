"""Facts every training-loop piece obeys: documentation, validation, and the table that lists it."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from truestep.reference import training
from truestep.reference.training import TRAINING

HEADINGS = ["Rule", "Shapes", "Domain", "Choices", "Special cases", "Judged", "Sources"]
ALL = pytest.mark.parametrize("name", sorted(TRAINING))


def _of_kind(name: str, kind: type) -> list[str]:
    """The fields of Hyper of that type."""
    return [f for f, hint in get_type_hints(TRAINING[name].Hyper).items() if hint is kind]


def test_table_lists_every_module_of_the_folder_in_alphabetical_order() -> None:
    """A file without a line in the table, or a line without a file, is named here."""
    folder = Path(next(iter(training.__path__)))
    files = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    assert list(TRAINING) == files
    for name, module in TRAINING.items():
        assert module.__name__.rpartition(".")[2] == name  # type: ignore[attr-defined]


@ALL
def test_docstring_has_the_seven_headings_in_order(name: str) -> None:
    """Each once, none empty."""
    lines = (TRAINING[name].__doc__ or "").splitlines()
    assert [line for line in lines if line in HEADINGS] == HEADINGS
    for heading in HEADINGS:
        assert re.match(r"    \S", lines[lines.index(heading) + 1]), heading


@ALL
def test_dialects_are_the_literal_fields_of_a_frozen_hyper(name: str) -> None:
    """DIALECTS names each Literal field with exactly its values; each default is one of them."""
    module = TRAINING[name]
    hints = get_type_hints(module.Hyper)
    literals = {f: set(get_args(hint)) for f, hint in hints.items() if get_origin(hint) is Literal}
    assert {field: set(values) for field, values in module.DIALECTS.items()} == literals
    assert list(module.DIALECTS) == sorted(module.DIALECTS)
    h = module.Hyper()
    for field, values in module.DIALECTS.items():
        assert getattr(h, field) in values
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(h, field, "other")
        with pytest.raises(ValueError, match=rf"{field}.*'sideways'"):
            module.Hyper(**{field: "sideways"})


@ALL
@pytest.mark.parametrize("wrong", ["0.1", None, True, [0.1]])
def test_a_hyperparameter_of_a_wrong_type_is_refused_with_its_value(name: str, wrong: Any) -> None:
    """TypeError naming the field, the value and its type; an integer field also refuses 1.5."""
    for field in _of_kind(name, float) + _of_kind(name, int):
        pattern = rf"{field}.*{re.escape(repr(wrong))}.*{type(wrong).__name__}"
        with pytest.raises(TypeError, match=pattern):
            TRAINING[name].Hyper(**{field: wrong})
    for field in _of_kind(name, int):
        with pytest.raises(TypeError, match=rf"{field}.*1\.5.*float"):
            TRAINING[name].Hyper(**{field: 1.5})


@ALL
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1.0])
def test_a_hyperparameter_out_of_range_is_refused_with_its_value(name: str, wrong: float) -> None:
    """ValueError naming the field and the value; none may be negative."""
    for field in _of_kind(name, float):
        with pytest.raises(ValueError, match=rf"{field}.*{re.escape(repr(wrong))}"):
            TRAINING[name].Hyper(**{field: wrong})
    for field in _of_kind(name, int):
        with pytest.raises(ValueError, match=rf"{field}.*-1"):
            TRAINING[name].Hyper(**{field: -1})
