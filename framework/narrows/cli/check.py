"""`narrows check`: every refusal, without serving."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from narrows.cli.progress import Progress
from narrows.cli.report import FORMS, report
from narrows.cli.saying import say
from narrows.cli.target import SETTINGS_HELP, load_bff
from narrows.cli.target import targets as all_targets

if TYPE_CHECKING:
    from narrows.cli.checking import Check
    from narrows.declare.bff import Bff
    from narrows.errors import Refusal


@click.command("check", short_help="Print every refusal of one BFF or all, without serving.")
@click.argument("targets", nargs=-1, metavar="[TARGET]…")
@click.option("--settings", type=click.Path(dir_okay=False, path_type=Path), help=SETTINGS_HELP)
@click.option(
    "--environment",
    "environments",
    multiple=True,
    type=click.Choice(("development", "staging", "production")),
    help="Only this environment; may be repeated. Without it: all that the settings file has.",
)
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    metavar="NAME=FILE",
    help="Tell how the operations of this upstream differ from its OpenAPI document; may be repeated.",
)
@click.option("--registry", is_flag=True, help="Count what approvers granted: read the registry, which takes its key.")
@click.option("--format", "form", type=click.Choice(FORMS), default="text", show_default=True)
def command(
    targets: tuple[str, ...],
    settings: Path | None,
    environments: tuple[str, ...],
    upstreams: tuple[str, ...],
    registry: bool,
    form: str,
) -> None:
    """Print every refusal of each TARGET (module:attribute), with file, line and remedy; of all bffs/*/app.py without.

    No secret is read, no store opened (but with --registry) and no network used. Beside what a start refuses, it tells
    what handlers import, whether policies hold and pass their tests, and what templates and policies say of each
    connector file. An environment whose hosts still stand for others is judged only if it is named.

    \b
    Exit codes: 0 nothing is refused, 1 something is, 2 it could not be checked.

    \b
    Examples:
      narrows check
      narrows check bffs.where2eat.app:bff --environment production
      narrows check --format sarif > narrows.sarif
      narrows check bffs.pets.app:bff --upstream petstore=openapi.json
    """
    contracts = _contracts(upstreams)
    named = targets or _all()
    if settings is not None and len(named) != 1:
        raise click.UsageError("--settings belongs to one TARGET. Name it, as in: narrows check bffs.where2eat.app:bff")
    found: dict[str, list[Refusal]] = {}
    unready: dict[str, list[str]] = {}
    used: set[str] = set()
    with Progress(len(named)) as progress:
        for target in named:
            progress.step(target)
            check = _loaded(target, settings, registry=registry)
            if isinstance(check, list):
                found[target] = check
                used.update(contracts)  # what cannot be loaded may use any of them
            else:
                found[target] = check.refusals(environments) + _drift(check.bff, contracts, used)
                unready[target] = check.unready
    _all_used(contracts, used)
    say(report(form, found, Path.cwd(), unready))
    sys.exit(1 if any(found.values()) else 0)


def _all() -> list[str]:
    """Every BFF below the current folder."""
    found = all_targets()
    if not found:
        raise click.UsageError("There is no bffs/*/app.py here. Name a TARGET, or make a BFF: narrows new lunch")
    return found


def _contracts(upstreams: tuple[str, ...]) -> dict[str, Path]:
    """The documents of `--upstream NAME=FILE`."""
    contracts = {}
    for given in upstreams:
        name, _, file = given.partition("=")
        if not name or not Path(file).is_file():
            raise click.UsageError(f"--upstream {given}: write NAME=FILE of a file that is there, as in pets=pets.json")
        contracts[name] = Path(file)
    return contracts


def _all_used(contracts: dict[str, Path], used: set[str]) -> None:
    """A name that no BFF knows would hide every difference."""
    for name in contracts:
        if name not in used:
            listed = ", ".join(sorted(used)) or "none"
            raise click.UsageError(f"--upstream {name}: no BFF that was checked uses it. There is: {listed}.")


def _loaded(target: str, settings: Path | None, *, registry: bool) -> Check | list[Refusal]:
    """The check of one target, or why it cannot be loaded."""
    from narrows.cli.checking import Check, broken

    try:
        bff = load_bff(target)
    except click.UsageError:
        raise
    except Exception as error:  # whatever a module raises is told at its own line
        spec = find_spec(target.partition(":")[0])
        return [broken(target, error, Path(spec.origin or "") if spec else Path(target))]
    return Check(bff, settings or bff.folder / "narrows.toml", registry=registry)


def _drift(bff: Bff, contracts: dict[str, Path], used: set[str]) -> list[Refusal]:
    """How the operations of a BFF differ from the documents of their upstreams."""
    if not contracts:
        return []
    from narrows.devkit.drift import drift, upstreams_of

    used.update(upstreams_of(bff))
    return [refusal for name, file in contracts.items() for refusal in drift(bff, name, file)]
