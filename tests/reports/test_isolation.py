from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click import ClickException

from truestep.fast import discovery
from truestep.properties.run.plan import checks_of, run_check
from truestep.reports import certificate
from truestep.reports.isolation import CannotReplay, Replayer

# Variants of SGD that are lost, each in its own way, once the step counter passes 2^24.
SPEC = f"{Path(__file__).parents[1] / 'properties' / 'run' / 'misbehaving.py'}:Backend"


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    """The check of each variant that meets its misbehaviour, as a certificate records it."""
    backend = discovery.load(SPEC)
    checks = {
        c.capability.variant: c for c in checks_of(backend) if c.name == "counter_beyond_float32"
    }
    done = run_check(backend, checks["raises"], level="smoke", seed=0)
    entry = json.loads(certificate.dumps(certificate.plain(done.to_json())))
    return {variant: {**entry, "id": check.id} for variant, check in checks.items()}


@pytest.fixture
def replayer() -> Iterator[Replayer]:
    """A replayer whose process loads the backend from its file."""
    with Replayer(SPEC, patience=60.0) as made:
        yield made


def test_lost_process_is_reported_and_replaced(
    replayer: Replayer, recorded: dict[str, Any]
) -> None:
    """A crash is that check's outcome; the next check is replayed as if nothing had happened."""
    assert replayer.replay(recorded["prints"]).verdict == "pass"
    died = replayer.replay(recorded["segfault"])
    assert died.verdict == "crashed" and "the process died of SIGSEGV" in died.message
    left = replayer.replay(recorded["exit"])
    assert "the process exited with status 7" in left.message and left.utilisation is None
    with pytest.raises(CannotReplay, match="misbehaving has no check 'a/b'"):
        replayer.replay({**recorded["prints"], "id": "a/b"})


def test_hanging_replay_is_stopped(recorded: dict[str, Any]) -> None:
    """After the patience the process is killed and the check counts as crashed."""
    with Replayer(SPEC, patience=0.2) as replayer:
        found = replayer.replay(recorded["hang"])
    assert found.verdict == "crashed" and "no answer within 0.2 s" in found.message


def test_what_cannot_be_loaded_is_said_in_one_line() -> None:
    """Before anything is replayed."""
    with pytest.raises(ClickException, match="no such file"):
        Replayer("nowhere.py:Backend", patience=1.0)
