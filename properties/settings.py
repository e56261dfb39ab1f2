"""The options of the pytest plugin: command line, then environment, then ini file, then default.

Loaded by every pytest run where TrueStep is installed, so it imports nothing heavy.
"""

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import pytest

if TYPE_CHECKING:
    from truestep.fast.protocol import Level
    from truestep.properties.search.budget import Budget

LEVELS = ("smoke", "standard", "deep")


def _level(text: str) -> str:
    if text not in LEVELS:
        raise ValueError(f"must be one of {', '.join(LEVELS)}")
    return text


def _from_zero(text: str) -> int:
    if (number := int(text)) < 0:
        raise ValueError("must be at least 0")
    return number


def _from_one(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError("must be at least 1")
    return number


def _seconds(text: str) -> float:
    if not 0 < (number := float(text)) < float("inf"):
        raise ValueError("must be a number of seconds above 0")
    return number


@dataclass(frozen=True, slots=True)
class Option:
    """One option: --truestep-NAME, TRUESTEP_NAME and truestep_name.

    read: its value, of what was written; raises ValueError. several: it may be given several times,
    in the environment and in an ini file as words of a shell.
    """

    read: Callable[[str], object]
    metavar: str
    help: str
    default: object = None
    several: bool = False


OPTIONS: Mapping[str, Option] = {
    "backend": Option(
        str, "NAME", "backend to judge: a name, package.module:Name or file.py:Name; may be given "
        "several times (default: cpu)", ("cpu",), several=True,
    ),
    "level": Option(_level, "LEVEL", "how much to try: smoke, standard or deep", "standard"),
    "seed": Option(_from_zero, "N", "seed of the search (default: 0)", 0),
    "only": Option(str, "GLOB", "only checks whose id matches, or has this word"),
    "max-examples": Option(_from_one, "N", "try no more cases than this of each check"),
    "timeout": Option(_seconds, "SECONDS", "how long a check may take; one that runs out fails"),
    "xfails": Option(Path, "FILE", "checks that are known to fail: GLOB  # REASON in each line"),
    "skips": Option(Path, "FILE", "checks that are not run: GLOB  # REASON in each line"),
    "rules": Option(
        str, "FILE", "a rule of your own, which is executed: file.py or package.module; may be "
        "given several times", (), several=True,
    ),
    "record": Option(Path, "FILE", "write every check as a JSON line"),
}  # fmt: skip


def declare(parser: pytest.Parser) -> None:
    """Declare every option on the command line and in ini files."""
    group = parser.getgroup("truestep", "TrueStep conformance")
    for name, option in OPTIONS.items():
        variable = f"TRUESTEP_{_joined(name).upper()}"
        group.addoption(
            f"--truestep-{name}",
            action="append" if option.several else "store",
            metavar=option.metavar,
            help=f"{option.help} [{variable}]",
        )
        kind: Literal["args", "string"] = "args" if option.several else "string"
        parser.addini(
            f"truestep_{_joined(name)}",
            f"{option.help}; --truestep-{name} and {variable} come before it",
            type=kind,
            default=[] if option.several else "",
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run was asked. seconds and cases: None where there is no limit."""

    backends: tuple[str, ...]
    level: "Level"
    seed: int
    only: str | None
    cases: int | None
    seconds: float | None
    xfails: Path | None
    skips: Path | None
    record: Path | None
    rules: tuple[str, ...] = ()

    def budget(self) -> "Budget":
        """What each check may cost."""
        from truestep.properties.search.budget import Budget

        return Budget(self.cases, self.seconds)


def record_of(config: pytest.Config) -> Path | None:
    """Where every check is written to."""
    return cast(Path | None, _value(config, "record"))


def settings_of(config: pytest.Config) -> Settings:
    """What this run was asked; UsageError where a value is none of its option's."""
    values = {name: _value(config, name) for name in OPTIONS}
    values |= {"backends": tuple(dict.fromkeys(values.pop("backend")))}  # type: ignore[call-overload]
    values |= {"cases": values.pop("max-examples"), "seconds": values.pop("timeout")}
    values |= {"rules": tuple(cast(Sequence[str], values.pop("rules")))}
    return Settings(**values)  # type: ignore[arg-type]


def _value(config: pytest.Config, name: str) -> object:
    option = OPTIONS[name]
    place, words = _written(config, name)
    if not words:
        return option.default
    try:
        read = [option.read(word) for word in words]
    except ValueError as error:
        told = str(error) if "must" in str(error) else f"must be of the form {option.metavar}"
        raise pytest.UsageError(f"{place}: {told}, got {' '.join(words)!r}") from None
    return read if option.several else read[0]


def _written(config: pytest.Config, name: str) -> tuple[str, list[str]]:
    """Where an option is given, and what: none where it is not."""
    option, ini = OPTIONS[name], f"truestep_{_joined(name)}"
    if (given := config.getoption(f"--truestep-{name}")) is not None:
        return f"--truestep-{name}", given if option.several else [given]
    if given := os.environ.get(ini.upper(), ""):
        try:
            return ini.upper(), shlex.split(given) if option.several else [given]
        except ValueError as error:
            raise pytest.UsageError(f"{ini.upper()}: {error}, got {given!r}") from None
    given = config.getini(ini)
    place = f"{ini} of {config.inipath}"
    if option.several or not given:
        return place, list(given)
    if option.read is Path and config.inipath is not None:
        return place, [str(config.inipath.parent / given)]
    return place, [given]


def _joined(name: str) -> str:
    return name.replace("-", "_")
