"""Departures of optax's optimizers from their rules."""

from __future__ import annotations

from truestep.fast.peers.finding import Finding

_ADAN_COEFFICIENT = """\
import jax.numpy as jnp
import optax
optimizer = optax.adan(1.0, b1=0.5, b2=0.75, b3=0.5, eps=0.0, eps_root=0.0)
p = jnp.zeros(1)
state = optimizer.init(p)
for g in (1.0, 3.0):
    update, state = optimizer.update(jnp.array([g]), state, p)
print([round(float(x), 4) for x in (state[0].n[0], update[0])])
"""

_AOL_EPS = """\
import jax.numpy as jnp
import optax
g = jnp.diag(jnp.array([1e-3, 1e-3]))
for name in ("aol", "schatten"):
    updates = []
    for eps in (1.0, 1e-8):
        optimizer = optax.contrib.muon(1.0, eps=eps, preconditioning=name, nesterov=False)
        update, _ = optimizer.update(g, optimizer.init(g), g)
        updates.append(round(-float(update[0, 0]), 4))
    print(name, *updates)
"""

_CENTERED = """\
import jax.numpy as jnp
import optax
optimizer = optax.rmsprop(0.1, centered=True)
g = jnp.array([8.9])
state = optimizer.init(g)
for t in range(1, 201):
    update, state = optimizer.update(g, state)
    if jnp.isnan(update[0]):
        print("nan at step", t)
        break
else:
    print("no nan in 200 steps")
"""

_FIRST_CENTERED = """\
import jax.numpy as jnp
import optax
optimizer = optax.rmsprop(
    0.1, decay=0.99, eps=1e-2, eps_in_sqrt=False, centered=True, bias_correction=True
)
g = jnp.array([0.5, 1.0, 2.0])
update, _ = optimizer.update(g, optimizer.init(g))
print(update)
"""

_PRODIGY_ZERO = """\
import jax.numpy as jnp
import optax
optimizer = optax.contrib.prodigy()
p = jnp.ones(2)
update, _ = optimizer.update(jnp.zeros(2), optimizer.init(p), p)
print(optax.apply_updates(p, update))
"""

_SCALAR = """\
import jax.numpy as jnp
import optax
optimizer = optax.sm3(0.1)
p = jnp.ones(())
try:
    update, _ = optimizer.update(p, optimizer.init(p), p)
    print(round(float(update), 4))
except IndexError as error:
    print(type(error).__name__)
"""

_WARMUP = """\
import jax.numpy as jnp
import optax
optimizer = optax.contrib.schedule_free_sgd(1.0, warmup_steps=4)
p = jnp.ones(1)
state = optimizer.init(p)
_, state = optimizer.update(jnp.ones(1), state, p)
print(float(state.z[0]), float(state.weight_sum))
"""

OPTAX_FINDINGS: tuple[Finding, ...] = (
    Finding(
        library="optax",
        versions="0.2.8",
        rule="adan",
        title="adan weighs gradient differences by 1 - b2 in the place of b2",
        contradicts="n_t averages (g_t + beta2 d_t)^2 and the step takes m_t + beta2 v_t",
        reproducer=_ADAN_COEFFICIENT,
        expected="[10.375, -0.8578]\n",
        actual="[6.375, -0.8983]\n",
        check_glob="optimizer/adan/float32/*/[!a]*",
    ),
    Finding(
        library="optax",
        versions="0.2.8",
        rule="muon",
        title="The aol and schatten preconditionings take no notice of eps",
        contradicts="eps: term added to denominators to improve numerical stability",
        reproducer=_AOL_EPS,
        expected="aol 0.4705 0.6964\nschatten 0.4705 1.0857\n",
        actual="aol 0.6964 0.6964\nschatten 1.0857 1.0857\n",
        check_glob="",
    ),
    Finding(
        library="optax",
        versions="0.2.8",
        rule="prodigy",
        title="A zero first gradient makes every parameter nan",
        contradicts="g = 0 leaves the parameters as they are",
        reproducer=_PRODIGY_ZERO,
        expected="[1. 1.]\n",
        actual="[nan nan]\n",
        check_glob="",
    ),
    Finding(
        library="optax",
        versions="0.2.8",
        rule="rmsprop",
        title="A constant gradient makes the parameter nan when centered",
        contradicts="a constant gradient drives the variance to 0, and never below",
        reproducer=_CENTERED,
        expected="no nan in 200 steps\n",
        actual="nan at step 134\n",
        check_glob="",
    ),
    Finding(
        library="optax",
        versions="0.2.8",
        rule="rmsprop",
        title="The first step is nan when centered and corrected, with eps outside the root",
        contradicts="the variance of one gradient is 0: the first step is lr g / eps",
        reproducer=_FIRST_CENTERED,
        expected="[ -5. -10. -20.]\n",
        actual="[nan nan nan]\n",
        check_glob="optimizer/rmsprop/float32/corrected_*/*",
    ),
    Finding(
        library="optax",
        versions="0.2.8",
        rule="schedule_free_sgd",
        title="The warm-up's first rate is zero, but its weight in the average is not",
        contradicts="the weight of step t is the square of the rate of step t",
        reproducer=_WARMUP,
        expected="0.75 0.0625\n",
        actual="1.0 0.0625\n",
        check_glob="optimizer/schedule_free_sgd/float32/warmup_*/*[!r2]",
    ),
    Finding(
        library="optax",
        versions="0.2.8",
        rule="sm3",
        title="A parameter that is a scalar raises IndexError",
        contradicts="of a vector and a 0-d tensor mu holds one for each element",
        reproducer=_SCALAR,
        expected="-0.01\n",
        actual="IndexError\n",
        check_glob="optimizer/sm3/float32/*/[clm]*[ner][ps]",
    ),
)
