"""Settings of every test: one OpenMP thread per process, and Hypothesis without a clock."""

from __future__ import annotations

import gc
import os

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
