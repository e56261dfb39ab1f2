from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from truestep.reports import isolation
from truestep.reports.isolation import CannotReplay, Replayer

CHECK = {"id": "a/b", "verdict": "pass", "utilisation": 0.5, "message": ""}


@pytest.fixture
def replayer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A replayer of backend "cpu" whose process has the runner of replay_worker."""
    # A spawned process gets this process's sys.path, and there finds the module by its name.
    monkeypatch.syspath_prepend(Path(__file__).parent)
    worker = importlib.import_module("replay_worker")
    monkeypatch.setattr(isolation, "_serve", worker.serve)
    with Replayer("cpu", patience=30.0) as made:
        yield made


def test_lost_process_is_reported_and_replaced(replayer: Any) -> None:
    """A crash is that check's outcome; the next check is replayed as if nothing had happened."""
    assert replayer.replay(CHECK)["message"] == "cpu"
    died = replayer.replay({**CHECK, "id": "die"})
    assert died["verdict"] == "crashed" and died["message"] == "the process died of SIGABRT"
    left = replayer.replay({**CHECK, "id": "leave"})
    assert left["message"] == "the process exited with status 7" and left["utilisation"] is None
    with pytest.raises(CannotReplay, match="cpu has no such check"):
        replayer.replay({**CHECK, "id": "refuse"})


def test_hanging_replay_is_stopped(replayer: Any) -> None:
    """After the patience the process is killed and the check counts as crashed."""
    replayer.replay(CHECK)
    replayer._patience = 0.2
    found = replayer.replay({**CHECK, "id": "hang"})
    assert found["verdict"] == "crashed" and "no answer within 0.2 s" in found["message"]
