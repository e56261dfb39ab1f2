"""Every law of objects with a life, what each needs of an object, and the events it is tried on."""

from collections.abc import Mapping, Sequence

from truestep.fast.protocol import Capability, LifeCapability
from truestep.properties.kinds.life import optimizers, schedulers
from truestep.properties.kinds.life.claims import Law
from truestep.properties.laws import claims

_OPTIMIZERS: dict[str, Law] = claims.table(optimizers)  # type: ignore[assignment]
_SCHEDULERS: dict[str, Law] = claims.table(schedulers)  # type: ignore[assignment]
LAWS: dict[str, Law] = {**_OPTIMIZERS, **_SCHEDULERS}
BY_RULE: Mapping[str, Mapping[str, Law]] = {"optimizer": _OPTIMIZERS, "scheduler": _SCHEDULERS}

# What an object must offer for a law to speak of it: names of OFFERS, "lr" or "wrong" for numbers
# of the constructor, "uncoupled" for parameters that do not share an estimate, "counted" for those
# that count their own steps, and "apart" where no count is of all groups.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "added_group_equals_constructed_group": ("added_groups",),
    "added_group_has_the_rates_of_its_own": ("added_groups",),
    "added_group_equals_one_without_gradients": ("added_groups", "counted", "none", "uncoupled"),
    "added_group_steps_as_if_fresh": ("added_groups", "apart", "uncoupled"),
    "closure_loss_is_returned": ("closure",),
    "closure_steps_as_its_gradients": ("closure",),
    "complex_as_two_reals": ("complex",),
    "each_groups_rate_as_if_alone": ("groups",),
    "equivariant_under_order_of_groups": ("groups", "uncoupled"),
    "group_unchanged_when_another_is_given_a_number": ("groups", "uncoupled"),
    "group_unchanged_when_others_rate_is_set": ("groups", "lr", "uncoupled"),
    "groups_number_is_as_the_constructors": ("groups", "uncoupled"),
    "initial_rates_unchanged": ("initial_lr",),
    "last_rates_are_the_optimizers": ("rates",),
    "numbers_take_effect_at_the_next_step": ("lr",),
    "parameter_as_if_alone": ("groups", "uncoupled"),
    "raises_when_a_parameter_is_in_two_groups": ("added_groups",),
    "raises_when_an_argument_is_wrong": ("wrong",),
    "rates_resume_from_last_epoch": ("last_epoch",),
    "rates_same_when_the_rate_is_a_tensor": ("tensor_lr",),
    "skips_a_step_when_a_gradient_is_infinite": ("skips",),
    "unchanged_when_all_gradients_are_none": ("none",),
    "unchanged_when_gradients_are_scaled": ("skips",),
    "untouched_when_gradient_is_none": ("none", "uncoupled"),
    "zero_gradient_differs_from_none": ("none", "weight_decay"),
}
# Laws that are not tried on lives in which gradients are absent or zero, or numbers set.
_ALL = ("step", "none", "zero", "set")
_EVENTS: Mapping[str, tuple[str, ...]] = {
    "closure_loss_is_returned": ("step",),
    "closure_steps_as_its_gradients": ("step",),
    "complex_as_two_reals": ("step",),
    "unchanged_when_gradients_are_scaled": ("step", "zero", "set"),
    "untouched_when_gradient_is_none": ("step", "set"),
}


def holding(capability: Capability) -> Sequence[str]:
    """The laws that speak of an object."""
    if not isinstance(capability, LifeCapability):
        return ()
    offered = {*capability.offers, *capability.numbers}
    offered |= {"wrong"} if capability.wrong else set()
    counts = capability.dialect.get("counts", "parameter")
    offered |= {"uncoupled"} if capability.dialect.get("coupling", "none") == "none" else set()
    offered |= {"counted"} if counts == "parameter" else set()
    offered |= {"apart"} if counts != "all" else set()
    return [law for law in BY_RULE[capability.rule] if offered.issuperset(NEEDS.get(law, ()))]


def events(law: str, capability: LifeCapability) -> tuple[str, ...]:
    """The sorts of events in the lives of an object that a law is tried on."""
    if law in _SCHEDULERS or law in _EVENTS:
        return _EVENTS.get(law, ("step",))
    return (*_ALL, "infinite") if "skips" in capability.offers else _ALL
