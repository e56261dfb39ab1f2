"""Pages of tables: the atlas and interchange, from one view in every form."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from truestep.fast.protocol import OptimizerCapability, QuantizerCapability, Storage
from truestep.properties.kinds.quantizer.interchange import Read
from truestep.reports import atlas, interchange
from truestep.reports.html import html
from truestep.reports.markdown import markdown

Call = Callable[..., tuple[int, str, str]]

DECLARED = {
    "one": [
        OptimizerCapability(rule="adamw", variant="foreach"),
        OptimizerCapability(rule="adamw", variant="single", fixed={"eps": 1e-8}),
        OptimizerCapability(rule="adamw", format="bfloat16", arithmetic="bfloat16"),
    ],
    "two": [
        OptimizerCapability(
            rule="adamw",
            dialect={"decay": "after"},
            fixed={"eps": (1e-8, 1e-6)},
            storage={"m": Storage("dynamic_8bit", {"block_size": 256})},
        ),
        QuantizerCapability(rule="mxfp4"),
    ],
}
READS = [
    Read("nf4", "one", "one", 4096, 0),
    Read("nf4", "one", "<two>", 4096, 12, "element [3], code 2, is 1.0, stored was 1.5"),
    Read("nf4", "<two>", "one", 4096, -1, "the backend raised OSError"),
    Read("nf4", "<two>", "<two>", 4096, 0),
]


def test_forms_that_differ_in_format_and_variant_alone_are_one() -> None:
    """What else differs makes a form of its own: choices, stored states, what is held fixed."""
    found = [form for form in atlas.forms(DECLARED) if form.rule == "adamw"]
    told = [(form.library, form.variants, form.formats, form.arithmetics) for form in found]
    assert told == [
        ("one", ["foreach", ""], ["float32", "bfloat16"], ["ieee_float32", "bfloat16"]),
        ("one", ["single"], ["float32"], ["ieee_float32"]),
        ("two", [""], ["float32"], ["ieee_float32"]),
    ]
    assert [form.departs for form in found] == [[], [], ["decay"]]
    assert found[2].storage == {"m": "dynamic_8bit (block_size=256)"}


def test_the_atlas_marks_what_departs_and_names_the_rest() -> None:
    """A column for each choice that somebody makes otherwise; its meaning below the table."""
    page = atlas.sheet(DECLARED)
    assert page.headline == "2 rules in 2 backends: 1 in more than one form."
    [adamw] = page.sections[0].tables
    assert list(adamw.columns) == ["decay", "formats", "arithmetics"]
    assert [cells[0].tone for _, cells in adamw.rows] == ["", "", "warn"]
    assert adamw.about.startswith("Like the paper in all of these: ") and "decay" not in adamw.about
    assert ("two holds", "eps=1e-08 or 1e-06") in adamw.notes
    assert [told.endswith("(the paper's)") for term, told in adamw.notes[:2]] == [True, False]
    assert "**after**" in markdown(page) and '<td class="warn">after</td>' in html(page)
    arithmetics, storages = page.sections[-1].tables
    assert [head for head, _ in arithmetics.rows] == ["bfloat16", "ieee_float32"]
    assert [head for head, _ in storages.rows] == ["two, adamw"]


def test_the_matrix_has_every_way_and_the_first_difference_of_each() -> None:
    """Rows wrote, columns read; what is wrong or refused is told below."""
    page = interchange.sheet(READS)
    assert (
        page.headline == "Of 1 format that several libraries have, 0 are read alike by all of them."
    )
    [table] = page.sections[0].tables
    assert list(table.columns) == ["one", "<two>"]
    assert [[cell.text for cell in cells] for _, cells in table.rows] == [
        ["✓", "✗ 12 of 4\u202f096"],
        ["– refused", "✓"],
    ]
    assert [told for _, told in table.notes] == [READS[1].told, READS[2].told]
    shown = html(page)
    assert "&lt;two&gt;" in shown and "<two>" not in shown and "code 2, is 1.0" in shown
    assert "\\[3\\], code 2" in markdown(page)


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries in this process, by their names."""

    class Fake:
        def __init__(self, name: str) -> None:
            self.name = name

        def capabilities(self) -> Any:
            return DECLARED[self.name]

        def close(self) -> None:
            pass

    monkeypatch.setattr("truestep.reports.libraries.started", Fake)


def test_the_atlas_is_written_in_both_forms_or_printed(truestep: Call, libraries: None) -> None:
    """Status 0; the path of the page, or a list of forms."""
    status, out, _ = truestep("atlas", "one", "two", "--out", "o")
    assert status == 0 and Path(out.strip()) == Path("o/atlas.html").resolve()
    assert sorted(p.name for p in Path("o").iterdir()) == ["atlas.html", "atlas.md"]
    status, out, _ = truestep("atlas", "one", "--json")
    assert status == 0 and [form["rule"] for form in json.loads(out)] == ["adamw", "adamw"]


def test_interchange_is_shown_or_written_and_fails_where_something_is_read_wrong(
    truestep: Call, libraries: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 1; the tables on the terminal, or the path of the page."""
    monkeypatch.setattr(interchange, "matrix", lambda _: READS)
    status, out, _ = truestep("interchange", "one", "two")
    assert status == 1 and "<two> of one: element [3], code 2" in out
    status, out, _ = truestep("interchange", "one", "two", "--out", "o")
    assert status == 1 and Path(out.strip()) == Path("o/interchange.html").resolve()
    monkeypatch.setattr(interchange, "matrix", lambda _: READS[:1])
    assert truestep("interchange", "one", "--json")[0] == 0
