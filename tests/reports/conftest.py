"""Invented runs in place of the engine's, and certificates made from their results."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from truestep.reports import certificate
from truestep.reports.cli import run_command


def _fake_runner_module() -> Any:
    # Loaded by path: with --import-mode=importlib the tests' folder is not on sys.path.
    name = "truestep_fake_runner"
    if name not in sys.modules:
        location = importlib.util.spec_from_file_location(
            name, Path(__file__).with_name("fake_runner.py")
        )
        assert location is not None and location.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(location)
        location.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def fakes() -> Any:
    """The module of invented results."""
    return _fake_runner_module()


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, fakes: Any) -> Any:
    """The invented runs, in place of the engine's at the two sites that call it."""
    fake = fakes.FakeRunner()
    monkeypatch.setattr("truestep.properties.run.pool.certify_all", fake.certify_all)
    monkeypatch.setattr("truestep.reports.reproduce.Replayer", fake.replayer)
    # Findings about real libraries must not decide tests of the mechanism.
    monkeypatch.setattr("truestep.fast.peers.findings.FINDINGS", ())
    return fake


@pytest.fixture(scope="session")
def make(fakes: Any) -> Callable[..., dict[str, Any]]:
    """Builds a signed certificate from results (by default one of each verdict)."""

    def build(
        results: Any = None, *, spec: str = "cpu", seed: int = 0, **fields: Any
    ) -> dict[str, Any]:
        header = certificate.header_of(spec, None, "smoke", seed)
        checks = [r.to_json() for r in (fakes.small() if results is None else results)]
        return certificate.build(
            header=header, checks=checks, **{"complete": True, "seconds": 1.0, **fields}
        )

    return build


@pytest.fixture
def save(tmp_path: Path, make: Callable[..., dict[str, Any]]) -> Callable[..., Path]:
    """Writes a certificate to a file and returns its path."""

    def write(name: str = "cpu.json", results: Any = None, **fields: Any) -> Path:
        path = tmp_path / name
        path.write_text(certificate.dumps(make(results, **fields)))
        return path

    return write


@pytest.fixture
def truestep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line in an empty folder: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def call(*arguments: Any) -> tuple[int, str, str]:
        status = run_command([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call
