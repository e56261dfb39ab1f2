"""transformers' schedules by the names that its Trainer takes: LambdaLR of a function of the count.

Past the last step the cosines go on.
"""

from collections.abc import Callable, Mapping

import transformers.optimization

from truestep.fast.peers.torch_schedulers import REACH, Make, ScheduleRow
from truestep.fast.protocol import BackendUnavailable
from truestep.reference.declared import Hyper

Arguments = Callable[[Hyper], Mapping[str, object]]


def _nothing(h: Hyper) -> Mapping[str, object]:
    return {}


def _named(
    name: str, warmup: Callable[[Hyper], int], total: Callable[[Hyper], int], more: Arguments
) -> Make:
    return lambda optimizer, h: transformers.optimization.get_scheduler(
        name, optimizer, warmup(h), total(h), dict(more(h)) or None
    )


def _to_the_floor(h: Hyper) -> Mapping[str, object]:
    if h.lr == 0:
        raise BackendUnavailable("transformers takes the floor as a share of lr, and lr is 0")
    return {"min_lr": h.min_lr}


def _with_room(h: Hyper) -> Mapping[str, object]:
    if h.warmup_steps == h.total_steps:
        raise BackendUnavailable("after a warm-up of the whole run its cosine takes one step")
    return _to_the_floor(h)


def _power(h: Hyper) -> Mapping[str, object]:
    if not h.lr > h.min_lr:
        raise BackendUnavailable("transformers demands lr_end < lr")
    return {"lr_end": h.min_lr, "power": h.power}


def _decay(shape: str) -> Arguments:
    return lambda h: {"num_decay_steps": h.decay_steps, "decay_type": shape}


def _cycles(h: Hyper) -> int:
    """So many that the last step that is asked for lies in one of them."""
    return int(REACH // h.cycle_steps + 1)


_BOUNCE = {"after": "bounce"}

ROWS: tuple[ScheduleRow, ...] = (
    ScheduleRow("constant", "constant", _named("constant", lambda h: 0, lambda h: 1, _nothing)),
    ScheduleRow(
        "inverse_sqrt",
        "inverse_sqrt",
        _named("inverse_sqrt", lambda h: h.warmup_steps, lambda h: 1, _nothing),
    ),
    ScheduleRow(
        "linear",
        "constant_with_warmup",
        _named("constant_with_warmup", lambda h: h.total_steps, lambda h: 1, _nothing),
        "constant_with_warmup",
        fixed={"start_factor": 0.0, "end_factor": 1.0},
    ),
    ScheduleRow(
        "linear",
        "linear",
        _named("linear", lambda h: 0, lambda h: h.total_steps, _nothing),
        fixed={"start_factor": 1.0, "end_factor": 0.0},
    ),
    ScheduleRow(
        "linear_warmup_cosine",
        "cosine",
        _named("cosine", lambda h: h.warmup_steps, lambda h: h.total_steps, _nothing),
        dialect=_BOUNCE,
        fixed={"min_lr": 0.0},
    ),
    ScheduleRow(
        "linear_warmup_cosine",
        "cosine_with_min_lr",
        _named(
            "cosine_with_min_lr", lambda h: h.warmup_steps, lambda h: h.total_steps, _to_the_floor
        ),
        "floor",
        dialect=_BOUNCE,
    ),
    ScheduleRow(
        "linear_warmup_cosine",
        "cosine_warmup_with_min_lr",
        _named(
            "cosine_warmup_with_min_lr",
            lambda h: h.warmup_steps,
            lambda h: h.total_steps,
            _with_room,
        ),
        "ahead",
        dialect={**_BOUNCE, "warmup": "from_one", "cosine": "ahead"},
    ),
    ScheduleRow(
        "linear_warmup_polynomial",
        "linear",
        _named("linear", lambda h: h.warmup_steps, lambda h: h.total_steps, _nothing),
        "linear",
        fixed={"min_lr": 0.0, "power": 1.0},
    ),
    ScheduleRow(
        "linear_warmup_polynomial",
        "polynomial",
        _named("polynomial", lambda h: h.warmup_steps, lambda h: h.total_steps, _power),
    ),
    ScheduleRow(
        "polynomial",
        "polynomial",
        _named("polynomial", lambda h: 0, lambda h: h.total_steps, _power),
    ),
    ScheduleRow(
        "warm_restarts",
        "cosine_with_restarts",
        _named(
            "cosine_with_restarts",
            lambda h: 0,
            lambda h: _cycles(h) * h.cycle_steps,
            lambda h: {"num_cycles": _cycles(h)},
        ),
        fixed={"growth": 1, "decay": 1.0, "min_lr": 0.0},
    ),
    *(
        ScheduleRow(
            "warmup_stable_decay",
            "warmup_stable_decay",
            _named(
                "warmup_stable_decay",
                lambda h: h.warmup_steps,
                lambda h: h.total_steps,
                _decay(theirs),
            ),
            shape,
            dialect={"shape": shape},
            fixed={"min_lr": 0.0},
        )
        for shape, theirs in (
            ("linear", "linear"),
            ("one_minus_sqrt", "1-sqrt"),
            ("cosine", "cosine"),
        )
    ),
)
