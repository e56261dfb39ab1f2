"""A run whose processes are killed or stopped loses nothing, leaves nothing, and blames nobody."""

from __future__ import annotations

import importlib
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.power


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The harness."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("kills")


def test_a_run_outlives_what_is_done_to_its_processes(kills: Any) -> None:
    """Results at hand are kept, and going on makes them whole; a healthy backend passes."""
    due = kills.checks()
    assert len(due) > 10
    hits = [
        kills.Hit("run", signal.SIGKILL, 2.5),
        kills.Hit("run", signal.SIGTERM, 3.0),
        kills.Hit("judge", signal.SIGKILL, 2.5),
        kills.Hit("backend", signal.SIGKILL, 3.0),
        kills.Hit("backend", signal.SIGSTOP, 2.5, 0.5),
    ]
    with ThreadPoolExecutor(2) as pool:
        assert [
            line for found in pool.map(lambda x: kills.problems(x, due), hits) for line in found
        ] == []
