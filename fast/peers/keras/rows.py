"""The table of Keras's optimizers: which reference rule each computes, and how rounded.

Arithmetic, from keras/src/optimizers/*.py and keras/src/backend/torch/optimizers/*.py: the learning
rate is a float32 variable and functions of the counter are float32 tensors; other hyperparameters
are Python doubles, except where an update casts them to the variable's type first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from truestep.fast.protocol import Fixed, OptimizerCapability, Shapes

# "parallel" is what the torch backend puts in the place of an update variable by variable;
# "generic" is that update itself, which the other backends run.
PATHS = ("generic", "parallel")
BETAS = {"beta1": "beta_1", "beta2": "beta_2", "eps": "epsilon"}
MOMENTS = {"m": "_momentums", "v": "_velocities"}
BEFORE = {"decay": "before", "eps_placement": "before_correction"}


@dataclass(frozen=True, slots=True)
class Row:
    """One of Keras's optimizers as an implementation of a reference rule.

    optimizer: its name in keras.optimizers. state: the reference's fields and the attributes that
    list Keras's variables of them. numbers: the reference's hyperparameters and Keras's arguments,
    besides lr and weight_decay; "-" before an argument that is the negative. options: further
    arguments. cast: the paths that cast hyperparameters to the variable's type. shapes: see
    Capability. later: arguments that are set as attributes, because the constructor refuses a value
    that the update takes.
    """

    rule: str
    optimizer: str
    state: Mapping[str, str]
    numbers: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    dialect: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Fixed] = field(default_factory=dict)
    paths: tuple[str, ...] = PATHS
    cast: tuple[str, ...] = ()
    shapes: Shapes = "any"
    later: tuple[str, ...] = ()

    def capability(self, path: str) -> OptimizerCapability:
        """What the row declares of one of its paths."""
        return OptimizerCapability(
            rule=self.rule,
            arithmetic="float32_hyper" if path in self.cast else "tensor_lr_counter",
            dialect=self.dialect,
            variant=path,
            fixed={"maximize": False, **self.fixed},
            shapes=self.shapes,
        )


ROWS: tuple[Row, ...] = (
    Row(
        "adadelta",
        "Adadelta",
        {"v": "_accumulated_grads", "u": "_accumulated_delta_vars"},
        {"rho": "rho", "eps": "epsilon"},
        dialect={"decay": "before"},
    ),
    Row(
        "adafactor",
        "Adafactor",
        {"r": "_r", "c": "_c", "v": "_v"},
        {
            "eps1": "epsilon_1",
            "eps2": "epsilon_2",
            "clip_threshold": "clip_threshold",
            "decay_rate": "-beta_2_decay",
        },
        dialect={"decay": "before", "parameter_scale": "rms_after_decay"},
        fixed={"beta2_cap": 1.0, "min_size": 0},
        paths=("generic",),
    ),
    Row(
        "adagrad",
        "Adagrad",
        {"total": "_accumulators"},
        {"eps": "epsilon", "initial_total": "initial_accumulator_value"},
        dialect={"decay": "before", "eps_placement": "inside"},
        fixed={"lr_decay": 0.0},
    ),
    Row("adam", "Adam", MOMENTS, BETAS, dialect=BEFORE),
    Row(
        "adamax",
        "Adamax",
        {"m": "_m", "u": "_u"},
        BETAS,
        dialect={"decay": "before", "eps_placement": "outside"},
    ),
    Row("adamw", "AdamW", MOMENTS, BETAS, dialect=BEFORE),
    Row(
        "amsgrad",
        "Adam",
        {**MOMENTS, "v_max": "_velocity_hats"},
        BETAS,
        {"amsgrad": True},
        {**BEFORE, "bias_correction": "both"},
    ),
    Row(
        "lamb",
        "Lamb",
        MOMENTS,
        BETAS,
        dialect={"decay": "before", "guard": "positive"},
        paths=("generic",),
    ),
    Row(
        "lion",
        "Lion",
        {"m": "_momentums"},
        {"beta1": "beta_1", "beta2": "beta_2"},
        # The torch backend's sign; NumPy's, JAX's and TensorFlow's sign of nan is nan.
        dialect={"nan_sign": "zero"},
        cast=("generic",),
        # 0, with which Lion is signSGD.
        later=("beta_1",),
    ),
    Row(
        "muon",
        "Muon",
        {"b": "momentums"},
        {
            "momentum": "momentum",
            "nesterov": "nesterov",
            "ns_a": "muon_a",
            "ns_b": "muon_b",
            "ns_c": "muon_c",
            "ns_steps": "ns_steps",
            "rms": "rms_rate",
        },
        # p - lr wd p and not (1 - lr wd) p, which differ where lr wd is far from 0.
        dialect={"decay": "in_step", "scale": "rms"},
        # The 1e-7 beside the norm is no argument; momentum b + g is computed as b + (g - (1 -
        # momentum) b), which cancels where momentum is small.
        fixed={"eps": 1e-7, "momentum": (0.95, 0.9, 0.99)},
        paths=("generic",),
        # Other tensors take Adam's step.
        shapes="matrices",
    ),
    Row(
        "nadam",
        "Nadam",
        MOMENTS,
        BETAS,
        dialect={"decay": "before"},
        fixed={"momentum_decay": 1.0},
        cast=PATHS,
    ),
    Row(
        "nesterov",
        "SGD",
        {"u": "momentums"},
        {"momentum": "momentum"},
        {"nesterov": True},
        {"decay": "decoupled", "form": "keras"},
        # With a momentum of 0 Keras keeps no velocity.
        {"momentum": (0.9, 0.5, 0.99, 0.3)},
        cast=("generic",),
    ),
    Row(
        "polyak_ruppert",
        "SGD",
        {"average": "_model_variables_moving_average"},
        {"ema": "ema_momentum"},
        {"use_ema": True},
        {"average": "weighted"},
        # Keras averages from the first step, and its decay is decoupled.
        {"start": 0, "weight_decay": 0.0},
        cast=PATHS,
    ),
    Row(
        "rmsprop",
        "RMSprop",
        {"v": "_velocities", "mean": "_average_gradients", "b": "_momentums"},
        {"alpha": "rho", "centered": "centered", "eps": "epsilon", "momentum": "momentum"},
        dialect={"decay": "before", "eps_placement": "inside", "momentum_form": "lr_inside"},
        fixed={"initial_v": 0.0},
    ),
    Row(
        "sgd",
        "SGD",
        {"b": "momentums"},
        {"momentum": "momentum"},
        dialect={"decay": "decoupled", "first_step": "damped", "momentum_form": "lr_inside"},
        fixed={"dampening": 0.0},
        cast=("generic",),
    ),
)
