"""A scheduler as an object: attached to an optimizer, whose rates it sets at every step of its own.

Rule
    construction    sets the rates of step 0; after k steps the rates are those of step k
    state_dict      holds all that later rates depend on besides the optimizer's own dictionary
    load_state_dict makes an object that goes on as the saved one, and shares nothing with it

Shapes
    One optimizer with any number of groups, each of which has its own initial rate.

Domain
    Arguments as the schedule's own definition has them.

Choices
    None.

Special cases
    A rate that is kept in a tensor is a number like any other. Constructed with last_epoch = k - 1
    on an optimizer that has made k - 1 steps of the schedule, it goes on at step k.

Judged
    Two lives that are due to agree, bit for bit: the same operations in the same process.

Sources
    torch.optim.lr_scheduler.LRScheduler: "last_epoch", "state_dict", "load_state_dict".
"""

from truestep.reference import declared

DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """Nothing to choose."""
