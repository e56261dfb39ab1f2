"""Automatic mutants: what is made of a rule's lines, and what is killed."""

import ast
import sys
import textwrap
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

import truestep.reference
from truestep.properties.museum.changes import Ways, changes, parts
from truestep.properties.museum.imports import between
from truestep.properties.museum.mutants import BROKEN, homes, judged, mutants_of
from truestep.properties.museum.plant import planted
from truestep.properties.museum.sharing import SHARED, UNSHARED
from truestep.properties.museum.survivors import survivors
from truestep.reference import block_formats, block_scales, small_float
from truestep.reference.tables import RULES
from truestep.reports.mutation import KILLED, LISTED, stale

pytestmark = pytest.mark.power


def test_every_sort_of_change_is_made_once_for_each_place():
    """Of SGD with momentum: constants, operators, branches, fields, statements."""
    made = list(mutants_of("optimizer/heavy_ball"))
    texts = [mutant.edit()[2] for mutant in made]
    assert len(set(texts)) == len({mutant.name for mutant in made}) == len(made)
    assert all(ast.parse(text) for text in texts)
    words = Counter(mutant.change.about.split()[0] for mutant in made)
    assert words["Add"] and words["Mult"] and words["h.lr"]


@pytest.mark.parametrize(
    ("lines", "about", "becomes"),
    [
        ("return a & ~b", "without Invert", "return a & b"),
        ("return a & ~b", "BitAnd to BitOr", "return a | ~b"),
        ("return a < b < 3", "Lt to LtE", "return a <= b < 3"),
        ("return f'{a}' or 0.5", "0.5 off by 0.25", "return f'{a}' or 0.625"),
        ("a += b\nreturn a", "left out", "pass"),
        ("return a <= b", "turned round", "return b <= a"),
        ("a = b\nb = a\nreturn b", "a and b assigned in the other order", "b = a"),
    ],
)
def test_changes_are_what_they_are_called(lines, about, becomes):
    """Methods keep their class's indentation, and formatted texts are left alone."""
    source = f"class A:\n    @property\n    def f(a, b):\n{textwrap.indent(lines, ' ' * 8)}"
    (part,) = parts(source)
    made = list(changes(part, Ways(0.25, {}, removed=True)))
    found = [change.text() for change in made if change.about == about]
    assert any(becomes in text for text in found)
    for text in found:
        ast.parse(source.replace(part.text, text))
    assert "f'{a}'" not in {change.old for change in made}


def test_what_cannot_show_is_left_as_it_is():
    """A size of -1, the first two arguments of clip, whatever says when an error is raised."""
    source = """def f(x, low, high):
    if x.size > 3:
        raise ValueError
    return [clip(a, b, high) for a, b in zip(x.reshape(-1), low, strict=True)]"""
    (part,) = parts(source)
    made = [(change.old, change.about) for change in changes(part, Ways(0.25, {}))]
    assert made == [
        ("clip(a, b, high)", "arguments 2 and 3 of clip swapped"),
        ("-1", "without USub"),
    ]
    guarded = {change.about for change in changes(part, Ways(0.25, {}, guards=True))}
    assert {"Gt to GtE", "condition inverted", "True inverted"} <= guarded


def test_what_a_module_s_names_are_given_is_changed_too():
    """As the facts of a small float."""
    names = [mutant.name for mutant in mutants_of("quantizer/float16")]
    assert "quantizer/float16 FORMAT: 10: 10 + 1" in names


# Objects with a life have no lines of their own.
@pytest.mark.parametrize("kind", [kind for kind in RULES if kind != "life"])
def test_every_rule_has_mutants(kind):
    """Of a rule without any, nothing would be known: those of formats are in what they share."""
    rules = {home for home in homes() if home.startswith(f"{kind}/")}
    assert [home for home in rules if next(mutants_of(home), None) is None] == []
    rows = {name for name, rule in RULES[kind].items() if not isinstance(rule, ModuleType)}
    assert {home.partition("/")[2] for home in rules} == set(RULES[kind]) - rows


def test_every_shared_module_is_changed_or_says_why_not():
    """And every rule that is to judge one imports it."""
    (folder,) = truestep.reference.__path__
    names = {path.stem for path in Path(folder).glob("*.py")} - {"__init__"}
    assert names == set(SHARED) | set(UNSHARED)
    assert not set(SHARED) & set(UNSHARED)


@pytest.mark.parametrize("name", sorted(set(SHARED) - {"packing"}))
def test_a_shared_module_s_judges_use_it(name):
    """A change reaches the kernel of every rule that is to notice it."""
    mutant = next(mutants_of(f"shared/{name}"))
    for judge in mutant.judges:
        rule = RULES[judge.kind][judge.rule]
        of = rule if isinstance(rule, ModuleType) else sys.modules[type(rule).__module__]
        assert of is mutant.module or mutant.module in between(of, [mutant.module])


def test_a_change_reaches_through_what_lies_between():
    """A number that small_float computes, as a block format has it; nobody else sees it."""
    text = "value = np.ldexp(k.astype(np.float64), exponent)"
    copy = planted(block_formats, [(small_float, text, text + " * 2")])
    row = copy.FORMATS["nvfp4"].row
    assert copy.value(row, row.Hyper(), 0x38) == 2 * block_scales.value(row, row.Hyper(), 0x38)
    assert block_formats.FORMATS["nvfp4"].row.largest == 6.0


@pytest.mark.parametrize(
    ("home", "seed"),
    [
        ("optimizer/signsgd", 0), ("schedule/power", 0), ("schedule/power", 1),
        ("training/clip_by_value", 0), ("training/clip_by_value", 1),
    ],
)  # fmt: skip
def test_the_mutants_of_these_are_killed_with_any_seed(home, seed):
    """All that a kernel executes: none of them is equivalent."""
    found = [judged(mutant, seed=seed) for mutant in mutants_of(home)]
    reached = [outcome for outcome in found if outcome.reached]
    assert len(reached) >= 5
    assert [outcome.mutant.name for outcome in reached if not outcome.killed] == []


def test_a_mutant_of_a_shared_module_is_killed_through_a_rule():
    """The judge's own lines stay as they are: only the kernel computes with the change."""
    (mutant,) = [
        m for m in mutants_of("shared/stages") if m.name.endswith("1 - weight: Sub to Add")
    ]
    assert judged(mutant).killed in ("strata", "values")


def test_a_mutant_whose_module_does_not_load_is_killed():
    """As one that names an attribute by an object."""
    (mutant,) = [m for m in mutants_of("shared/around") if "__doc__" in m.name]
    assert judged(mutant).killed == BROKEN


def test_a_def_s_own_line_is_none_that_a_kernel_executes():
    """It runs as the module is loaded; what is in it need not run at all."""
    (mutant,) = [m for m in mutants_of("shared/k_quants") if "admissible: q and slack" in m.name]
    assert not judged(mutant).reached


def test_what_no_kernel_executes_is_not_counted_as_killed():
    """The proofs of a schedule are no part of a kernel."""
    outcomes = [judged(mutant) for mutant in mutants_of("schedule/constant")]
    assert any(not outcome.reached for outcome in outcomes)
    assert not any(outcome.killed for outcome in outcomes if not outcome.reached)


def test_every_listed_survivor_is_a_mutant():
    """A reason of a line that is no longer there has gone stale."""
    listed = survivors()
    names = {m.name for home in {n.partition(" ")[0] for n in listed} for m in mutants_of(home)}
    assert set(listed) <= names


def test_stale_reasons_are_told():
    """A mutant that is gone, and one that is killed; one that was not run says nothing."""
    known = dict.fromkeys(["gone", "killed", "listed", "not run"], "equivalent: so")
    told = list(stale(known, {"killed": KILLED, "listed": LISTED}, {*known} - {"gone"}))
    assert told == ["no such mutant: gone", "listed as a survivor, and killed: killed"]
