"""Rules that evaluate the function: a correct kernel passes, planted faults fail.

Over 300 lines: a kernel, its line searches and its faults need one another.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from truestep.fast import discovery
from truestep.fast.protocol import Capability, Stepped
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.lift import state_of
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.arithmetic.sampled import Replicates
from truestep.properties.cases.restored import restored
from truestep.properties.cases.tensors import TensorSpec, array
from truestep.properties.kinds import kind as kinds
from truestep.properties.kinds.minimizer import families as minimizer_checks
from truestep.properties.kinds.minimizer import step as minimizer_step
from truestep.properties.kinds.minimizer.cases import KINDS, MinimizerCase, ProblemSpec, function_of
from truestep.properties.kinds.minimizer.step import initial, lockstep, taken
from truestep.properties.museum.plant import Kernel
from truestep.properties.run import replay
from truestep.properties.run.plan import checks_of, replay_check, run_check
from truestep.properties.search import exploration
from truestep.reference import line_search
from truestep.reference.optimizers import FROM_FUNCTION, lbfgs, sr1_cubic

FLOAT32 = Replicates(PROFILES["ieee_float32"], 32, np.random.default_rng(1))
TORCH = {"accept": "curvature", "first_step": "l1", "line_search": "none", "stalled": "recorded"}


class Backend:
    """The references' own lines in float32; step: what is run in their place."""

    name = "numpy"

    def __init__(self, step: Callable[..., Any] | None = None) -> None:
        self.step = step

    def capabilities(self) -> list[Capability]:
        """Every rule that evaluates the function, in its own form and in its search's others."""
        searches = [("lbfgs", "", {}), ("lbfgs", "torch", TORCH)] + [
            ("lbfgs", search, {"line_search": search})
            for search in ("strong_wolfe_cubic", "backtracking")
        ]
        others = [(rule, "", {}) for rule in FROM_FUNCTION if rule != "lbfgs"]
        return [
            Capability("minimizer", rule, variant=variant, dialect=dialect)
            for rule, variant, dialect in (*searches, *others)
        ]

    def minimizer_step(
        self,
        capability: Capability,
        hyper: Any,
        param: Any,
        state: Mapping[str, Any],
        function: Callable[[Any], Any],
    ) -> Stepped:
        """One step of the reference, or of the fault in its place."""
        rule = FROM_FUNCTION[capability.rule]
        step = self.step or rule.step
        with np.errstate(all="ignore"):
            new, p = step(
                hyper, state_of(rule.State, state, np.asarray), param, taken(rule, function)
            )
        fields = {f.name: getattr(new, f.name) for f in dataclasses.fields(new)}
        return Stepped(_float32(p), {k: _kept(x) for k, x in fields.items()})


def _float32(x: Any) -> Any:
    return np.asarray(x).astype(np.float32)


def _kept(x: Any) -> Any:
    return int(x) if isinstance(x, int) else _float32(x)


def _results(backend: Any, rule: str, variant: str, names: tuple[str, ...]) -> list[Any]:
    return [
        run_check(backend, check, level="standard", seed=0)
        for check in checks_of(backend)
        if (check.capability.rule, check.capability.variant) == (rule, variant)
        and check.name in names
    ]


@pytest.mark.parametrize(
    ("rule", "variant"), [(c.rule, c.variant) for c in Backend().capabilities()]
)
def test_the_references_lines_in_float32_pass(rule: str, variant: str) -> None:
    """Every family judges something and nothing fails, at the least thorough level.

    A law that is tried once may meet a comparison that rounding decides.
    """
    backend = Backend()
    for check in checks_of(backend):
        of = check.kind, check.capability.rule, check.capability.variant
        if of == ("minimizer", rule, variant):
            result = run_check(backend, check, level="smoke", seed=3)
            if result.contract == "law":
                assert result.verdict in ("pass", "not_judged"), result.message
            else:
                assert (result.verdict, result.contract) == ("pass", "sampled"), result.message


def test_the_backend_is_accepted_and_its_checks_are_listed() -> None:
    """discovery takes the kind, and checks stand for every family and for laws."""
    backend = Backend()
    discovery.check(backend, "numpy")
    ids = {check.id for check in checks_of(backend) if check.kind == "minimizer"}
    assert "minimizer/lbfgs/float32/torch/early_steps" in ids
    families = [id for id in ids if "law:" not in id]
    # Every family, and the strata.
    assert len(families) == len(backend.capabilities()) * (len(minimizer_checks.FAMILIES) + 1)
    assert "minimizer/lbfgs/float32/law:never_climbs" in ids


def _patched(name: str, replacement: Callable[..., Any], module: Any = lbfgs) -> Callable[..., Any]:
    """The rule's step with one of its functions replaced while it runs."""
    original, step = getattr(module, name), FROM_FUNCTION["lbfgs"].step

    def faulty(*args: Any) -> Any:
        setattr(module, name, replacement)
        try:
            return step(*args)
        finally:
            setattr(module, name, original)

    return faulty


_two_loop, _remembered, _strong_wolfe = lbfgs.two_loop, lbfgs.remembered, line_search.strong_wolfe


def _swapped_loops(steps: Any, changes: Any, rho: Any, gamma: Any, g: Any) -> Any:
    return _two_loop(steps[::-1], changes[::-1], rho[::-1], gamma, g)


def _no_gamma(steps: Any, changes: Any, rho: Any, gamma: Any, g: Any) -> Any:
    return _two_loop(steps, changes, rho, np.float32(1), g)


def _no_rho(steps: Any, changes: Any, rho: Any, gamma: Any, g: Any) -> Any:
    return _two_loop(steps, changes, np.where(rho != 0, np.float32(1), rho), gamma, g)


def _gamma_of_steps(h: Any, s: Any, g: Any) -> Any:
    steps, changes, rho, gamma = _remembered(h, s, g)
    y = g - s.g
    kept = rho is not s.rho
    return steps, changes, rho, (s.step @ s.step) / (y @ s.step) if kept else gamma


def _stale_change(h: Any, s: Any, g: Any) -> Any:
    steps, changes, rho, gamma = _remembered(h, s, g)
    if rho is s.rho or s.rho[-1] == 0:
        return steps, changes, rho, gamma
    return steps, np.concatenate([changes[:-1], s.changes[-1:]]), rho, gamma


def _swapped_constants(phi: Any, value: Any, slope: Any, a: Any, **options: Any) -> Any:
    swapped = {**options, "c1": options["c2"], "c2": options["c1"]}
    return _strong_wolfe(phi, value, slope, a, **swapped)


FAULTS: dict[str, tuple[str, Callable[..., Any], Any, str]] = {
    "gamma_of_steps": ("remembered", _gamma_of_steps, lbfgs, "torch"),
    "no_gamma": ("two_loop", _no_gamma, lbfgs, "torch"),
    "no_rho": ("two_loop", _no_rho, lbfgs, "torch"),
    "stale_change": ("remembered", _stale_change, lbfgs, "torch"),
    "swapped_constants": ("strong_wolfe", _swapped_constants, line_search, ""),
    "swapped_loops": ("two_loop", _swapped_loops, lbfgs, "torch"),
}


@pytest.fixture
def unexplained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures are neither simplified nor identified, which takes longer than finding them."""
    monkeypatch.setattr(exploration, "SIMPLER", 0)
    monkeypatch.setattr(kinds, "_identified", lambda *_: "")


@pytest.mark.usefixtures("unexplained")
@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_of_lbfgs_are_caught(fault: str) -> None:
    """Each fails in the families with pairs or searches, with the numbers and a case to replay."""
    name, replacement, module, variant = FAULTS[fault]
    backend = Backend(_patched(name, replacement, module))
    results = _results(backend, "lbfgs", variant, ("early_steps", "filled_memory"))
    failed = [result for result in results if result.verdict == "fail"]
    assert failed, [(r.verdict, r.utilisation) for r in results]
    for result in failed:
        assert result.utilisation is not None and result.utilisation > 2
        assert "reproduce:" in result.message and "due is" in result.message


def test_a_missing_threshold_of_curvature_is_caught_and_named() -> None:
    """A kernel that keeps every pair fails where one has to be skipped; the message says which."""

    def keeps_all(h: Any, *rest: Any) -> Any:
        return lbfgs.step(dataclasses.replace(h, accept="always"), *rest)

    (result,) = _results(Backend(keeps_all), "lbfgs", "torch", ("curvature_skip",))
    assert result.verdict == "fail"
    assert result.identified == "lbfgs with every pair kept"


@pytest.mark.usefixtures("unexplained")
def test_planted_faults_of_sr1_are_caught() -> None:
    """A cubic term without its weight 4, and a mu that does not fall after good steps."""
    original = sr1_cubic.root

    def light(eigenvalue: Any, mu: Any, g: Any) -> Any:
        return original(eigenvalue, mu / 4, g)

    def lightly(*args: Any) -> Any:
        sr1_cubic.root = light
        try:
            return sr1_cubic.step(*args)
        finally:
            sr1_cubic.root = original

    def keeps_mu(h: Any, s: Any, p: Any, f: Any) -> Any:
        new, q = sr1_cubic.step(h, s, p, f)
        return dataclasses.replace(new, mu=np.maximum(new.mu, s.mu)), q

    for fault in (lightly, keeps_mu):
        results = _results(Backend(fault), "sr1_cubic", "", ("early_steps", "filled_memory"))
        assert "fail" in [result.verdict for result in results]


def test_a_wrong_counter_is_a_fault_of_the_backend() -> None:
    """t that counts at an optimum, where nothing may change, is told with both numbers."""

    def counts(h: Any, s: Any, p: Any, f: Any) -> Any:
        new, q = lbfgs.step(h, s, p, f)
        return (dataclasses.replace(new, t=s.t + 1), q)

    (result,) = _results(Backend(counts), "lbfgs", "", ("zero_gradient",))
    assert result.verdict == "fail" and "t is 1 after a step from 0, expected 0" in result.message


def test_steps_with_an_open_comparison_are_not_judged() -> None:
    """A rate so small that the function's change drowns in rounding: elements, none of them judged.

    The strong Wolfe search then compares noise with noise.
    """
    case = MinimizerCase(
        hyper={"lr": 1e-9},
        problem=ProblemSpec("rosenbrock", (5,)),
        start=TensorSpec((5,), "normal", seed=1),
        steps=1,
    )
    capability = Backend().capabilities()[0]
    ((_, found),) = lockstep(Backend(), capability, case)
    assert {item.judgement.judged for item in found} == {0}
    assert sum(item.judgement.elements for item in found) > 5


@pytest.mark.usefixtures("unexplained")
def test_a_failing_case_is_replayed_to_the_same_numbers() -> None:
    """The record of a failure gives the same verdict and utilisation again."""
    backend = Backend(_patched("two_loop", _no_gamma))
    (result,) = _results(backend, "lbfgs", "torch", ("filled_memory",))
    check = next(c for c in checks_of(backend) if c.id == result.id)
    again = replay_check(backend, check, result.worst["case"])
    assert (again.verdict, again.utilisation) == (result.verdict, result.utilisation)
    assert callable(replay.case)


def test_cases_survive_the_way_through_json() -> None:
    """restored reads back what to_json wrote."""
    case = MinimizerCase(
        {"lr": 0.1}, ProblemSpec("saddle", (3, 4), 5, -1, 2), TensorSpec((3, 4), "spread"), 2, 1
    )
    assert restored(MinimizerCase, case.to_json()) == case


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(), (1,), (5,), (3, 4)])
def test_gradients_are_those_of_the_values(kind: str, shape: tuple[int, ...]) -> None:
    """Central differences err by h^2: half of h, at most half the error, or else rounding's own.

    Rounding: at most 16 operations per element, each within u of terms no larger than 1 + |f|.
    """
    f = function_of(ProblemSpec(kind, shape, seed=2), format_named("float64"))
    rng = np.random.default_rng(0)
    x, d = rng.standard_normal(shape), rng.standard_normal(shape)
    slope = np.sum(f(x)[1] * d)

    def error(h: float) -> tuple[float, float]:
        ahead, behind = f(x + h * d)[0], f(x - h * d)[0]
        rounding = 16 * x.size * 2.0**-53 * (2 + np.abs(ahead) + np.abs(behind)) / (2 * h)
        return abs((ahead - behind) / (2 * h) - slope), rounding

    (coarse, _), (fine, rounding) = error(2.0**-8), error(2.0**-9)
    assert fine <= max(coarse / 2, rounding)


def test_states_with_history_hold_pairs_in_the_backends_format() -> None:
    """After four steps with a memory of two both places are taken, and t is four."""
    capability = Backend().capabilities()[0]
    case = MinimizerCase(
        {"memory": 2}, ProblemSpec("rosenbrock", (5,)), TensorSpec((5,), "normal"), history=4
    )
    slot = initial(lbfgs, capability, case)
    assert slot.state["t"] == 4 and np.all(slot.state["rho"] > 0)
    assert {x.dtype for k, x in slot.state.items() if k != "t"} == {np.dtype(np.float32)}


def test_states_with_history_come_from_points_that_the_format_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A parameter is stored after every step; where there was none, it is the start."""
    asked: list[Any] = []

    def spied(problem: ProblemSpec, format: Any) -> Any:
        function = function_of(problem, format)

        def called(x: Any) -> Any:
            asked.append(np.array(x))
            return function(x)

        return called

    monkeypatch.setattr(minimizer_step, "function_of", spied)
    [capability] = [c for c in Backend().capabilities() if c.variant == "torch"]
    start = TensorSpec((5,), "normal", seed=1)
    case = MinimizerCase(dict(TORCH), ProblemSpec("rosenbrock", (5,)), start, history=3)
    slot = initial(lbfgs, capability, case)
    assert len(asked) >= 3
    assert all(np.array_equal(x, x.astype(np.float32)) for x in asked)
    fresh = initial(lbfgs, capability, dataclasses.replace(case, history=0))
    assert np.array_equal(fresh.param, array(start, format_named("float32")))
    assert not np.array_equal(slot.param, fresh.param)


def test_a_step_begins_where_the_backends_last_one_ended() -> None:
    """Steps are numbered from zero; there is one group of one slot, under the backend's name."""
    backend, capability = Backend(), Backend().capabilities()[1]
    start = TensorSpec((5,), "normal", seed=1)
    case = MinimizerCase(dict(TORCH), ProblemSpec("rosenbrock", (5,)), start, steps=2)
    (first, one), (second, two) = lockstep(backend, capability, case)
    hyper = lbfgs.Hyper(**case.hyper)
    format = format_named("float32")
    f = function_of(case.problem, format)
    state = {name: x for name, x in first.items() if name != "p"}
    given = minimizer_step.for_backend(f, format)
    due = backend.minimizer_step(capability, hyper, first["p"], state, given)
    assert np.array_equal(second["p"], due.param) and not np.array_equal(first["p"], due.param)
    places = [[(x.step, x.group, x.slot) for x in found] for found in (one, two)]
    assert [set(found) for found in places] == [{(0, 0, 0)}, {(1, 0, 0)}]
    shim = minimizer_step.AsOptimizer(backend, capability, lambda _: f)
    assert (shim.name, shim.capabilities()) == ("numpy", [shim.capability])


@pytest.mark.parametrize(("rule", "seed"), [("lbfgs", 4), ("sr1_cubic", 2)])
def test_numbers_of_pairs_follow_no_axis(rule: str, seed: int) -> None:
    """Also where there are as many pairs as elements, as in one of these cases."""
    backend = Kernel(rule)
    [check] = [c for c in checks_of(backend) if c.name == "law:equivariant_under_permuted_axes"]
    result = run_check(backend, check, level="standard", seed=seed, told=False)
    assert result.verdict == "pass", result.message
