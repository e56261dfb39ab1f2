"""The command line.

Exit status: 0 all judged checks pass, 1 something fails, 2 it could not run; stopped by a signal,
what a shell expects of a process that one ended: 130 after Ctrl-C, 143 after SIGTERM, 129 after
SIGHUP. Standard output carries the answer; progress, warnings and errors go to standard error, an
error as one line.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from truestep.reference.own import BrokenRule
from truestep.reports.stopping import Stopped
from truestep.reports.visible import one_line

if TYPE_CHECKING:
    from truestep.fast.protocol import Level
    from truestep.reports.certificate import Certificate
    from truestep.reports.recording import Engine

LEVELS = ("smoke", "standard", "deep")
TOPICS = (
    "optimizers", "schedules", "quantizers", "training", "arithmetics", "backends", "checks",
    "laws", "theorems", "museum",
)  # fmt: skip

_CERTIFICATE = click.Path(path_type=Path)
_SEED = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document alone.")
_OUT = click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("truestep-report"),
    show_default=True, help="Folder for certificates and reports.",
)  # fmt: skip

_PAGE = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a page, as HTML and Markdown, into this folder.",
)


def _with_rules(context: click.Context, _: click.Parameter, named: tuple[str, ...]) -> None:
    from truestep.reference import own

    own.load(*named)


_RULES = click.option(
    "--rules", metavar="FILE", multiple=True, expose_value=False, is_eager=True,
    callback=_with_rules,
    help="A rule of your own, which is executed: file.py or package.module. May be repeated.",
)  # fmt: skip


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=lambda context, _, wanted: _version(context, wanted),
    help="Show the version and exit.",
)
def commands() -> None:
    """Judge kernels of optimizers, schedules and quantizers against what their definitions say.

    Exit status: 0 all judged checks pass, 1 something fails, 2 it could not run; 130 after Ctrl-C.
    """


@commands.command("list")
@click.argument("topic", type=click.Choice(TOPICS), required=False, metavar="[TOPIC]")
@_RULES
@_JSON
def list_command(topic: str | None, as_json: bool) -> int:
    """Show what there is of each TOPIC, or of one.

    optimizers, schedules, quantizers, training, arithmetics, backends, checks, laws, theorems,
    museum: planted faults.
    """
    from truestep.reference import own
    from truestep.reports import certificate, listing, terminal

    for problem in own.found():
        terminal.warn(problem)
    found = {name: listing.TOPICS[name]() for name in ([topic] if topic else TOPICS)}
    if as_json:
        flat = [{"topic": name, **entry} for name, entries in found.items() for entry in entries]
        click.echo(certificate.dumps(certificate.plain(flat)), nl=False)
    else:
        terminal.show_list(found)
    return 0


@commands.command()
@click.argument("rule")
@_RULES
def show(rule: str) -> int:
    """Explain one RULE: its definition, hyperparameters, state, dialects and checks."""
    from truestep.reports import shown, terminal

    try:
        found = shown.shown(rule)
    except shown.UnknownRule as error:
        raise click.ClickException(str(error)) from error
    terminal.show_rules(found)
    return 0


@commands.command()
@click.argument("rule")
@click.option("--numpy", is_flag=True, help="In NumPy: the reference's lines, to be replaced.")
@click.option(
    "--torch", metavar="SPEC", help="Of an optimizer: package.module:Class, file.py:Class."
)
@click.option("--ctypes", type=_CERTIFICATE, metavar="LIB", help="Of RULE_step in a C library.")
@click.option(
    "--out", type=_CERTIFICATE, metavar="FILE", help="The file.  [default: RULE_backend.py]"
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
def init(
    rule: str, numpy: bool, torch: str | None, ctypes: Path | None, out: Path | None, force: bool
) -> int:
    """Write a starting adapter of an optimizer, which names RULE, and print its path.

    Names are paired by running the class of --torch, which imports it.
    """
    from truestep.reports import starting, terminal

    if numpy + (torch is not None) + (ctypes is not None) != 1:
        raise click.ClickException("give one of --numpy, --torch SPEC, --ctypes LIB")
    path = out or Path(f"{rule}_backend.py")
    if told := starting.write(rule, torch=torch, ctypes=ctypes, out=path, force=force):
        terminal.warn(told)
    terminal.show_path(path)
    return 0


@commands.command()
@click.argument("backend", nargs=-1, required=True)
@click.option("--as", "rule", metavar="RULE", help="The rule that a wrapped BACKEND is judged as.")
@_RULES
@click.option("--only", metavar="GLOB", help="Only checks whose id matches or has this word.")
@click.option("--level", type=click.Choice(LEVELS), default="standard", show_default=True)
@_OUT
@_SEED
@click.option("-n", "workers", type=click.IntRange(min=1), help="Processes; one per CPU if absent.")
@click.option(
    "--resume", type=_CERTIFICATE, metavar="PATH", help="Go on from a stopped run's journal."
)
@click.option("--force", is_flag=True, help="Overwrite certificates of other runs.")
@click.option("--shard", metavar="I/N", help="Only part I of N of the checks, to be merged.")
@click.option(
    "--costs",
    type=_CERTIFICATE,
    metavar="CERTIFICATE",
    help="An earlier certificate whose seconds balance the shards; the same for all of them.",
)
@click.option(
    "--engine",
    type=click.Choice(("processes", "ray")),
    default="processes",
    show_default=True,
    help="What runs the checks: this machine's processes, or a Ray cluster.",
)
@click.option(
    "--needs",
    multiple=True,
    metavar="'GLOB NAME=AMOUNT'",
    help="With --engine ray: what checks ask for whose backend/id matches, as 'cuda/* GPU=1'.",
)
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="With --engine ray: how often checks are run again whose worker was lost.",
)
@click.option("--fail-fast", is_flag=True, help="Run no more of a backend's checks once one fails.")
@click.option("--strict", is_flag=True, help="End with 1 where only departures are known, too.")
@click.option("--xfails", type=_CERTIFICATE, metavar="FILE", help="Checks that are known to fail.")
@click.option("--skips", type=_CERTIFICATE, metavar="FILE", help="Checks that are not run.")
@click.option("--sarif", type=_CERTIFICATE, metavar="FILE", help="Write what fails as SARIF 2.1.0.")
@click.option(
    "--annotate", type=click.Choice(["auto", "github", "no"]), default="auto", show_default=True,
    help="Print what fails as annotations; auto: where GITHUB_ACTIONS is set.",
)  # fmt: skip
@_JSON
def certify(
    backend: tuple[str, ...], rule: str | None, only: str | None, level: Level, out: Path,
    seed: int, workers: int | None, resume: Path | None, force: bool, shard: str | None,
    costs: Path | None, engine: str, needs: tuple[str, ...], retries: int, fail_fast: bool,
    strict: bool, xfails: Path | None, skips: Path | None, sarif: Path | None, annotate: str,
    as_json: bool,
) -> int:  # fmt: skip
    """Judge each BACKEND: a name of `list backends`, package.module:Name, or file.py:Name.

    What has no adapter is wrapped: torch:package.module:Name of a torch.optim.Optimizer, or
    torch:file.py:Name; --as names the rule, which is found where it is not given.

    Of several backends each has its certificate, and report.html shows them side by side; --json
    prints a list of certificates. A run replaces its own earlier certificate in the folder; beside
    one of another level, seed, selection, backend or version it takes a name of its own.

    A run that is stopped keeps its results in NAME.partial.jsonl, which --resume goes on from: give
    that file or its folder, and the same backend, --only, --level and --seed. Exit status after
    Ctrl-C 130, after SIGTERM 143, after SIGHUP 129.

    A backend may pass but for departures: choices that neither the paper nor its documentation
    promises, which its adapter declares, and findings that no check can reach. Each is told.

    A line of --xfails or --skips is GLOB  # REASON, the glob over ids of checks (NAME/ID for those
    of one backend). Failures that --xfails lists do not count for the exit status; a listed check
    that passes does, and an entry that matches no check is an error.

    With --shard the certificate is of a part of the run, NAME-I-of-N.json, and `truestep merge`
    makes one of all parts. What is in a part depends on the checks, on N and on --costs alone.
    """
    from truestep.reports import known, run
    from truestep.reports.alerts import Alerts

    if shard and fail_fast:
        raise click.ClickException("--fail-fast: which checks it leaves out of a shard is chance")
    if costs and not shard:
        raise click.ClickException(f"--costs {costs}: balances shards; give --shard I/N")
    if needs and engine != "ray":
        raise click.ClickException(f"--needs {needs[0]!r}: asks a cluster; give --engine ray")
    if engine == "ray" and (shard or fail_fast or workers or skips):
        raise click.ClickException("--engine ray: takes no --shard, --fail-fast, --skips or -n")
    if rule:
        from truestep.fast.wrapped.specs import judged_as

        try:
            backend = tuple(judged_as(spec, rule) for spec in backend)
        except ValueError as error:
            raise click.ClickException(str(error)) from error
    request = run.Request(
        only, level, seed, workers, out, as_json, resume, force, fail_fast, strict,
        known.Lists.read(xfails, skips), Alerts.asked(sarif, annotate),
        run.sharding(shard, None if costs is None else read(costs)) if shard else None, costs,
        _ray(needs, retries) if engine == "ray" else None,
    )  # fmt: skip
    return run.certify(backend, request)


def _ray(needs: tuple[str, ...], retries: int) -> Engine:
    from truestep.reports import ray_engine

    return ray_engine.engine(needs, retries)


@commands.command()
@click.argument("certificate", type=_CERTIFICATE, nargs=-1, required=True)
@_OUT
@click.option("--force", is_flag=True, help="Overwrite certificates of other runs.")
@_JSON
def merge(certificate: tuple[Path, ...], out: Path, force: bool, as_json: bool) -> int:
    """Make one certificate of those of all shards of a run, as one machine would have made it.

    Refuses a shard that is missing or there twice, and shards of different backends, levels, seeds,
    selections, suites, libraries or hardware. The exit status is the verdict's.
    """
    from truestep.reports import merge as merging

    shards = {str(path): read(path) for path in certificate}
    return merging.merge(shards, out, force=force, as_json=as_json)


@commands.command()
@click.argument("path", type=_CERTIFICATE)
@click.option("--as", "rule", metavar="RULE", required=True, help="The rule that it is judged as.")
@click.option(
    "--set", "dialect", multiple=True, metavar="FIELD=VALUE", help="A choice of the rule."
)
@click.option("--hyper", multiple=True, metavar="FIELD=VALUE", help="Judge at this number alone.")
@click.option("--arithmetic", default="", metavar="NAME", help="How it rounds.")
@click.option("--only", metavar="GLOB", help="Only checks whose id matches or has this word.")
@click.option("--level", type=click.Choice(LEVELS), default="standard", show_default=True)
@_OUT
@click.option("--seed", type=click.IntRange(min=0), help="Of the inputs; drawn where not given.")
@_JSON
def referee(
    path: Path, rule: str, dialect: tuple[str, ...], hyper: tuple[str, ...], arithmetic: str,
    only: str | None, level: Level, out: Path, seed: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Judge the submission at PATH to a published task as a RULE: in a process of its own, timed,
    and judged again on fresh inputs.

    PATH is a KernelBench module, a GPU MODE submission or a FlashInfer-Trace solution, or a folder
    with one. The time of a step is told as a multiple of a copy of its bytes; it decides nothing.
    """
    from truestep.reports import referee as refereeing

    request = refereeing.Request(only, level, out, seed, as_json)
    return refereeing.referee(path, rule, (*dialect, *hyper), arithmetic, request)


@commands.command()
@click.argument("rule")
@click.option(
    "--as", "collection", required=True, help="The collection whose form the task has.",
    type=click.Choice(("flashinfer", "gpumode", "kernelbench")),
)  # fmt: skip
@click.option("--set", "dialect", multiple=True, metavar="FIELD=VALUE", help="A choice.")
@click.option("--hyper", multiple=True, metavar="FIELD=VALUE", help="A number to start from.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("truestep-tasks"),
    show_default=True, help="The task becomes a folder in this one.",
)  # fmt: skip
def export(
    rule: str, collection: str, dialect: tuple[str, ...], hyper: tuple[str, ...], out: Path
) -> int:
    """Write one step of RULE as a task of a published collection, checked by TrueStep's bound.

    Its solution is the rule's own lines in plain torch.
    """
    from truestep.reports.export import show

    return show.export(rule, collection, (*dialect, *hyper), out)


@commands.command()
@click.argument("certificate", type=_CERTIFICATE)
@click.option("--check", metavar="ID", help="Only checks with this id, glob or word.")
@click.option("--backend", metavar="SPEC", help="Load this backend, without asking.")
@_RULES
@click.option("--alone", is_flag=True, help="Print a program that needs NumPy alone; run nothing.")
def reproduce(certificate: Path, check: str | None, backend: str | None, alone: bool) -> int:
    """Re-run the worst cases and counterexamples that CERTIFICATE records.

    Loading the backend that it names runs that backend's code, and is asked for first. So does a
    rule of somebody's own, which is never loaded unless --rules names it. With --alone the simplest
    counterexample is printed as a program that needs neither of them nor TrueStep.
    """
    from truestep.reports import reproduce as replays

    if alone:
        click.echo(replays.alone(certificate, read(certificate), check), nl=False)
        return 0
    return replays.reproduce(certificate, read(certificate), check, backend)


@commands.command()
@click.argument("certificate", type=_CERTIFICATE)
@click.option(
    "--key", type=_CERTIFICATE, required=True, metavar="FILE",
    help="Private Ed25519 key: PEM or OpenSSH, without password.",
)  # fmt: skip
def sign(certificate: Path, key: Path) -> int:
    """Sign CERTIFICATE: write CERTIFICATE.sig beside it. Needs the extra "sign"."""
    from truestep.reports import attest

    return attest.sign(certificate, read(certificate), key)


@commands.command()
@click.argument("certificate", type=_CERTIFICATE, nargs=-1, required=True)
@click.option(
    "--key", type=_CERTIFICATE, metavar="FILE", help="Public key of the one who must have signed."
)
@click.option("--current", is_flag=True, help="End with 1 where one has expired, too.")
def verify(certificate: tuple[Path, ...], key: Path | None, current: bool) -> int:
    """Say whether each CERTIFICATE is whole, which suite made it, and who signed it.

    Ends with 0 if all are whole and no signature is wrong, with --key if that key signed all; with
    1 if not, and with 2 if a file could not be read. The verdicts in them do not matter. One whose
    suite, libraries or hardware are not those of this machine any more is told to have expired.
    """
    from truestep.reports import attest

    if key is not None:
        attest.known(key)
    return max(attest.verify(path, key, current=current) for path in certificate)


@commands.command()
@click.argument("old", type=_CERTIFICATE)
@click.argument("new", type=_CERTIFICATE)
def diff(old: Path, new: Path) -> int:
    """Show what got worse, better, new or missing. Ends with 1 if a check regressed."""
    from truestep.reports import terminal
    from truestep.reports.diff import difference

    found = difference(read(old), read(new))
    terminal.show_difference(found)
    return 1 if found.regressed else 0


@commands.command()
@click.argument("certificate", type=_CERTIFICATE, nargs=-1, required=True)
@_OUT
def report(certificate: tuple[Path, ...], out: Path) -> int:
    """Render certificates side by side as HTML and Markdown.

    The journal of a killed run (NAME.partial.jsonl) is accepted too. Ends with 0 once the report is
    written, whatever the verdicts in it.
    """
    import gc

    from truestep.reports import expiry, files, page

    # All that is read stays until the end: looking for garbage would take half of the time.
    gc.disable()
    shown = page.build([read(path) for path in certificate], expiry.here())
    click.echo(files.write_report(shown, out, "report"))
    return 0


@commands.command()
@click.option("--only", metavar="GLOB", help="Only faults whose name matches.")
@_JSON
def power(only: str | None, as_json: bool) -> int:
    """Plant the museum's faults, show what catches each. Ends with 1 if one escapes."""
    from truestep.reports.power import show

    return show(only, as_json)


@commands.command("mutants")
@_RULES
@click.option("--only", metavar="GLOB", help="Only rules whose kind/name matches.")
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Of the changes only the first of so many.",
)
@_SEED
def mutants_(only: str | None, every: int, seed: int) -> int:
    """Run every small change of the references' lines as a kernel.

    Ends with 1 if one passes for which properties/museum/survivors.toml has no reason. Modules that
    rules share go by the name shared/MODULE.
    """
    from truestep.reports.mutation import show

    return show(only, seed, every)


@commands.command()
@click.option("--only", metavar="GLOB", help="Only faults whose name matches.")
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=12,
    show_default=True,
    help="Of the faults only the first of so many; 1 runs all.",
)
@_PAGE
@_JSON
def audit(only: str | None, every: int, out: Path | None, as_json: bool) -> int:
    """Judge the museum's faults by acceptance rules that other suites have published.

    Ends with 1 if this suite lets one through.
    """
    from truestep.reports.audit import show

    return show(only, every, as_json, out)


@commands.command()
@click.argument("rules", nargs=-1)
@click.option("--rounds", type=click.IntRange(min=1), default=9, show_default=True)
@click.option("--sweep", is_flag=True, help="One tensor of 10^3 to 10^8 elements, with a plot.")
@_PAGE
@_JSON
def bench(rules: tuple[str, ...], rounds: int, sweep: bool, out: Path | None, as_json: bool) -> int:
    """Time our kernels of RULES, or of all, against memory traffic and the installed libraries.

    Ratios, from rounds in which each has its turn in one process.
    """
    from truestep.reports.bench import show

    return show(rounds, as_json, rules, sweep=sweep, out=out)


@commands.command()
@click.argument("rules", nargs=-1, required=True)
@click.option(
    "--budget", default="40m", show_default=True, metavar="TIME",
    help="Time that all runs may take, as 90s, 40m or 2h.",
)  # fmt: skip
@click.option("--on", "problems", multiple=True, metavar="PROBLEM", help="Only on this problem.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("truestep-compare"),
    show_default=True, help="Folder for the page, the document and the journal.",
)  # fmt: skip
@click.option(
    "--certificates", type=click.Path(path_type=Path, file_okay=False), show_default=True,
    default=Path("truestep-report"), help="Look here too for certificates of our kernels.",
)  # fmt: skip
@click.option("-n", "workers", type=click.IntRange(min=1), help="Processes; one per CPU if absent.")
@click.option("--resume", is_flag=True, help="Go on from the journal of a stopped comparison.")
@_JSON
def compare(
    rules: tuple[str, ...], budget: str, problems: tuple[str, ...], out: Path, certificates: Path,
    workers: int | None, resume: bool, as_json: bool,
) -> int:  # fmt: skip
    """Compare RULES on several axes at once; on small problems, no evidence for large models.

    Counted on the references: state, operations, bytes moved, length of the text. Learned: the loss
    of a small transformer and of convex problems at the end of a fixed decay, of fresh seeds at the
    best of nine rates, with ranks between which each rule lies. Timed: our step against memory's
    own speed. Proven: whether the row is the rule that it names.

    The steps of the transformer follow from --budget, and are the same for all. A comparison that
    is stopped, however it is, goes on with --resume and the same RULES and --on.
    """
    from truestep.reports.compare import show

    for problem in problems:
        if problem not in show.PROBLEMS:
            told = f"--on: no problem {problem!r}; there are {', '.join(show.PROBLEMS)}"
            raise click.ClickException(told)
    request = show.Request(rules, problems, budget, out, certificates, workers, resume, as_json)
    return show.show(request)


@commands.command()
@_SEED
@_PAGE
@_JSON
def claims(seed: int, out: Path | None, as_json: bool) -> int:
    """Decide what is often said of SGD: each claim by an experiment, beside what is true.

    Ends with 1 where an experiment contradicts itself or its control.
    """
    from truestep.reports.claims import show

    return show(seed, as_json, out)


@commands.command()
@click.argument("backends", nargs=-1)
@_OUT
@_JSON
def atlas(backends: tuple[str, ...], out: Path, as_json: bool) -> int:
    """Write a page of the forms in which each BACKEND, or every library, computes its rules."""
    from truestep.reports.atlas import show

    return show(backends, out, as_json)


@commands.command()
@click.argument("backends", nargs=-1)
@_PAGE
@_JSON
def interchange(backends: tuple[str, ...], out: Path | None, as_json: bool) -> int:
    """Let each BACKEND read what every other has stored in the formats that both have.

    Ends with 1 if a number is read wrong or refused.
    """
    from truestep.reports.interchange import show

    return show(backends, out, as_json)


def _version(context: click.Context, wanted: bool) -> None:
    """Works from a source tree too, where click's own option finds no distribution."""
    if wanted:
        from truestep.reports.environment import suite

        click.echo(f"truestep {suite()['version']}")
        context.exit()


def read(path: Path) -> Certificate:
    """A certificate or journal; the error names the file and what is wrong with it."""
    from truestep.reports import certificate

    try:
        return certificate.read(path)
    except certificate.BadCertificate as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror or error}") from error


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; every error becomes a line on standard error."""
    try:
        status = commands.main(arguments, prog_name="truestep", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        return _refuse(error.format_message())
    except BrokenRule as error:
        return _refuse(str(error))
    except Stopped as signal:
        return _refuse(f"stopped by {signal}", signal.status)
    except (click.Abort, KeyboardInterrupt) as error:
        by_key = isinstance(error, KeyboardInterrupt) or isinstance(
            error.__cause__, KeyboardInterrupt
        )
        return _refuse("stopped", 130 if by_key else 2)
    except MemoryError:
        return _refuse("out of memory")
    except BrokenPipeError:
        _silence_stdout()
        return 2
    except OSError as error:
        _silence_stdout()
        where = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{where}{error.strerror or error}")
    except Exception as error:
        traceback.print_exc()
        return _refuse(f"internal error, please report it: {type(error).__name__}: {error}")
    return int(status or 0)


def _refuse(message: str, status: int = 2) -> int:
    click.echo(f"truestep: {one_line(message)}", err=True)
    return status


def _silence_stdout() -> None:
    # What is still buffered cannot be written either; the interpreter must not complain at exit.
    import os

    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)


def main() -> NoReturn:
    """The console script."""
    sys.exit(run_command())


if __name__ == "__main__":
    main()
