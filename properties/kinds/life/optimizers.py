"""The laws of optimizers as objects: lives that are due to come to the same.

A law's docstring is its statement. What a law needs of an object stands in ``laws.NEEDS``.
"""

from collections.abc import Iterator

import numpy as np

from truestep.fast.protocol import Array, LifeCapability, Operation, numpy_dtype
from truestep.properties.kinds.life.cases import (
    LOOK,
    LifeCase,
    array,
    grads_of,
    groups_of,
    infinite_step,
    life,
    made,
    operations,
    unnumbered,
)
from truestep.properties.kinds.life.claims import (
    Alike,
    Claim,
    Raises,
    forked,
    resumed,
    tensors,
    whole,
)

Claims = Iterator[Claim]


def resumes_bitwise_from_deepcopy(capability: LifeCapability, case: LifeCase) -> Claims:
    """An object's deep copy, taken with its parameters, goes on as the object does."""
    yield from resumed(capability, case, whole, way="deepcopied")


def resumes_bitwise_from_pickle(capability: LifeCapability, case: LifeCase) -> Claims:
    """An object that has been pickled with its parameters goes on as it would have."""
    yield from resumed(capability, case, whole, way="pickled")


def resumes_bitwise_from_saved_file(capability: LifeCapability, case: LifeCase) -> Claims:
    """A state dictionary that has been saved to a file and read back is as good as itself."""
    yield from resumed(capability, case, whole, way="saved")


def resumes_bitwise_from_state_dict(capability: LifeCapability, case: LifeCase) -> Claims:
    """A fresh object that has loaded the state dictionary goes on as the old one does."""
    yield from resumed(capability, case, whole, way="state_dict")


def resumes_bitwise_when_constructed_otherwise(
    capability: LifeCapability, case: LifeCase
) -> Claims:
    """What is loaded replaces all that the constructor was given."""
    yield from resumed(capability, case, whole, way="state_dict", otherwise=True)


def original_unchanged_when_copy_steps(capability: LifeCapability, case: LifeCase) -> Claims:
    """A copy that has loaded the state dictionary shares nothing with its original."""
    yield from forked(capability, case, whole, stay="original")


def copy_unchanged_when_original_steps(capability: LifeCapability, case: LifeCase) -> Claims:
    """A copy that has loaded the state dictionary is as it was after more steps of its original."""
    yield from forked(capability, case, whole, stay="copy")


def state_dict_unchanged_when_owner_steps(capability: LifeCapability, case: LifeCase) -> Claims:
    """A state dictionary is of the time at which it was asked for, whatever steps follow."""
    yield from forked(capability, case, whole, stay="copy", late=True)


def untouched_when_gradient_is_none(capability: LifeCapability, case: LifeCase) -> Claims:
    """A parameter whose gradient is None stays as it is, with its state, while others step."""
    steps = operations(case, capability)
    grads = grads_of(case, capability, len(case.events) - 1)
    still = {"do": "step", "grads": [None, *grads[1:]]}
    begin = [made(case, capability), *steps]
    yield Alike([*begin, still, still, LOOK], [*begin, LOOK], tensors([0]))


def unchanged_when_all_gradients_are_none(capability: LifeCapability, case: LifeCase) -> Claims:
    """A step without any gradient changes nothing: no parameter, no state, no number.

    Where steps are counted for a whole group, its count rises, and what follows is of that count.
    """
    steps = operations(case, capability)
    still = {"do": "step", "grads": [None] * case.count}
    begin = [made(case, capability), *steps]
    if capability.dialect.get("counts", "parameter") != "parameter":
        yield Alike([*begin, still, LOOK], [*begin, LOOK], tensors())
    else:
        yield Alike([*begin, still, *steps, LOOK], [*begin, *steps, LOOK], whole)


def zero_gradient_differs_from_none(capability: LifeCapability, case: LifeCase) -> Claims:
    """A gradient of zero is a gradient: with decay or momentum the step changes something."""
    grads = [array(case, capability, k, 1) for k in range(case.count)]
    begin = [made(case, capability), {"do": "step", "grads": grads}]
    zero, none = [np.zeros_like(g) for g in grads], [None] * case.count
    steps = [{"do": "step", "grads": x} for x in (zero, none)]
    yield Alike([*begin, steps[0], LOOK], [*begin, steps[1], LOOK], tensors(), differ=True)


def added_group_equals_constructed_group(capability: LifeCapability, case: LifeCase) -> Claims:
    """A group that joins before the first step is as one that was there from the start."""
    groups = groups_of(case, capability)
    steps = operations(case, capability)
    late: list[Operation] = [{"do": "add", "group": group} for group in groups[1:]]
    begin = made(case, capability)
    yield Alike(
        [{**begin, "groups": groups[:1]}, *late, *steps, LOOK], [begin, *steps, LOOK], whole
    )


def added_group_equals_one_without_gradients(capability: LifeCapability, case: LifeCase) -> Claims:
    """A group that joins later is as one that had no gradients until then."""
    groups, begin = groups_of(case, capability), made(case, capability)
    early = [array(case, capability, k, 1) for k in range(case.groups[0])]
    waiting = [None] * (case.count - len(early))
    joined: list[Operation] = [{"do": "add", "group": group} for group in groups[1:]]
    steps = operations(case, capability)
    got = [{**begin, "groups": groups[:1]}, {"do": "step", "grads": early}, *joined, *steps, LOOK]
    due = [begin, {"do": "step", "grads": [*early, *waiting]}, *steps, LOOK]
    # Some make a state before there is a gradient.
    yield Alike(got, due, tensors(state=False))


def added_group_steps_as_if_fresh(capability: LifeCapability, case: LifeCase) -> Claims:
    """A group that joins after steps of others is as the only one of a fresh object."""
    groups, begin = groups_of(case, capability), made(case, capability)
    count = case.groups[0]
    early = [array(case, capability, k, 1) for k in range(count)]
    steps = _plain(capability, case)
    own = [{**op, "grads": op["grads"][count:]} for op in steps]
    joined: list[Operation] = [{"do": "add", "group": group} for group in groups[1:]]
    got = [{**begin, "groups": groups[:1]}, {"do": "step", "grads": early}, *joined, *steps, LOOK]
    if joined:
        due = [{**begin, "groups": groups[1:]}, *own, LOOK]
        yield Alike(got, due, tensors(range(count, case.count)), tensors())


def equivariant_under_order_of_groups(capability: LifeCapability, case: LifeCase) -> Claims:
    """Groups in another order step as before, each with its own numbers."""
    begin, steps = made(case, capability), _plain(capability, case)
    starts = np.cumsum([0, *case.groups])
    order = [k for g in reversed(range(len(case.groups))) for k in range(starts[g], starts[g + 1])]
    turned = [{**op, "grads": [op["grads"][k] for k in order]} for op in steps]
    other = {**begin, "groups": list(reversed(begin["groups"]))}
    yield Alike([other, *turned, LOOK], [begin, *steps, LOOK], tensors(), tensors(order))


def _plain(capability: LifeCapability, case: LifeCase) -> list[Operation]:
    """The steps of a life, without the numbers that are set."""
    return [op for op in operations(case, capability) if op["do"] == "step"]


def group_unchanged_when_others_rate_is_set(capability: LifeCapability, case: LifeCase) -> Claims:
    """The rate of one group is no other group's, whichever way it was given."""
    steps, others = _plain(capability, case), range(case.groups[0], case.count)
    begin = unnumbered(made(case, capability))
    rate: Operation = {"do": "set", "group": 0, "name": "lr", "value": 0.25}
    for shared in (False, True) if "tensor_lr" in capability.offers else (False,):
        make = {**begin, "tensor_lr": shared}
        yield Alike([make, rate, *steps, LOOK], [make, *steps, LOOK], tensors(others))


def groups_number_is_as_the_constructors(capability: LifeCapability, case: LifeCase) -> Claims:
    """A number that a group is given is, for that group, as good as one of the constructor."""
    steps, own = _plain(capability, case), range(case.groups[0])
    begin = unnumbered(made(case, capability))
    for numbers in _changed(capability):
        due = {**begin, "numbers": {**begin["numbers"], **numbers}}
        given = _first_given(begin, numbers)
        yield Alike([given, *steps, LOOK], [due, *steps, LOOK], tensors(own))


def group_unchanged_when_another_is_given_a_number(
    capability: LifeCapability, case: LifeCase
) -> Claims:
    """A number that a group is given is no other group's."""
    steps, others = _plain(capability, case), range(case.groups[0], case.count)
    begin = unnumbered(made(case, capability))
    for numbers in _changed(capability) if others else ():
        given = _first_given(begin, numbers)
        yield Alike([given, *steps, LOOK], [begin, *steps, LOOK], tensors(others))


def _changed(capability: LifeCapability) -> Iterator[dict[str, float]]:
    """One number after the other with another value, beside those that make a pair with it."""
    for name, x in capability.numbers.items():
        whole = name.partition(".")[0]
        family = {k: y for k, y in capability.numbers.items() if k.partition(".")[0] == whole}
        yield {**family, name: 0.75 * x}


def _first_given(begin: Operation, numbers: dict[str, float]) -> Operation:
    first, *rest = begin["groups"]
    return {**begin, "groups": [{**first, **numbers}, *rest]}


def numbers_take_effect_at_the_next_step(capability: LifeCapability, case: LifeCase) -> Claims:
    """A number that is set before the first step is as good as one given to the constructor."""
    steps = _plain(capability, case)
    begin = unnumbered(made(case, capability))
    for name in ("lr", "weight_decay"):
        if name in capability.numbers:
            value = capability.numbers[name] / 2
            sets = [
                {"do": "set", "group": k, "name": name, "value": value}
                for k in range(len(case.groups))
            ]
            given = {**begin, "numbers": {**begin["numbers"], name: value}}
            yield Alike([begin, *sets, *steps, LOOK], [given, *steps, LOOK], tensors())


def skips_a_step_when_a_gradient_is_infinite(capability: LifeCapability, case: LifeCase) -> Claims:
    """A step in which any gradient is infinite leaves all as it was, and what follows too."""
    steps = operations(case, capability)
    for place in range(case.count):
        lost = infinite_step(case, capability, place)
        got = [made(case, capability), *steps, lost, *steps, LOOK]
        yield Alike(got, [made(case, capability), *steps, *steps, LOOK], tensors(state=False))


def unchanged_when_gradients_are_scaled(capability: LifeCapability, case: LifeCase) -> Claims:
    """Steps by gradients that are multiplied and divided by a power of two are those without."""
    steps, begin = operations(case, capability), made(case, capability)
    plain = {**begin, "numbers": {**begin["numbers"], "enabled": False}}
    yield Alike([begin, *steps, LOOK], [plain, *steps, LOOK], tensors(state=False))


def closure_loss_is_returned(capability: LifeCapability, case: LifeCase) -> Claims:
    """step(closure) returns what the closure gave when it was first evaluated."""
    steps = [{**op, "closure": True} for op in _plain(capability, case)]
    program = [made(case, capability), *steps, LOOK]
    yield Alike(
        program,
        program,
        lambda seen: {"loss": np.asarray(seen["loss"][1:])},
        lambda seen: {"loss": np.asarray(seen["loss"][:1])},
    )


def closure_steps_as_its_gradients(capability: LifeCapability, case: LifeCase) -> Claims:
    """Gradients that a closure makes are as good as those that were there before."""
    steps = _plain(capability, case)
    begin = made(case, capability)
    inside = [{**op, "closure": True} for op in steps]
    yield Alike([begin, *inside, LOOK], [begin, *steps, LOOK], tensors())


def parameter_as_if_alone(capability: LifeCapability, case: LifeCase) -> Claims:
    """Each parameter steps as if it were the only one, whatever the formats of the others."""
    steps, begin = _plain(capability, case), made(case, capability)
    near = capability.dialect.get("programs", "apart") == "together"
    place = 0
    for group in begin["groups"]:
        for k in range(len(group["params"])):
            alone = {**begin, "groups": [{**group, "params": group["params"][k : k + 1]}]}
            single = [{**op, "grads": [op["grads"][place]]} for op in steps]
            got, due = [begin, *steps, LOOK], [alone, *single, LOOK]
            yield Alike(got, due, tensors([place]), tensors([0]), near=near)
            place += 1


def complex_as_two_reals(capability: LifeCapability, case: LifeCase) -> Claims:
    """A complex parameter's first step is that of the two real ones of which it is made."""
    steps, begin = _plain(capability, case)[:1], made(case, capability)
    pair = numpy_dtype("float32")

    def doubled(x: Array | None) -> Array | None:
        return None if x is None else np.stack([x, -2 * x], axis=-1).astype(pair)

    groups = [{**g, "params": [doubled(x) for x in g["params"]]} for g in begin["groups"]]
    wide = [{**op, "grads": [doubled(x) for x in op["grads"]]} for op in steps]
    real = {**begin, "groups": groups}
    yield Alike(
        [{**real, "complex": True}, *wide, LOOK],
        [real, *wide, LOOK],
        tensors(state=False),
        near=True,
    )


def unchanged_when_default_format_is_float64(capability: LifeCapability, case: LifeCase) -> Claims:
    """The format of a parameter is its own: the default one for new tensors does not matter."""
    plain = life(case, capability)
    changed: Operation = {"do": "format", "name": "float64"}
    yield Alike([changed, *plain], plain, tensors(state=False))


def raises_when_an_argument_is_wrong(capability: LifeCapability, case: LifeCase) -> Claims:
    """A negative rate, decay or constant, or a beta outside [0, 1), raises at construction."""
    begin = unnumbered(made(case, capability))
    for name, value in capability.wrong.items():
        numbers = {**begin["numbers"], name: value}
        yield Raises([{**begin, "numbers": numbers}], f"{name} = {value:g}")


def raises_when_a_parameter_is_in_two_groups(capability: LifeCapability, case: LifeCase) -> Claims:
    """A parameter that is in a group already raises as it is given again."""
    begin = made(case, capability)
    yield Raises([begin, {"do": "repeat", "group": 0}], "the parameters of group 0 once more")
