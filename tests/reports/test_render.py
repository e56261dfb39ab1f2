"""One report in each of its four forms.

Over 300 lines, for that is one table of cases after another.
"""

from __future__ import annotations

import ast
import base64
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from truestep.fast.peers.findings import Finding
from truestep.reports import counterexample, findings, pictures, plots
from truestep.reports import page as pages
from truestep.reports.html import html
from truestep.reports.markdown import markdown

VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """Collects what the tests ask about, and checks that tags nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[tuple[str, str]] = []
        self.unlabelled: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "a":
            self.links.append(values["href"])
        for name in ("src", "srcset", "href", "xlink:href", "data", "action", "poster"):
            if name in values and tag != "a":
                self.loads.append((tag, values[name]))
        if values.get("role") == "img" and not values.get("aria-label"):
            self.unlabelled.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, (tag, self.open[-4:], self.getpos())
        self.open.pop()


FINDING = {
    "library": "torch",
    "versions": "1 to 2",
    "rule": "lion",
    "title": "Lion <decays> after the step",
    "contradicts": "Chen et al., https://example.org/paper",
    "reproducer": "print('<script>')",
    "expected": "a",
    "actual": "b",
    "checks": ["optimizer/lion/float32/lockstep"],
}


@pytest.fixture(scope="module")
def results(fakes: Any) -> list[Any]:
    """A realistic number of results with failures."""
    return list(fakes.large(1, faults=True))


@pytest.fixture(scope="module")
def page(make: Callable[..., Any], results: list[Any]) -> str:
    """Two backends side by side, one with a finding."""
    documents = [make(results, spec="cpu"), make(results, spec="torch", findings=[FINDING])]
    return html(pages.build(documents))


@pytest.fixture(scope="module")
def parsed(page: str) -> Page:
    """The page, parsed."""
    return Page(page)


def test_page_loads_nothing(page: str, parsed: Page) -> None:
    """No element, style or script refers to anything outside the page."""
    assert parsed.loads == [("link", "data:,")]
    assert all(link.startswith("#") for link in parsed.links)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttp|import\(", page)
    assert "default-src 'none'" in page


def test_links_lead_somewhere_and_ids_are_unique(parsed: Page) -> None:
    """Every cell of the matrix leads to its section."""
    assert len(parsed.links) > 100
    assert {link[1:] for link in parsed.links} <= set(parsed.ids)
    assert [name for name, number in Counter(parsed.ids).items() if number > 1] == []


def test_pictures_have_labels(page: str, parsed: Page) -> None:
    """A screen reader hears what a picture shows."""
    hidden = '<span class="visually-hidden">torch, lion, float32: fails'
    assert parsed.unlabelled == [] and hidden in page


def test_both_colour_schemes_and_phones_are_served(page: str) -> None:
    """Dark is the reader's choice; a phone gets its own width."""
    assert "prefers-color-scheme: dark" in page and "width=device-width" in page


def test_text_from_outside_is_escaped(make: Callable[..., Any], fakes: Any) -> None:
    """Messages, names and findings cannot inject markup, in either format."""
    evil = "</pre><script>alert(1)</script>|`x`"
    results = [fakes.result(rule=evil, verdict="fail", message=evil, identified=evil, variant=evil)]
    document = make(results, spec=evil, findings=[{**FINDING, "title": evil}])
    built = pages.build([document])
    text = html(built)
    Page(text)
    assert text.count("<script>") == 1 and "alert(1)" in text
    outside_code = re.sub(r"(?s)```+text.*?```+|`[^`\n]*`", "", markdown(built))
    assert "alert" in outside_code and "<script>" not in outside_code


def test_failure_shows_numbers_in_hex_and_a_program(page: str, fakes: Any) -> None:
    """got, oracle and bound in decimal and hex, and a snippet that Python accepts."""
    assert "0x1.999999999999ap-4" in page and "0.10000000000000003" in page
    assert "p[3, 17], step 0, group 0, slot 0" in page and "lr = 0.001" in page
    recorded = {"it's": 'a "quote"\n', "x": [1e-300, "nan"]}
    check = fakes.result(id="a/b", worst={"case": recorded})
    code = counterexample.program("my.pkg:B", check)
    call = ast.parse(code).body[-1].value  # type: ignore[attr-defined]
    backend, id, record = (ast.literal_eval(argument) for argument in call.args)
    assert (backend, id, json.loads(record)) == ("my.pkg:B", "a/b", recorded)


def test_program_in_a_message_is_shown_once_and_with_the_backends_name(page: str) -> None:
    """The message's own program names no backend; the page's does."""
    assert "    a program" not in page
    assert "case(&#39;torch&#39;, &#39;optimizer/lion/float32/lockstep&#39;" in page


def test_finding_is_shown_and_linked_from_the_failing_check(page: str) -> None:
    """The failing check names the known finding."""
    assert "Lion &lt;decays&gt; after the step" in page
    assert page.count('href="#finding-0"') == 1


def test_findings_belong_to_the_library_that_the_backend_wraps(
    monkeypatch: pytest.MonkeyPatch, fakes: Any
) -> None:
    """torch's findings are not torchao's or torch_optimizer's; failing checks are explained."""
    texts = dict.fromkeys(("title", "contradicts", "expected", "actual"), "text")
    finding = Finding(
        library="torch", distribution="numpy", versions=">0", rule="lion", reproducer="steps.py",
        checks=("optimizer/lion/float32/lockstep",), when=({"tensor": "p"},), **texts
    )  # fmt: skip
    monkeypatch.setattr("truestep.fast.peers.findings.FINDINGS", (finding,))
    checks = [r.to_json() for r in fakes.small()]
    for name, spec in (("torch.optim", "torch"), ("torch", "pkg.torch:Backend")):
        (found,) = findings.findings_for(name, spec, checks, {})
        assert found["checks"] == ["optimizer/lion/float32/lockstep"]
    for name in ("torchao", "torch_optimizer"):
        assert findings.findings_for(name, f"truestep.fast.peers.{name}:B", checks, {}) == []


def test_reasons_for_not_judging_are_listed(make: Callable[..., Any]) -> None:
    """Not run and not judged each show with their reason."""
    text = html(pages.build([make()]))
    for reason in ("every bound is vacuous", "needs a GPU"):
        assert reason in text


def test_certificates_of_odd_runs_render(make: Callable[..., Any], fakes: Any) -> None:
    """No checks; an unavailable backend; an unknown kind; no worst case; the same backend twice."""
    empty = make([])
    empty["backend"] = {"name": "gone", "spec": "gone", "unavailable": "no device"}
    odd = make([fakes.result(kind="novel", worst=None, histogram=(), utilisation=float("inf"))])
    for documents in ([empty], [odd], [empty, odd, odd]):
        built = pages.build(documents)
        Page(html(built))
        assert markdown(built).endswith("\n")
    assert "gone was not run: no device." in html(pages.build([empty]))
    assert [backend.name for backend in pages.build([odd, odd]).backends] == ["cpu", "cpu (2)"]


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "does not compute r0 as defined: 1 of 1 check fails."),
        (2, "does not compute r0 and r1 as defined: 2 of 2 checks fail."),
        (9, "does not compute r0, r1, r2 and 6 other rules as defined"),
    ],
)
def test_verdict_in_words(make: Callable[..., Any], fakes: Any, count: int, words: str) -> None:
    """Names a few rules and counts the rest."""
    results = [fakes.result(f"r{i}", verdict="fail") for i in range(count)]
    assert words in pages.build([make(results)]).headline


def test_conduct_is_no_rule_in_the_verdict(make: Callable[..., Any], fakes: Any) -> None:
    """One rule is not two with the check of conduct, and what is left changed is no rule's."""

    def conduct(verdict: str) -> Any:
        return fakes.result("conduct", kind="process", verdict=verdict)

    rule = fakes.result("r0")
    text = pages.build([make([rule, conduct("pass")])]).headline
    assert text == "cpu computes r0 to the accuracy its arithmetic allows."
    text = pages.build([make([rule, conduct("fail")])]).headline
    assert text.startswith("cpu does not leave its process as it was: 1 of 2 checks fails.")


def test_lives_are_told_as_such_in_the_verdict(make: Callable[..., Any], fakes: Any) -> None:
    """They are of objects, and "optimizer" is the name of no rule."""
    document = make([fakes.result("optimizer", kind="life", verdict="fail")])
    assert "does not compute lives of optimizers as defined" in pages.build([document]).headline


def test_an_error_of_the_suite_is_nobodys_failure_and_no_pass(
    make: Callable[..., Any], fakes: Any
) -> None:
    """It ends a run with status 2 and shows its message; beside a failure the run fails."""
    broken = fakes.result("r1", verdict="error", message="an error of TrueStep itself")
    document = make([fakes.result("r0"), broken])
    assert document["verdict"] == "error"
    page = pages.build([document])
    assert "1 check of cpu ended in an error of TrueStep itself" in page.headline
    assert "an error of TrueStep itself" in markdown(page)
    assert make([fakes.result("r0", verdict="fail"), broken])["verdict"] == "fail"


def test_markdown_puts_failures_first(make: Callable[..., Any], results: list[Any]) -> None:
    """Failures stand before the folded tables; tables have as many cells as heads."""
    text = markdown(pages.build([make(results)]))
    assert 0 < text.index("### Failing") < text.index("<details><summary>Optimizers")
    for block in re.findall(r"(?m)(?:^\|.*\n)+", text):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block


def test_report_command_writes_both_formats(
    truestep: Callable[..., Any], save: Callable[..., Path]
) -> None:
    """Several certificates give one page and one Markdown file, and status 0."""
    status, out, _ = truestep("report", save("a.json"), save("b.json", spec="torch"), "--out", "o")
    assert status == 0 and Path(out.strip()) == Path("o/report.html").resolve()
    assert "torch" in Path("o/report.md").read_text()


def test_backends_keep_the_order_they_are_given_in(make: Callable[..., Any], fakes: Any) -> None:
    """Columns of one backend stay together, plain float32 first, whatever the rules are called."""
    one = make([fakes.result("zeta"), fakes.result("zeta", variant="fused")], spec="one")
    two = make([fakes.result("alpha", format="bfloat16"), fakes.result("alpha")], spec="two")
    (table,) = pages.build([one, two]).matrices
    assert list(table.columns) == [
        ("one", "float32"),
        ("one", "fused float32"),
        ("two", "float32"),
        ("two", "bfloat16"),
    ]
    assert table.backends == [("one", 2), ("two", 2)]


def test_many_backends_have_one_column_each(make: Callable[..., Any], fakes: Any) -> None:
    """Its worst verdict and largest utilisation, and a link to the variant that decides."""
    failing = {"verdict": "fail", "variant": "fused", "utilisation": 7.0}
    several = [fakes.result("adamw"), fakes.result("adamw", **failing)]
    documents = [make(several, spec=f"library{i}") for i in range(pages.FEW + 1)]
    built = pages.build(documents)
    (table,) = built.matrices
    assert list(table.columns) == [(f"library{i}", "") for i in range(pages.FEW + 1)]
    ((rule, cells),) = table.rows
    assert rule == "adamw" and all(cell is not None for cell in cells)
    assert {cell.tally.verdict for cell in cells if cell} == {"fail"}
    assert {cell.tally.utilisation for cell in cells if cell} == {7.0}
    groups = [group for rule in built.rules for group in rule.groups]
    decisive = {group.anchor for group in groups if group.tally.verdict == "fail"}
    assert {cell.anchor for cell in cells if cell} == decisive
    page = html(built)
    assert page.index('id="scoreboard"') < page.index('id="matrix-optimizer"')
    assert all(f'id="{anchor}"' in page for anchor in decisive)


def test_schedules_and_quantizers_have_pictures() -> None:
    """Every schedule of the reference has a curve; 4- and 8-bit formats show their values."""
    from truestep.reference.schedules import SCHEDULES

    assert [name for name in SCHEDULES if pictures.picture("schedule", name) is None] == []
    picture = pictures.picture("quantizer", "dynamic_8bit")
    assert picture is not None and "256 representable values from" in plots.picture(picture)
    assert pictures.picture("quantizer", "no such rule") is None
    assert pictures.picture("optimizer", "adamw") is None


def test_columns_without_any_run_are_counted_instead_of_shown(
    make: Callable[..., Any], fakes: Any
) -> None:
    """Variants that a level leaves out take no room; a backend that did not run keeps its own."""
    missed = {"verdict": "not_run", "message": "runs at level 'deep' and above"}
    ran = make([fakes.result("adamw"), fakes.result("adamw", variant="slow", **missed)], spec="one")
    idle = make([fakes.result("adamw", variant="slow", **missed)], spec="two")
    (table,) = pages.build([ran, idle]).matrices
    assert list(table.columns) == [("one", "float32"), ("two", "slow float32")]
    assert table.hidden == 1
    text = html(pages.build([ran, idle]))
    assert "1 more column not shown" in text and "runs at level &#39;deep&#39; and above" in text


def test_schedules_bring_the_conditions_of_robbins_and_monro(
    make: Callable[..., Any], fakes: Any
) -> None:
    """Where a schedule ran, page and Markdown say with proof which step sizes satisfy what."""
    schedule = pages.build([make([fakes.result("cosine", kind="schedule", check="values")])])
    for text in (html(schedule), markdown(schedule)):
        assert "It violates (ii): the squares" in text
        assert "Satisfies both." in text
        assert "the policy past its end does" in text
    unrelated = make([fakes.result("adamw")])
    missed = make([fakes.result("cosine", kind="schedule", verdict="not_run")])
    for document in (unrelated, missed):
        built = pages.build([document])
        assert "Robbins and Monro" not in html(built)
        assert "Robbins and Monro" not in markdown(built)


def test_a_schedule_shows_its_values_and_its_conditions(
    make: Callable[..., Any], fakes: Any
) -> None:
    """The chart of backend and reference, and the certificate of the hyperparameters shown."""
    from truestep.fast.reference_backend import Backend
    from truestep.properties.run.plan import checks_of, run_check

    check = next(c for c in checks_of(Backend()) if c.id == "schedule/cosine/float64/values")
    document = make([run_check(Backend(), check, level="smoke", seed=0)])
    text = html(pages.build([document]))
    assert "min_lr = 0.0001, total_steps = 50" in text
    assert "From t = 50 on every step has a_t" in text
    assert "the reference&#39;s lie under them" in text


def test_a_page_of_many_checks_is_packed_and_holds_the_same(
    make: Callable[..., Any], fakes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a rule unfolds to is what a page of few checks shows; every link leads somewhere."""
    page = pages.build([make(fakes.small())])
    whole = html(page)
    monkeypatch.setattr("truestep.reports.html._PACKED", 1)
    packed = html(page)
    parts = re.findall(r'data-names="([^"]*)" data-packed="([^"]*)"', packed)
    assert len(parts) == len(page.rules)
    unpacked = [zlib.decompress(base64.b64decode(text)).decode() for _, text in parts]
    assert all(part.strip() and part.strip() in whole for part in unpacked)
    ids = {*re.findall(r' id="([^"]*)"', packed), *" ".join(names for names, _ in parts).split()}
    # Of a check's address, GROUP:CHECK, the group says what is to be unpacked.
    links = re.findall(r' href="#([^"]*)"', packed)
    assert {link if link in ids else link.partition(":")[0] for link in links} <= ids
    assert "data-packed=" not in whole
