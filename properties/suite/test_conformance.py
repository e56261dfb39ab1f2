"""The conformance tests: every check of the chosen backends is one test.

pytest --pyargs truestep.properties --truestep-backend NAME
"""

import pytest

from truestep.properties.judge.records import named
from truestep.properties.plugin import Conforming, record
from truestep.properties.run.plan import run_check
from truestep.properties.settings import settings_of


def test_conforms(truestep_check: Conforming, request: pytest.FixtureRequest) -> None:
    """Every judged element is within the contract, and the process is left as it was found.

    What could not be judged is skipped with its reason, as what was not run.
    """
    asked = settings_of(request.config)
    backend, check = truestep_check.backend, truestep_check.check
    result = run_check(backend, check, level=asked.level, seed=asked.seed, budget=asked.budget())
    result = named(result, truestep_check.spec)
    record(request.node, result)
    truestep_check.require(result)
