"""Rules of one's own: how they come into the tables, and what is said of those that cannot."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from truestep.reference import own
from truestep.reference.own import BrokenRule
from truestep.reference.storages import STORAGES
from truestep.reference.tables import RULES

pytestmark = pytest.mark.usefixtures("own_rules")

HALVES = """
from truestep.reference.format_rows import Codebook, Row

ROW = Row("Three values", (-1.0, 0.0, 1.0), "absmax", Codebook)
"""
PLAIN = """
from truestep.reference import declared
from truestep.reference.declared import Rate
from truestep.reference.rules import Facts

FACTS = Facts(elementwise=True)
DIALECTS = {}


class Hyper(declared.Hyper):
    lr: Rate = 0.1


class State(declared.State):
    t: int


def init(h, p):
    return State(t=0)


def step(h, s, p, g):
    return State(t=s.t + 1), p - h.lr * g
"""


def written(folder: Path, name: str, text: str) -> str:
    """The file of that text."""
    path = folder / name
    path.write_text(text)
    return str(path)


def test_a_file_stands_in_the_table_of_its_kind(tmp_path: Path) -> None:
    """By its name, whatever its folder; a format joins what can keep an optimizer's state too."""
    names = own.load(written(tmp_path, "downhill.py", PLAIN), written(tmp_path, "three.py", HALVES))
    assert names == ["downhill", "three"]
    assert RULES["optimizer"]["downhill"].Hyper().lr == 0.1
    assert RULES["quantizer"]["three"] is STORAGES["three"]
    assert [spec for spec, _ in own.specs()] == [str(tmp_path / f"{name}.py") for name in names]


def test_another_process_loads_the_same_text(tmp_path: Path) -> None:
    """A file that has changed in between, as by the backend that it judges, is not executed."""
    own.load(written(tmp_path, "downhill.py", PLAIN))
    told = own.specs()
    own.OWN.clear()
    del RULES["optimizer"]["downhill"]  # type: ignore[attr-defined]
    own.load_same(told)
    assert own.specs() == told
    written(tmp_path, "downhill.py", "raise SystemExit('executed')")
    with pytest.raises(BrokenRule, match=r"downhill\.py: it has changed since the run began"):
        own.load_same(told)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("adam.py", PLAIN, "'adam' is the name of a rule of TrueStep's"),
        ("nothing.py", "x = 1", "it has none of step, value, encode, ROW"),
        ("row.py", "ROW = 3", "ROW must be a Row of format_rows, got 3"),
        ("thirds.py", HALVES.replace("0.0", "1 / 3"), "element 0.3333333333333333 of ROW is no"),
        ("two words.py", PLAIN, "'two words' is none for it"),
        ("typo.py", "x = (", r"SyntaxError: .*line 1"),
        ("leaves.py", "raise SystemExit(3)", "SystemExit: 3"),
        ("no_facts.py", PLAIN.replace("FACTS =", "OTHER ="), "no_facts declares no FACTS"),
        ("no_range.py", PLAIN.replace("lr: Rate", "lr: float"), r"Hyper\.lr declares no range"),
        ("choice.py", PLAIN.replace("DIALECTS = {}", 'DIALECTS = {"a": {}, "b": {"x": "y"}}'),
         r"DIALECTS and Hyper\.b do not agree"),
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused_in_one_line(
    tmp_path: Path, name: str, text: str, told: str
) -> None:
    """With the file, the value and what is due; the tables stay as they were."""
    before = {kind: set(rules) for kind, rules in RULES.items()}
    with pytest.raises(BrokenRule, match=told) as raised:
        own.load(written(tmp_path, name, text))
    assert name in str(raised.value) and "\n" not in str(raised.value)
    assert {kind: set(rules) for kind, rules in RULES.items()} == before and not own.OWN


@pytest.mark.parametrize(
    ("spec", "told"),
    [("gone.py", "no such file: .*gone.py"), ("gone.rule", "gone.rule: no module named 'gone'")],
)
def test_what_is_not_there_is_named(spec: str, told: str) -> None:
    """A file or a module."""
    with pytest.raises(BrokenRule, match=told):
        own.load(spec)


def test_one_file_is_one_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaded twice, or imported by a backend beside it; another file, or its next text, is none."""
    spec = written(tmp_path, "downhill.py", PLAIN)
    assert own.load(spec, spec) == ["downhill", "downhill"]
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "downhill", raising=False)
    import downhill  # type: ignore[import-not-found]

    assert own.added(downhill) == "downhill" and len(own.OWN) == 1
    (tmp_path / "other").mkdir()
    with pytest.raises(BrokenRule, match=r"the rule 'downhill' is .*downhill.py already"):
        own.load(written(tmp_path / "other", "downhill.py", PLAIN))
    written(tmp_path, "downhill.py", PLAIN + "\n")
    with pytest.raises(BrokenRule, match="it has changed since it was loaded"):
        own.load(spec)


def test_packages_offer_rules_that_are_loaded_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by its name, all for a list; what is broken costs a line where it is asked for."""
    written(tmp_path, "uphill.py", PLAIN)
    written(tmp_path, "broken_rule.py", "raise ValueError('out of order')")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        importlib.metadata.EntryPoint(name, module, own.ENTRY_POINT_GROUP)
        for name, module in (("uphill", "uphill"), ("broken_rule", "broken_rule"), ("a", "uphill"))
    ]
    monkeypatch.setattr(own, "entry_points", lambda group: points)
    own.find("adam")
    own.find("unknown")
    assert not own.OWN
    assert own.lacking(["adam", "uphill", "unknown"]) == ["unknown"]
    assert own.OWN["uphill"].spec == "uphill"
    told = own.found()
    assert len(told) == 2
    assert "broken_rule: loading it raised ValueError: out of order" in told[0]
    assert "the entry point 'a' names uphill, which is 'uphill'" in told[1]
