"""The command of `make deep`: a search for faithful evaluations outside the contracts."""

import dataclasses
import itertools
import json

import click

from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.soundness import bounded, sampled
from truestep.reference.optimizers import OPTIMIZERS


@click.command()
@click.option("--rule", "rules", multiple=True, type=click.Choice(tuple(OPTIMIZERS)))
@click.option(
    "--format",
    "profiles",
    multiple=True,
    type=click.Choice(tuple(PROFILES)),
    default=("ieee_float32", "bfloat16", "float16"),
    help="name of an arithmetic profile",
)
@click.option("--examples", default=100_000, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(rules: tuple[str, ...], profiles: tuple[str, ...], examples: int, seed: int) -> None:
    """Search for faithful evaluations outside the contract; a JSON line per rule and format."""
    failed = False
    for rule, profile in itertools.product(rules or OPTIMIZERS, profiles):
        if rule in bounded.RULES:
            record = bounded.soundness(rule, profile, examples, seed)
        elif rule in sampled.RULES and profile == sampled.FLOAT32.name:
            record = sampled.soundness(rule, examples, seed)
        else:
            reason = bounded.ELSEWHERE.get(
                rule, "the sampled contract is searched in float32 alone"
            )
            click.echo(f"{rule} {profile}: not run: {reason}", err=True)
            continue
        failed |= not record.sound
        click.echo(
            f"{rule} {profile}: {record.examples} examples, largest utilisation "
            f"{record.utilisation:.4g}, {record.seconds:.0f} s",
            err=True,
        )
        click.echo(json.dumps(dataclasses.asdict(record)))
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
