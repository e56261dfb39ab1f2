"""The laws of schedulers as objects: rates that are due to be those of another life.

A law's docstring is its statement. What a law needs of an object stands in ``laws.NEEDS``.
"""

from collections.abc import Iterator

import numpy as np

from truestep.fast.protocol import Array, LifeCapability, Observation, Operation
from truestep.properties.kinds.life.cases import (
    LOOK,
    LifeCase,
    groups_of,
    life,
    made,
    operations,
    unnumbered,
)
from truestep.properties.kinds.life.claims import Alike, Claim, View, forked, rates, resumed

Claims = Iterator[Claim]


def rates_resume_from_deepcopy(capability: LifeCapability, case: LifeCase) -> Claims:
    """A deep copy of optimizer and scheduler goes on as they do."""
    yield from resumed(capability, case, rates, way="deepcopied")


def rates_resume_from_pickle(capability: LifeCapability, case: LifeCase) -> Claims:
    """Optimizer and scheduler that have been pickled together go on as they would have."""
    yield from resumed(capability, case, rates, way="pickled")


def rates_resume_from_saved_file(capability: LifeCapability, case: LifeCase) -> Claims:
    """State dictionaries that have been saved to a file and read back are as good as themselves."""
    yield from resumed(capability, case, rates, way="saved")


def rates_resume_from_state_dict(capability: LifeCapability, case: LifeCase) -> Claims:
    """Fresh objects that have loaded both state dictionaries go on as the old ones do."""
    yield from resumed(capability, case, rates, way="state_dict")


def rates_resume_when_constructed_otherwise(capability: LifeCapability, case: LifeCase) -> Claims:
    """What is loaded replaces all that the constructors were given."""
    yield from resumed(capability, case, rates, way="state_dict", otherwise=True)


def rates_resume_when_scheduler_is_loaded_first(
    capability: LifeCapability, case: LifeCase
) -> Claims:
    """The order in which the two state dictionaries are loaded does not matter."""
    yield from resumed(capability, case, rates, way="state_dict", order="scheduler")


def rates_resume_from_last_epoch(capability: LifeCapability, case: LifeCase) -> Claims:
    """Constructed with last_epoch on an optimizer that was loaded, one goes on from there."""
    steps = operations(case, capability)
    begin = made(case, capability)
    cut = case.cuts[0] % len(steps)
    if cut:
        # The constructor makes the step from last_epoch to the next one.
        attached: Operation = {"do": "renew", "way": "state_dict", "last_epoch": cut - 1}
        got = [begin, *steps[: cut - 1], attached, *steps[cut:], LOOK]
        yield Alike(got, [begin, *steps, LOOK], rates)


def original_rates_unchanged_when_copy_steps(capability: LifeCapability, case: LifeCase) -> Claims:
    """A copy that has loaded the state dictionaries shares nothing with its original."""
    yield from forked(capability, case, rates, stay="original")


def copied_rates_unchanged_when_original_steps(
    capability: LifeCapability, case: LifeCase
) -> Claims:
    """A copy that has loaded the state dictionaries is as it was after steps of its original."""
    yield from forked(capability, case, rates, stay="copy")


def state_dict_keeps_its_rates_when_owner_steps(
    capability: LifeCapability, case: LifeCase
) -> Claims:
    """A state dictionary is of the time at which it was asked for, whatever steps follow."""
    yield from forked(capability, case, rates, stay="copy", late=True)


def rates_same_when_attached_after_steps(capability: LifeCapability, case: LifeCase) -> Claims:
    """Steps that an optimizer makes before it has a scheduler do not count."""
    steps = operations(case, capability)
    begin = made(case, capability)
    late = [{**begin, "attached": False}, steps[0], {"do": "attach"}, *steps, LOOK]
    yield Alike(late, [begin, *steps, LOOK], rates)


def last_rates_are_the_optimizers(capability: LifeCapability, case: LifeCase) -> Claims:
    """What the scheduler says that the rates are, the optimizer has."""
    program = life(case, capability)

    def told(seen: Observation) -> dict[str, Array | None]:
        return {"rates": np.asarray(seen["rates"])}

    def held(seen: Observation) -> dict[str, Array | None]:
        found = [float(group["lr"]) for group in seen["groups"]]
        return {"rates": np.asarray(found)}

    yield Alike(program, program, told, held)


def initial_rates_unchanged(capability: LifeCapability, case: LifeCase) -> Claims:
    """The initial rate that a group keeps is that of its construction, whatever steps follow."""

    def kept(seen: Observation) -> dict[str, Array | None]:
        return {f"initial_lr of group {k}": g["initial_lr"] for k, g in enumerate(seen["groups"])}

    for more in ({}, {"tensor_lr": True}):
        begin = made(case, capability, **more)
        begin = unnumbered(begin) if more else begin
        steps = operations(case, capability)
        yield Alike([begin, *steps, LOOK], [begin, LOOK], kept)


def rates_same_when_the_rate_is_a_tensor(capability: LifeCapability, case: LifeCase) -> Claims:
    """A rate that is kept in a tensor of float64 takes the values of one that is a number."""
    begin = unnumbered(made(case, capability))
    steps = operations(case, capability)
    yield Alike([{**begin, "tensor_lr": True}, *steps, LOOK], [begin, *steps, LOOK], rates)


def each_groups_rate_as_if_alone(capability: LifeCapability, case: LifeCase) -> Claims:
    """The rates of a group are those that it has as the only one."""
    groups, begin = groups_of(case, capability), made(case, capability)
    steps = operations(case, capability)
    place = 0
    for k, group in enumerate(groups):
        count = len(group["params"])
        alone = [{**op, "grads": op["grads"][place : place + count]} for op in steps]
        yield Alike(
            [begin, *steps, LOOK], [{**begin, "groups": [group]}, *alone, LOOK], _rate(k), _rate(0)
        )
        place += count


def _rate(k: int) -> View:
    return lambda seen: {"lr": seen["groups"][k]["lr"]}


def added_group_has_the_rates_of_its_own(capability: LifeCapability, case: LifeCase) -> Claims:
    """A group that joins after the scheduler was attached is as one that was there before."""
    groups, begin = groups_of(case, capability), made(case, capability)
    steps = operations(case, capability)
    late: list[Operation] = [{"do": "add", "group": group} for group in groups[1:]]
    got = [{**begin, "groups": groups[:1]}, *late, *steps, LOOK]
    yield Alike(got, [begin, *steps, LOOK], rates)
