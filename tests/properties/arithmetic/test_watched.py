"""Arrays that tell what was compared: every comparison, in the order of the lines."""

import numpy as np
import pytest

from truestep.fast.protocol import Slot
from truestep.properties.arithmetic.lift import stepped
from truestep.properties.arithmetic.watched import Watched, watched
from truestep.reference.optimizers import OPTIMIZERS


@pytest.mark.parametrize(
    ("compared", "outcomes"),
    [
        (lambda x: x < 2, [[True, False, False]]),
        (lambda x: x <= 2, [[True, True, False]]),
        (lambda x: np.maximum(x, 2.0), [[False, False, True]]),
        (lambda x: np.minimum(x, 2.0), [[True, False, False]]),
        (lambda x: np.clip(x, 1.5, 2.5), [[True, False, False], [False, False, True]]),
        (lambda x: np.sqrt(np.sum(x * x)) > 3, [True]),
        (lambda x: np.mean(x) > 3, [False]),
        (lambda x: x.reshape(3, 1)[1:].T == 2, [[[True, False]]]),
        (lambda x: np.where(x > 1, x, 0.0) != 0, [[False, True, True]] * 2),
        (lambda x: np.abs(np.linalg.qr(np.diag(x)).R[0, 0]) < 2, [True]),
        (lambda x: np.sqrt(x), []),
    ],
)
def test_what_is_compared_is_told(compared, outcomes):
    """By an operator, a choice or a range; of what was computed, summed, moved and chosen too."""
    found = []
    compared(Watched.of([1.0, 2.0, 3.0], found))
    assert [x.tolist() for x in found] == outcomes


def test_numbers_are_those_of_plain_arrays():
    """The lines compute what they compute anyway."""
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    got = Watched.of(x, [])
    assert isinstance(np.mean(got, axis=0), Watched)
    np.testing.assert_array_equal(np.asarray(np.mean(got, axis=0)), np.mean(x, axis=0))
    np.testing.assert_array_equal(np.asarray(got @ got), x @ x)


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_every_rule_s_lines_run_on_them(rule):
    """And come to what they come to in float64."""
    module, rng = OPTIMIZERS[rule], np.random.default_rng(0)
    hyper, p = module.Hyper(), rng.standard_normal((4, 4))
    state = module.init(hyper, p)
    fields = {name: getattr(state, name) for name in module.State.__dataclass_fields__}
    inputs = {name: rng.standard_normal(of(p.shape)) for name, of in module.FACTS.inputs.items()}
    slot = Slot(p, rng.standard_normal(p.shape), fields, inputs)
    with np.errstate(all="ignore"):
        got = stepped(module, hyper, slot, watched([]))["p"]
        due = module.step(hyper, state, p, slot.grad, **inputs)[1]
    np.testing.assert_array_equal(np.asarray(got), due)
