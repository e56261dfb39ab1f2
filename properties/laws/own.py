"""The laws that a rule of one's own declares: names of ours, and functions of its own."""

from collections.abc import Callable, Mapping, MutableMapping
from difflib import get_close_matches
from typing import TypeVar, cast

from truestep.reference.own import BrokenRule
from truestep.reference.rules import Rule

Law = TypeVar("Law", bound=Callable[..., object])


def declared(name: str, rule: Rule, laws: MutableMapping[str, Law]) -> list[str] | None:
    """The names in LAWS of a rule's module; its functions join the laws. None: it has no LAWS.

    Raises BrokenRule for a name that no law has, and for a function with a name that one has.
    """
    if (given := getattr(rule, "LAWS", None)) is None:
        return None
    if not isinstance(given, (tuple, list)):
        raise BrokenRule(f"{name}: LAWS must be a tuple of laws, got {given!r}")
    return [_known(name, law, laws) for law in given]


def _known(name: str, law: object, laws: MutableMapping[str, Law]) -> str:
    if callable(law):
        called = str(getattr(law, "__name__", law))
        if laws.setdefault(called, cast(Law, law)) is not law:
            raise BrokenRule(f"{name}: LAWS has a function {called!r}, which is the name of a law")
        return called
    if law not in cast(Mapping[object, Law], laws):
        close = get_close_matches(str(law), laws)
        near = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise BrokenRule(f"{name}: LAWS has {law!r}, which is no law{near}")
    return str(law)
