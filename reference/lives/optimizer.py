"""An optimizer as an object: groups of parameters, a state for each, and a dictionary of both.

Rule
    step            changes parameters that have a gradient, their states, and nothing else
    state_dict      holds all that later steps depend on besides parameters and gradients
    load_state_dict makes an object that goes on as the saved one, and shares nothing with it
    param_groups    the numbers that the next step takes, of each group its own

Shapes
    Any number of groups of any number of parameters, each of a shape and a format of its own.

Domain
    Numbers of a group within the ranges of the rule that is computed; others are due to raise a
    ValueError at construction.

Choices
    counts: "parameter" where each has a count of its own steps; "group" or "all" where steps are
    counted for the whole group or for all groups, whether parameters have gradients or not. Of
    these a parameter that has no gradient at first goes on at the count of the others.
    coupling: "none" where each parameter is updated from its own gradient and state alone;
    "shared" where an estimate is made of all of a group or of all groups, as the distance of
    D-Adaptation, random numbers are drawn from one generator, or a step is left out for all. Laws
    that take a parameter by itself speak of the first.
    programs: "apart" where a parameter's step rounds alike whichever others there are; "together"
    where one program is compiled for all of a group, which may round otherwise than that of one.

Special cases
    A gradient of None is none: the parameter, its state and its own count stay. A gradient of zero
    is one: moments decay, counts rise. A complex parameter is two real ones. With a loss scaler a
    step in which a gradient is infinite is none, of whichever parameter it is.

Judged
    Two lives that are due to agree, bit for bit: the same operations in the same process.

Sources
    torch.optim.Optimizer: "state_dict", "load_state_dict", "add_param_group", "step".
"""

from typing import Literal

from truestep.reference import declared

DIALECTS = {
    "counts": {
        "parameter": "every parameter counts its own steps",
        "group": "a group counts the steps of all its parameters",
        "all": "one count is of the steps of all groups",
    },
    "coupling": {
        "none": "each parameter is updated from its own gradient and state",
        "shared": "what is estimated or decided is of several parameters together",
    },
    "programs": {
        "apart": "a parameter's step rounds alike whichever others there are",
        "together": "one program is compiled for all parameters, and rounds as it may",
    },
}


class Hyper(declared.Hyper):
    """What kind of object it is."""

    counts: Literal["parameter", "group", "all"] = "parameter"
    coupling: Literal["none", "shared"] = "none"
    programs: Literal["apart", "together"] = "apart"
