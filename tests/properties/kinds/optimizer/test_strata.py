"""Strata: all of them are visited with any seed, and no hyperparameter can be ignored."""

import dataclasses
import math
from collections import Counter

import pytest

from truestep.fast.protocol import OptimizerCapability
from truestep.properties.kinds.optimizer import strata
from truestep.properties.kinds.optimizer.families import _BEYOND, _EDGES
from truestep.properties.kinds.optimizer.step import begun
from truestep.properties.kinds.table import KINDS
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import run_check
from truestep.reference.optimizers import OPTIMIZERS

pytestmark = pytest.mark.power

# Fields that a kernel which is given its state cannot be told to ignore, and why.
EQUIVALENT = {
    ("adagrad", "initial_total"): "enters the first state alone",
    ("adam_hd", "lr"): "enters the first state alone",
    ("cocob", "eps"): "enters the first state alone",
    ("dadapt_adagrad", "d0"): "enters the first state alone",
    ("dadapt_adagrad", "initial_total"): "enters the first state alone",
    ("dadapt_adam", "d0"): "enters the first state alone",
    ("dadapt_adan", "d0"): "enters the first state alone",
    ("dadapt_lion", "d0"): "enters the first state alone",
    ("dadapt_sgd", "d0"): "enters the first state alone",
    ("dowg", "d0"): "enters the first state alone",
    ("rmsprop", "initial_v"): "enters the first state alone",
    ("rprop", "lr"): "enters the first state alone",
    ("sgd_hd", "lr"): "enters the first state alone",
    ("yogi", "initial"): "enters the first state alone",
    ("dion", "rank"): "the vectors that are given have it",
    ("galore", "rank"): "the projector that is given has it",
    ("ml_lbfgs", "memory"): "the history that is given has it",
    ("online_lbfgs", "memory"): "the history that is given has it",
}


def _check(capability):
    [check] = [c for c in KINDS["optimizer"].checks(capability) if c.name == strata.NAME]
    return check


def _slots(capability, seed):
    cases = strata.cases(capability, seed)
    return [(group, slot) for case in cases for group in case.groups for slot in group.slots]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("rule", ["adamw", "lamb"])
def test_every_stratum_of_every_axis_is_visited(rule, seed):
    """Shapes, counts, layouts, gradients, parameters and pasts."""
    slots = [slot for _, slot in _slots(OptimizerCapability(rule=rule), seed)]
    shapes = {slot.param.shape for slot in slots}
    assert shapes >= (set(strata.SHAPES) | set(strata.SIDES)) - {(0,)}
    assert {slot.t for slot in slots} == set(strata.COUNTS)
    assert {slot.param.layout for slot in slots} == set(strata.ALL_LAYOUTS)
    assert {(s.param.kind, s.param.exponent) for s in slots} >= set(strata.PARAMS)
    assert {slot.past for slot in slots} == set(strata.PASTS)
    assert len({(s.grad.kind, s.grad.exponent) for s in slots} & set(strata.GRADIENTS)) >= 7


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("rule", ["adamw", "lamb"])
def test_calls_have_one_group_to_twenty_and_tensors_fill_whole_chunks(rule, seed):
    """Kernels' arguments hold so many groups, and launches are cut into so many elements."""
    cases = strata.cases(OptimizerCapability(rule=rule), seed)
    assert {len(case.groups) for case in cases} >= {1, 2, 5, 8, 20}
    sizes = {math.prod(slot.param.shape) for case in cases for g in case.groups for slot in g.slots}
    assert sizes >= {size for size in strata.SIZES if size <= 2**16}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_some_parameters_begin_when_others_have_begun(seed):
    """In one group: buffers that a library makes for all of it or for none."""
    cases = strata.cases(OptimizerCapability(rule="sgd"), seed)
    counts = [[slot.t for slot in group.slots] for case in cases for group in case.groups]
    assert any(0 in of_a_group and max(of_a_group) > 3 for of_a_group in counts)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_limits_of_growth_bind(seed):
    """Where a rule carries a point, some ways are long enough for what it makes of them to grow."""
    capability = OptimizerCapability(rule="prodigy", dialect={"growth": "limited"}, single=True)
    rule = OPTIMIZERS["prodigy"]
    bound = [
        group.slots[0].state["d_max"] > group.slots[0].state["d"]
        for case in strata.cases(capability, seed)
        for group in begun(rule, capability, case)
    ]
    assert sum(bound) >= 2


@pytest.mark.parametrize("shapes", ["any", "matrices"])
def test_tensors_have_as_many_parts_as_heads(shapes):
    """Their rows are as many times as many as it takes, and they are of one head to several."""
    capability = OptimizerCapability(rule="adam_mini", dialect={"blocks": "heads"}, shapes=shapes)
    slots = _slots(capability, 0)
    heads = Counter(group.hyper["heads"] for group, _ in slots)
    assert len(heads) >= 4
    assert all(math.prod(s.param.shape) % group.hyper["heads"] == 0 for group, s in slots)
    assert all(slot.grad.shape == slot.param.shape for _, slot in slots)


def test_hyperparameters_have_nothing_in_common():
    """Numbers stand at corners and elsewhere, and no two groups share one that is at none.

    But those of one call that share all but one.
    """
    *cases, _ = strata.cases(OptimizerCapability(rule="adamw"), 0)
    groups = [group.hyper for case in cases for group in case.groups]
    rates = Counter(hyper["lr"] for hyper in groups)
    assert {0.0, 1e-8, 1e3} <= set(rates)
    assert sum(count for rate, count in rates.items() if rate not in (0.0, 1e-8, 1e3)) >= 30
    assert max(Counter(hyper["beta2"] for hyper in groups if hyper["beta2"]).values()) == 1


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("format", "least"), [("float32", -14), ("float16", -2)])
def test_an_eps_of_zero_meets_the_least_gradients(format, least, seed):
    """Far below every usual eps, as long as their squares are normal numbers."""
    capability = OptimizerCapability(rule="adamw", format=format, arithmetic="ieee_float32")
    slots = [slot for group, slot in _slots(capability, seed) if group.hyper.get("eps") == 0]
    exponents = [slot.grad.exponent for slot in slots]
    assert exponents == [least]
    assert all(slot.param.kind == "zeros" and not slot.travels for slot in slots)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("rule", ["adamw", "lamb", "lion"])
def test_some_groups_differ_in_one_hyperparameter(rule, seed):
    """In one call, from a group at the defaults, each by another field."""
    capability = OptimizerCapability(rule=rule)
    first, *others = [group.hyper for group in strata.cases(capability, seed)[-1].groups]
    ranges = OPTIMIZERS[rule].Hyper.RANGES
    differing = [{name for name in ranges if fields[name] != first[name]} for fields in others]
    assert differing == [{name} for name in ranges]
    assert all(fields[name] for fields, [name] in zip(others, differing, strict=True))


def test_a_capability_that_takes_one_tensor_is_asked_for_one():
    """Each call has one group with one tensor, of the shapes that it takes."""
    alone = OptimizerCapability(rule="prodigy", single=True, shapes="matrices")
    cases = strata.cases(alone, 0)
    assert all(len(case.groups) == len(case.groups[0].slots) == 1 for case in cases)
    assert all(len(slot.param.shape) == 2 for _, slot in _slots(alone, 0))


class Frozen:
    """A rule's own lines, in which one hyperparameter stays at its default whatever is asked."""

    def __init__(self, rule, field, dialect):
        self.kernel, self.field = Kernel(rule, dialect=dialect), field
        self.name = self.kernel.name
        fields = {f.name: f for f in dataclasses.fields(OPTIMIZERS[rule].Hyper)}
        self.default = fields[field].default

    def capabilities(self):
        """The kernel's."""
        return self.kernel.capabilities()

    def optimizer_step(self, capability, groups):
        """The kernel's step, with the field at its default where the rule accepts that."""
        return self.kernel.optimizer_step(capability, [self._frozen(group) for group in groups])

    def _frozen(self, group):
        try:
            return dataclasses.replace(
                group, hyper=dataclasses.replace(group.hyper, **{self.field: self.default})
            )
        except ValueError:
            return group


def _dialects(name, field):
    """The rule's own form, and every choice that departs from it alone, if one might show it."""
    rule = OPTIMIZERS[name]
    default = {f.name: f.default for f in dataclasses.fields(rule.Hyper)}
    yield {}
    hopeless = (name, field) in EQUIVALENT
    singles = [
        ({choosing: x}, told)
        for choosing, choices in ({} if hopeless else rule.DIALECTS).items()
        for x, told in choices.items()
        if x != default[choosing]
    ]
    # Those whose description speaks of the field first.
    yield from (dialect for dialect, _ in sorted(singles, key=lambda each: field not in each[1]))


def _found(name, field):
    for dialect in _dialects(name, field):
        frozen = Frozen(name, field, dialect)
        [capability] = frozen.capabilities()
        result = run_check(frozen, _check(capability), level="smoke", seed=0, told=False)
        if result.verdict in ("fail", "crashed"):
            return True
    return False


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_hyperparameter_can_be_ignored(name):
    """In some dialect each shows, with the first seed that is tried."""
    Hyper = OPTIMIZERS[name].Hyper
    given = [f.name for f in dataclasses.fields(Hyper) if f.name in Hyper.RANGES]
    kept = [f.name for f in dataclasses.fields(Hyper) if f.default is not dataclasses.MISSING]
    ignored = {f for f in given if f in kept and not _found(name, f)}
    assert ignored == {field for rule, field in EQUIVALENT if rule == name}


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("name", "counts"), [("counter", _EDGES), ("counter_beyond_float32", _BEYOND)]
)
def test_every_count_at_which_counters_end_is_visited(name, counts, seed):
    """At standard, by the cases that come first: no library fails with some seeds only."""
    capability = OptimizerCapability(rule="adamw")
    [check] = [c for c in KINDS["optimizer"].checks(capability) if c.name == name]
    source = KINDS["optimizer"].cases(check, capability)
    first = source.first(seed)[: source.examples["standard"]]
    assert {slot.t for case in first for group in case.groups for slot in group.slots} >= set(
        counts
    )
