"""The table of objects with a life: what is constructed, stepped, saved, loaded and copied.

Their definitions say what is due of every such object, whatever it computes. What a step computes
is the business of the rules of optimizers, schedules and pieces of training.
"""

from truestep.reference.rules import Rule, table

LIVES: dict[str, Rule] = table(__name__, Rule, "optimizer", "scheduler")
