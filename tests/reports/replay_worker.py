"""A replaying process whose runner does what the check's id says."""

from __future__ import annotations

import os
import sys
import time
import types
from typing import Any

from truestep.reports.isolation import _serve


class Outcome:
    """What the runner's replay returns, as far as it is used."""

    def __init__(self, found: Any) -> None:
        self.found = found

    def to_json(self) -> Any:
        """The check as JSON."""
        return self.found


def replay(backend: str, check: Any) -> Outcome:
    """Die, leave, hang, refuse, or give the check back."""
    if check["id"] == "die":
        os.abort()
    if check["id"] == "leave":
        os._exit(7)
    if check["id"] == "hang":
        time.sleep(60)
    if check["id"] == "refuse":
        raise ValueError(f"{backend} has no such check")
    return Outcome({**check, "message": backend})


def serve(pipe: Any, spec: str) -> None:
    """The process's life, with the runner above."""
    runner: Any = types.SimpleNamespace(replay=replay)
    sys.modules["truestep.properties.run.pool"] = runner
    _serve(pipe, spec)
