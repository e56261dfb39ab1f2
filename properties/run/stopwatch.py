"""How long a process has been at work, on a machine that may pause it or do much else."""

import os
import time
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
# Seconds for which somebody else may have stopped a process; beyond, it has stopped itself.
_PARDONED = 180.0
# Below this share of a processor a process waits rather than computes.
_IDLE = 0.05


class Stopwatch:
    """Seconds that a process has had, as far as they are its own.

    Looked at every so often. A process that computes is charged its processor time, one that
    waits the time that passes, but never more than a look is due to take: a machine that was asleep
    is no fault of the process; nor is it that somebody has stopped it, for a while.
    """

    def __init__(self, pid: int, look: float) -> None:
        """look: seconds between two looks."""
        self._pid, self._look = pid, look
        self.seconds = self._stopped = 0.0
        self._seen, self._used = time.monotonic(), -1.0

    def look(self) -> float:
        """The seconds up to now."""
        now = time.monotonic()
        passed = min(now - self._seen, 2 * self._look)
        state, used = self._state()
        # Only from the first look on: most processes answer before it.
        computed = used - self._used if self._used >= 0 else 0.0
        if state in "Tt":
            self._stopped += passed
        else:
            waits = computed <= _IDLE * passed and state != "R"
            self.seconds += passed if waits else min(computed, passed)
        self._seen, self._used = now, used
        return self.seconds + max(0.0, self._stopped - _PARDONED)

    def _state(self) -> tuple[str, float]:
        """The process's state as ps(1) shows it, and its processor seconds."""
        try:
            fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return "Z", 0.0
        return fields[0], (int(fields[11]) + int(fields[12])) / _TICKS
