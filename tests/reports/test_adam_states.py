"""What 8 bits cost Adam's update: which order of Dettmers et al. 2022 holds here."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from truestep.fast.protocol import Array
from truestep.reference.quantizers import dynamic_8bit
from truestep.reports import adam_states
from truestep.reports.adam_states import BLOCK_SIZE, TABLES, errors, gradients, through, training

Found = dict[tuple[str, bool], tuple[float, float, float]]


@pytest.fixture(scope="module")
def found() -> Found:
    """Mean absolute, mean relative and median relative error of every way."""
    return {
        way: (float(absolute.mean()), float(relative.mean()), float(np.median(relative)))
        for way, (absolute, relative) in errors().items()
    }


def test_block_wise_dynamic_has_the_least_relative_error(found: Found) -> None:
    """On average over all elements, of all ways."""
    assert min(found, key=lambda way: found[way][1]) == ("dynamic", True)


def test_linear_is_worst_by_orders_of_magnitude(found: Found) -> None:
    """A second moment that becomes 0 makes an update of m / eps; in most elements it does."""
    for blocks in (False, True):
        rest = [found[table, blocks] for table in TABLES if table != "linear"]
        assert found["linear", blocks][0] > 1e4 * max(absolute for absolute, _, _ in rest)
        assert found["linear", blocks][2] > max(median for _, _, median in rest)


@pytest.mark.parametrize("table", ["linear", "dynamic"])
def test_blocks_help_the_fixed_tables(found: Found, table: str) -> None:
    """Both errors are less with an absmax for every block."""
    by_block, by_tensor = found[table, True], found[table, False]
    assert by_block[0] < by_tensor[0]
    assert by_block[1] < by_tensor[1]


def test_quantiles_err_less_in_most_elements(found: Found) -> None:
    """Which the least relative error on average hides: few small updates outweigh them."""
    for table in ("quantile", "SRAM-Quantiles"):
        quantile, dynamic = found[table, True], found["dynamic", True]
        assert quantile[0] < dynamic[0]
        assert quantile[2] < dynamic[2]


def test_the_inverse_map_does_not_help(found: Found) -> None:
    """Not even for second moments alone: most of them are not small enough."""
    assert found["inverse dynamic", True][1] > found["dynamic", True][1]


def test_block_wise_dynamic_is_the_format_of_that_name() -> None:
    """What is compared here and what is judged elsewhere is the same."""
    x = np.random.default_rng(3).standard_normal((70, 90)).astype(np.float32).astype(np.float64)
    for first, of in ((True, x), (False, x * x)):
        h = dynamic_8bit.Hyper(signed=first, block_size=BLOCK_SIZE)
        due = dynamic_8bit.decode(h, *dynamic_8bit.encode(h, of))
        got = through("dynamic", of.astype(np.float32).astype(np.float64), blocks=True, first=first)
        assert np.max(np.abs(got - due)) <= 2.0**-23 * np.max(np.abs(of))


def test_the_model_learns_from_its_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Central differences agree with the derivatives, and the loss falls."""
    rng = np.random.default_rng(1)
    shapes: dict[str, tuple[int, int]] = {"embedding": (7, 3), "hidden": (6, 5), "output": (5, 7)}
    p: dict[str, Array] = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    x, y = rng.integers(0, 7, (4, 2)), rng.integers(0, 7, 4)
    _, g = gradients(p, x, y)
    for name, tensor in p.items():
        away = np.zeros_like(tensor)
        away[1, 2] = 1e-6
        above, below = (gradients({**p, name: tensor + s * away}, x, y)[0] for s in (1, -1))
        assert (above - below) / 2e-6 == pytest.approx(g[name][1, 2], rel=1e-6, abs=1e-9)
    monkeypatch.setattr(adam_states, "_EVERY", 20)
    losses = [loss for loss, _ in islice(training(), 3)]
    assert losses[0] > losses[1] > losses[2]
