"""The conformance tests: every check of the chosen backend is one test.

pytest --pyargs truestep.properties --truestep-backend NAME
"""

import json
from collections.abc import Callable

import pytest

from truestep.properties.judge.records import named
from truestep.properties.judge.results import Check
from truestep.properties.plugin import backend_of
from truestep.properties.run.plan import run_check
from truestep.properties.run.remote import Remote


def test_conforms(
    truestep_check: tuple[Remote, Check],
    pytestconfig: pytest.Config,
    record_property: Callable[[str, object], None],
) -> None:
    """Every judged element is within the contract, and the process is left as it was found.

    What could not be judged is skipped with its reason, as what was not run.
    """
    backend, check = truestep_check
    result = named(
        run_check(
            backend,
            check,
            level=pytestconfig.getoption("--truestep-level"),
            seed=pytestconfig.getoption("--truestep-seed"),
        ),
        backend_of(pytestconfig),
    )
    record_property("truestep", json.dumps(result.to_json()))
    if result.verdict in ("not_judged", "not_run"):
        pytest.skip(result.message or "not judged: nothing in it is certain")
    if result.verdict != "pass":
        pytest.fail(f"{result.verdict}\n{result.message}", pytrace=False)
    left, _ = backend.seen()
    if left:
        pytest.fail("the backend's calls left changed: " + "; ".join(left), pytrace=False)
