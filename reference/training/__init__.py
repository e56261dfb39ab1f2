"""The table of training-loop pieces: what happens to gradients, losses and rates around a rule.

Every module keeps the functions of its subject, and has one in common with the others: run, from
named inputs to named outputs, which is what backends are asked for and judged by. INPUTS says of
each input in one word what it is:

tensors     a list of tensors; all inputs of this word have the same shapes in the same order
tensor      one tensor; all inputs of this word have one shape
array       one tensor of a shape of its own
replicas    a list of tensors of one shape
number, numbers     0-d, and a list of 0-d
count, counts       an integer, and a list of integers
choice      a word

Outputs are tensors, lists of tensors, 0-d numbers, integers and flags. An output that has an
input's name is state: it is what the next call is given.
"""

from truestep.reference.rules import Piece, table

TRAINING: dict[str, Piece] = table(
    __name__,
    Piece,
    "adaptive_gradient_clipping",
    "adaptive_loss_scaling",
    "clip_by_global_norm",
    "clip_by_value",
    "data_parallel",
    "delayed_scaling",
    "dynamic_loss_scaling",
    "gradient_accumulation",
    "gradient_noise_scale",
    "greedy",
    "hadamard_transform",
    "linear_scaling",
    "mup_adam",
    "mup_sgd",
    "percentile_clipping",
    "qk_clip",
    "reduce_on_plateau",
    "stale_gradients",
    "state_precision",
)
