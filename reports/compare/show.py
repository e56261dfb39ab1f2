"""The command: plan, run or go on, judge, and write what was found."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from click import ClickException

from truestep.reports import certificate, environment, files, terminal
from truestep.reports.compare import budget, campaign, certified, exact, page, timing
from truestep.reports.compare.campaign import TRANSFORMER, Plan
from truestep.reports.compare.convex import PROBLEMS as CONVEX
from truestep.reports.compare.learned import learned
from truestep.reports.compare.outcome import Key, Outcome, to_json
from truestep.reports.compare.subjects import refusal, subject
from truestep.reports.stopping import Stopped, stoppable

SCHEMA = "truestep-compare/1"
PROBLEMS = (TRANSFORMER, *CONVEX)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. problems: () for all that can be run. budget: like "40m".

    certificates: a folder in which to look for them, besides out.
    """

    rules: Sequence[str]
    problems: Sequence[str]
    budget: str
    out: Path
    certificates: Path
    workers: int | None
    resume: bool
    as_json: bool


def show(request: Request) -> int:
    """Compare, and write compare.json and the page; the exit status."""
    with stoppable():
        return _show(request)


def _show(request: Request) -> int:
    rules = tuple(dict.fromkeys(request.rules))
    if refused := next(filter(None, map(refusal, rules)), ""):
        raise ClickException(refused)
    problems = tuple(p for p in PROBLEMS if p in (request.problems or _possible()))
    try:
        seconds = budget.seconds_of(request.budget)
    except ValueError as error:
        raise ClickException(f"--budget: {error}") from error
    workers = request.workers or environment.usable_cpus()
    plan, found = _begun(request, rules, problems, seconds, workers)
    terminal.warn(f"{plan.runs} runs, of them {len(found)} at hand; steps: {_told(plan)}")
    with terminal.Counting("runs", plan.runs, quiet=request.as_json) as counting:
        counting.advance("", len(found))

        def ended(key: Key, _: Outcome) -> None:
            counting.advance(f"{key.problem} {key.rule} {key.rate:.2g}")

        try:
            campaign.make(plan, request.out, found, workers, ended)
        except Stopped:
            terminal.warn(f"{len(found)} of {plan.runs} runs are kept; --resume goes on from them")
            raise
    compared = _compared(plan, found, request)
    document = _document(plan, compared, found)
    text = certificate.dumps(certificate.plain(document))
    files.write_atomically(request.out / "compare.json", text)
    shown = page.sheet(compared)
    path = files.write_report(shown, request.out, "compare")
    for journal in campaign.journals(request.out):
        journal.unlink()
    if request.as_json:
        print(text, end="")
    else:
        terminal.show_path(path)
    return 0


def _possible() -> tuple[str, ...]:
    """The problems that can be run here: the transformer where torch is installed."""
    if importlib.util.find_spec("torch"):
        return PROBLEMS
    terminal.warn("torch is not installed: the transformer is not run")
    return CONVEX


def _begun(
    request: Request, rules: tuple[str, ...], problems: Sequence[str], seconds: float, workers: int
) -> tuple[Plan, dict[Key, Outcome]]:
    """The plan, and what of it is at hand: going on takes the steps from the journal."""
    before = campaign.journals(request.out)
    if not request.resume:
        if before:
            told = "is of a comparison that was stopped: --resume goes on from it, or remove it"
            raise ClickException(f"{before[0]} {told}")
        return Plan(rules, budget.steps_of(rules, problems, seconds, workers)), {}
    if not before:
        raise ClickException(f"--resume: no journal of a comparison in {request.out}")
    header, _ = campaign.read(before[0])
    plan = Plan(rules, {problem: header["steps"].get(problem, 0) for problem in problems})
    return plan, campaign.at_hand(request.out, plan)


def _told(plan: Plan) -> str:
    return ", ".join(f"{problem} {steps}" for problem, steps in plan.steps.items())


def _compared(plan: Plan, found: dict[Key, Outcome], request: Request) -> page.Compared:
    """All axes; the runs are made."""
    subjects = [subject(rule) for rule in plan.rules]
    terminal.warn("step times and certificates")
    tokens, parameters = 0, 0
    if TRANSFORMER in plan.steps:
        from truestep.reports.compare import language

        tokens, parameters = language.TOKENS, language.parameters()
    return page.Compared(
        plan.rules,
        plan.steps,
        {s.rule: exact.exact(s) for s in subjects},
        {problem: learned(problem, plan.rules, found) for problem in plan.steps},
        certified.certified(subjects, (request.out, request.certificates), request.out),
        timing.step_times(list(plan.rules)),
        tokens,
        parameters,
    )


def _document(plan: Plan, of: page.Compared, found: dict[Key, Outcome]) -> dict[str, object]:
    """All that the page shows, and every run."""
    return {
        "schema": SCHEMA,
        "not_evidence": page.NOT_EVIDENCE,
        "suite": environment.suite(),
        "environment": environment.environment(),
        "steps": dict(plan.steps),
        "rules": {
            rule: {
                "by": subject(rule).by,
                "hyper": asdict(subject(rule).hyper),
                "exact": of.exact[rule].to_json(),
                "certified": asdict(of.certified[rule]),
                "step_time": asdict(of.times[rule]) if rule in of.times else None,
                "learned": {problem: asdict(x[rule]) for problem, x in of.learned.items()},
            }
            for rule in plan.rules
        },
        "runs": [to_json(key, found[key]) for key in sorted(found)],
    }
