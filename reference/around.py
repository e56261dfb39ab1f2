"""Formats built around a block format, which cuts their groups and orders their elements."""

from truestep.reference.validation import Array


class Around:
    """One of them; cut: the block format."""

    cut: Array

    def named(self, name: str, about: str, shared: str) -> None:
        """Go by this name and docstring; shared: what is said of all of its sort."""
        object.__setattr__(self, "__name__", f"{type(self).__module__}.{name}")
        object.__setattr__(self, "__doc__", f"{about}.\n\n{shared}")

    def __getattr__(self, name: str) -> Array:
        """Groups, elements and their order."""
        return getattr(object.__getattribute__(self, "cut"), name)
