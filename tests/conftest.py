"""Settings of every test: one OpenMP thread per process, and Hypothesis without a clock."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator

import pytest

# Read when an OpenMP runtime starts, so before anything imports one. Two workers with two threads
# each on two cores run 80 times slower than with one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings

# Workers share the machine's cores, so the time that one example takes says nothing. Where CI is
# set, Hypothesis's own profile "ci" applies: derandomized, also without a deadline.
settings.register_profile("shared_cores", deadline=None, print_blob=True)
if not os.environ.get("CI"):
    settings.load_profile("shared_cores")

# As often as in a judge's process: the tests make as many objects, and as few cycles.
gc.set_threshold(50_000)


@pytest.fixture
def own_rules() -> Iterator[None]:
    """Rules of one's own that a test loads are gone after it."""
    from truestep.properties.kinds.optimizer.laws import table
    from truestep.properties.kinds.optimizer.laws.laws import LAWS
    from truestep.reference import own
    from truestep.reference.storages import STORAGES
    from truestep.reference.tables import RULES

    kept = [(held, dict(held)) for held in (own.OWN, STORAGES, table.OWN, LAWS, *RULES.values())]
    modules, path = set(sys.modules), list(sys.path)
    yield
    for held, before in kept:
        held.clear()  # type: ignore[attr-defined]
        held.update(before)  # type: ignore[attr-defined]
    for name in set(sys.modules) - modules:
        if name.startswith(own.PACKAGE):
            del sys.modules[name]
    sys.path[:] = path
