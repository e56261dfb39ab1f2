"""The command line.

Exit status: 0 all judged checks pass, 1 something fails, 2 it could not run. Standard output
carries the answer; progress, warnings and errors go to standard error, an error as one line.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from truestep.fast.protocol import Level
    from truestep.reports.certificate import Certificate

LEVELS = ("smoke", "standard", "deep")
TOPICS = (
    "optimizers", "schedules", "quantizers", "training", "arithmetics", "backends", "laws",
    "theorems", "museum",
)  # fmt: skip

_CERTIFICATE = click.Path(path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document alone.")
_OUT = click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("truestep-report"),
    show_default=True, help="Folder for certificates and reports.",
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

    Exit status: 0 all judged checks pass, 1 something fails, 2 it could not run.
    """


@commands.command("list")
@click.argument("topic", type=click.Choice(TOPICS), required=False)
@_JSON
def list_command(topic: str | None, as_json: bool) -> int:
    """Show what there is: rules, backends, laws, theorems, planted faults."""
    from truestep.reports import certificate, listing, terminal

    found = {name: listing.TOPICS[name]() for name in ([topic] if topic else TOPICS)}
    if as_json:
        flat = [{"topic": name, **entry} for name, entries in found.items() for entry in entries]
        click.echo(certificate.dumps(certificate.plain(flat)), nl=False)
    else:
        terminal.show_list(found)
    return 0


@commands.command()
@click.argument("backend", nargs=-1, required=True)
@click.option("--only", metavar="GLOB", help="Only checks whose id matches or has this word.")
@click.option("--level", type=click.Choice(LEVELS), default="standard", show_default=True)
@_OUT
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("-n", "workers", type=click.IntRange(min=1), help="Processes; one per CPU if absent.")
@_JSON
def certify(
    backend: tuple[str, ...], only: str | None, level: Level, out: Path, seed: int,
    workers: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Judge each BACKEND: a name of `list backends`, package.module:Name, or file.py:Name.

    Of several backends each has its certificate, and report.html shows them side by side; --json
    prints a list of certificates.
    """
    from truestep.reports import run

    return run.certify(backend, run.Request(only, level, seed, workers, out, as_json))


@commands.command()
@click.argument("certificate", type=_CERTIFICATE)
@click.option("--check", metavar="ID", help="Only the check with this id (or glob).")
def reproduce(certificate: Path, check: str | None) -> int:
    """Re-run the worst cases and counterexamples that CERTIFICATE records."""
    from truestep.reports import run

    return run.reproduce(certificate, read(certificate), check)


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
    from truestep.reports import files, page

    shown = page.build([read(path) for path in certificate])
    click.echo(files.write_report(shown, out, "report"))
    return 0


@commands.command()
@click.option("--only", metavar="GLOB", help="Only faults whose name matches.")
@_JSON
def power(only: str | None, as_json: bool) -> int:
    """Plant the museum's faults, show what catches each. Ends with 1 if one escapes."""
    from truestep.reports.power import show

    return show(only, as_json)


@commands.command()
@click.option("--rounds", type=click.IntRange(min=1), default=9, show_default=True)
@_JSON
def bench(rounds: int, as_json: bool) -> int:
    """Time our kernels against memory traffic alone and the installed libraries, as ratios."""
    from truestep.reports.bench import show

    return show(rounds, as_json)


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
    except (click.Abort, KeyboardInterrupt):
        return _refuse("stopped")
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


def _refuse(message: str) -> int:
    click.echo(f"truestep: {message}", err=True)
    return 2


def _silence_stdout() -> None:
    # What is still buffered cannot be written either; the interpreter must not complain at exit.
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)


def main() -> NoReturn:
    """The console script."""
    sys.exit(run_command())


if __name__ == "__main__":
    main()
