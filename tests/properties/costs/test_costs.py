"""What the counting arrays find, against counts by hand of five rules and of single operations."""

from __future__ import annotations

import numpy as np
import pytest

from truestep.fast.protocol import Storage
from truestep.properties.costs.complexity import complexity, reached
from truestep.properties.costs.costs import costs, width
from truestep.properties.costs.counted import DIVIDER, FUNCTION, SIMPLE, Tally
from truestep.reference.optimizers import OPTIMIZERS, adamw, lion, muon, sgd

ROWS, COLUMNS = 8, 16
N = ROWS * COLUMNS


def counted(**tensors: np.ndarray) -> tuple[Tally, list]:  # type: ignore[type-arg]
    """A tally of these tensors, and them as arrays that count."""
    tally = Tally(tensors)
    return tally, list(tally.arrays.values())


# By rule: hyperparameters, then operations for each parameter by hand, line by line of the
# definition (simple, by a divider), and the numbers read and written for each parameter.
BY_HAND = {
    # c: 2 products and a sum; sign; p: the decay's product, lr's product, a difference; m: 3.
    "lion": (lion.Hyper(), 3 + 1 + 1 + 2 + 3, 0, 3, 2),
    # m: 3; v: 4 with g g; m_hat, v_hat, the root and the quotient; + eps; p: 4 with the decay.
    "adamw": (adamw.Hyper(), 3 + 4 + 1 + 4, 4, 4, 3),
    # As it stands, without momentum: weight decay's product and sum, lr's product, a difference.
    "robbins_monro": (None, 3, 0, 2, 1),
    # g + weight_decay p: 2; b: momentum's product, dampening's product, a sum; p: 2.
    "sgd": (sgd.Hyper(momentum=0.9), 2 + 3 + 2, 0, 3, 2),
}


@pytest.mark.parametrize("rule", BY_HAND)
def test_a_rule_costs_what_a_count_by_hand_gives(rule: str) -> None:
    """Operations by class, and the bytes that a float32 step must read and write."""
    hyper, simple, divider, read, written = BY_HAND[rule]
    found = costs(rule, hyper, (ROWS, COLUMNS))
    assert found.operations.get(SIMPLE, 0) == simple
    assert found.operations.get(DIVIDER, 0) == divider and FUNCTION not in found.operations
    assert sum(found.read.values()) == read and sum(found.written.values()) == written
    assert found.moved() == 4 * (read + written)
    assert found.state_numbers == read - 2


def test_muon_costs_what_a_count_by_hand_gives() -> None:
    """Its elementwise lines, the norm, and five iterations of three products of matrices."""
    products = ROWS * ROWS * (2 * COLUMNS - 1) + ROWS * ROWS * (2 * ROWS - 1)
    products += ROWS * COLUMNS * (2 * ROWS - 1)
    # b gram + c (gram gram): two products and a sum; a x + ...: one of each.
    iteration = products + 3 * ROWS * ROWS + 2 * N
    # b: 2; nesterov's: 2; the norm's squares and sum, with its eps; p: the decay's product, the
    # scale's and lr's, a difference.
    simple = 2 * N + 2 * N + N + (N - 1) + 1 + 5 * iteration + N + 2 * N
    found = costs("muon", muon.Hyper(), (ROWS, COLUMNS))
    assert found.operations[SIMPLE] * N == simple
    assert found.operations[DIVIDER] * N == N + 1  # x over its norm, which is a root
    assert found.moved() == 4 * (3 + 2) and found.state_numbers == 1


def test_adafactor_keeps_a_row_and_a_column() -> None:
    """Of a matrix; the gradient's sizes go through memory once."""
    found = costs("adafactor", shape=(ROWS, COLUMNS))
    assert found.state_numbers == (ROWS + COLUMNS) / N
    assert found.read["g"] == found.read["p"] == found.written["p"] == 1


def test_what_a_step_does_not_touch_is_not_moved() -> None:
    """SGD without momentum keeps a buffer that it neither reads nor writes; Adagrad does both."""
    found = costs("sgd", sgd.Hyper(momentum=0.0), (ROWS, COLUMNS))
    assert found.read.keys() == {"p", "g"} and "b" not in found.written
    assert costs("adagrad", shape=(ROWS, COLUMNS)).written.keys() == {"p", "total"}


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_every_rule_is_counted(rule: str) -> None:
    """Nothing of a step gets by the arrays that count: what it leaves is counted, and finite."""
    found = costs(rule, shape=(4, 6))
    assert found.operations_in_all > 1 and found.read["p"] == found.written["p"] == 1
    assert all(np.isfinite(list(found.operations.values())))


def test_counting_changes_no_number() -> None:
    """A step on arrays that count gives the numbers of a step on plain ones, bit for bit."""
    rng = np.random.default_rng(0)
    p, g = rng.standard_normal((2, 4, 6))
    for name in ("soap", "shampoo", "muon", "adafactor", "prodigy"):
        rule = OPTIMIZERS[name]
        h = rule.Hyper()
        tally = Tally({"p": p, "g": g})
        _, plain = rule.step(h, rule.init(h, p), p, g)
        _, told = rule.step(h, rule.init(h, p), *tally.arrays.values())
        assert np.asarray(told).tobytes() == np.asarray(plain).tobytes()


def test_operations_are_counted_by_their_class() -> None:
    """Sums, products of matrices, decompositions, functions, choices; moving is none."""
    x = np.arange(12.0).reshape(3, 4)
    for compute, kind, due in (
        (lambda a: a + 1, SIMPLE, 12),
        (lambda a: a / 3, DIVIDER, 12),
        (lambda a: np.exp(a), FUNCTION, 12),
        (lambda a: a @ a.T, SIMPLE, 3 * 3 * 7),
        (lambda a: np.sum(a), SIMPLE, 11),
        (lambda a: np.sum(a, axis=0), SIMPLE, 8),
        (lambda a: np.where(a > 1, a, 0.0), SIMPLE, 24),
        (lambda a: np.linalg.eigh(a @ a.T), SIMPLE, 63 + 9 * 27),
        (lambda a: np.zeros_like(a.T.reshape(-1)[2:]), SIMPLE, 0),
    ):
        tally, [a] = counted(x=x)
        made = compute(a)
        for part in made if isinstance(made, tuple) else (made,):
            tally.take(part)
        assert tally.operations[kind] == due == sum(tally.operations.values())
        assert (tally.read == {"x"}) == bool(due)


def test_a_mean_is_a_sum_and_a_quotient() -> None:
    """Eleven additions, one division."""
    tally, [a] = counted(x=np.ones((3, 4)))
    tally.take(np.mean(a))
    assert tally.operations == {SIMPLE: 11, DIVIDER: 1}


def test_bytes_follow_the_storage() -> None:
    """Codes with the share of their scales; a place of the parameter stays as it is."""
    assert width(Storage("dynamic_8bit", {"block_size": 256})) == 1 + 4 / 256
    assert width(Storage("bfloat16", {})) == 2
    found = costs("adamw", shape=(ROWS, COLUMNS))
    coded = found.coded("dynamic_8bit", block_size=256)
    assert coded.keys() == {"m", "v"} and found.state_bytes() == 8
    assert found.state_bytes(coded) == 2 * (1 + 4 / 256)
    assert found.moved(coded) == 12 + 4 * (1 + 4 / 256)
    kept = costs("schedule_free_sgd", shape=(ROWS, COLUMNS))
    assert "z" in kept.points and "z" not in kept.coded("bfloat16")


def test_the_text_is_measured_by_what_a_step_reaches() -> None:
    """Lion by hand: 18 lines, six ask hyperparameters; functions that are called count."""
    found = complexity("lion")
    assert (found.lines, found.branches, found.by_choice) == (18, 6, 6)
    assert (found.hyperparameters, found.choices) == (5, 2)
    names = {function.__name__ for function in reached(muon.step)}
    assert {"step", "with_momentum", "orthogonalized", "size", "shape_scale", "stage"} <= names
    assert "observables" not in names


def test_what_is_computed_and_not_used_is_not_counted() -> None:
    """Of two results one is taken; what both need is counted once; what the host asks for, too."""
    tally, [a, b] = counted(a=np.ones(4), b=np.ones(4))
    shared = a + 1
    unused = shared * b
    tally.take(shared - 1)
    tally.take(shared - 1)
    assert unused.size == 4 and tally.operations == {SIMPLE: 4 + 4 + 4} and tally.read == {"a"}
    assert bool(np.all(b > 0)) and tally.read == {"a", "b"}
    assert tally.operations[SIMPLE] == 12 + 4 + 3
