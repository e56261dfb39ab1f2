"""The judge reads mutated answers: each ends as a result or in an exception that is due."""

from __future__ import annotations

import importlib
import random
import resource
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from truestep.properties.run import remote

# All kinds of ends, some of them rare.
COUNT = 300
MEGABYTE = 2**20


@pytest.fixture
def mutations(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The mutations, and no process in the place of one that is given up."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    found = importlib.import_module("mutations")
    monkeypatch.setattr(remote, "Hosted", found.NoProcess)
    return found


def test_a_mutated_message_is_never_an_error_of_the_judge(mutations: Any) -> None:
    """Nor does it take the judge much memory; most are recognised, and some still are answers."""
    memories = mutations.shared()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended = Counter(mutations.outcome(random.Random(seed), *memories) for seed in range(COUNT))
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert set(ended) >= {"BackendLost", "Malformed", "BackendRaised", "BrokenBackend"}
    assert taken * 1024 < 64 * MEGABYTE


@pytest.mark.parametrize("member", ["[],", "{},", '"",', "0.5,"])
def test_the_longest_message_is_read_in_bounded_memory(mutations: Any, member: str) -> None:
    """A message of as many members as it may have takes no more than 200 MB."""
    from truestep.fast.host.messages import LONGEST, parsed

    start = '["done",0,['
    count = (LONGEST - len(start) - 4) // len(member)
    text = (start + member * count)[:-1] + "]]"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(parsed(text.encode())[2]) == count
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert taken * 1024 < 220 * MEGABYTE
