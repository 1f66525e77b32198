"""What a subcommand is pointed at: `module:attribute`, a BFF or an application."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from narrows.cli import EXAMPLE

if TYPE_CHECKING:
    from narrows.declare.bff import Bff
    from narrows.surfaces.http import Application

SETTINGS_HELP = "The settings file. Without it: narrows.toml beside the file that declares the Bff."


def load_bff(target: str) -> Bff:
    """Import `module:attribute` as `load` does, and give the BFF alone: no settings are read.

    Raises `click.UsageError` for a target that is not there.
    """
    from narrows.declare.bff import Bff

    value = named(target)
    return value if isinstance(value, Bff) else value.plan.bff


def load(target: str, settings: str | None) -> Application:
    """Import `module:attribute` from the current folder or the installed packages, and make its application.

    Raises `click.UsageError` for a target that is not there, `StartRefused`, `SettingsError` and `PolicyError`.
    """
    return _application(named(target), settings)


def load_offline(target: str, settings: str | None) -> Application:
    """As `load`, but no secret is read and no store opened: what it gives can be looked at, and does not start."""
    from narrows.declare.bff import Bff
    from narrows.settings import load_settings
    from narrows.settings.absent import offline
    from narrows.surfaces.http import app

    value = named(target)
    if not isinstance(value, Bff):
        return _application(value, settings)
    return app(value, offline(load_settings(settings or value.folder / "narrows.toml", secrets=False)))


def named(target: str) -> Any:
    """The object that a target names. Raises `click.UsageError`."""
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        raise click.UsageError(f"TARGET is `module:attribute`, as in: {_meant(target)}")
    return _value(_module(module_name), attribute)


def _meant(target: str) -> str:
    """The target that a path or a module without its attribute stands for; else the example."""
    bare = target.rstrip("/")
    file = Path(bare)
    if file.is_dir() and (file / "app.py").is_file():
        file = file / "app.py"
    if file.suffix == ".py":
        return ".".join(file.with_suffix("").parts) + ":bff"
    return f"{bare}:bff" if bare and ":" not in bare and "/" not in bare else EXAMPLE.rpartition(" ")[2]


def targets() -> list[str]:
    """Every BFF below the current folder."""
    return [f"bffs.{file.parent.name}.app:bff" for file in sorted(Path.cwd().glob("bffs/*/app.py"))]


def _module(name: str) -> ModuleType:
    """Import the module; an error inside it is its author's to see, with its stack."""
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found = find_spec(name)
    except ModuleNotFoundError:
        found = None
    if found is None:
        near = get_close_matches(f"{name}:bff", targets(), 1) or targets()
        meant = f" There is: {', '.join(near)}." if near else ""
        raise click.UsageError(f"There is no module {name!r} in {folder} or among the installed packages.{meant}")
    return import_module(name)


def _value(module: ModuleType, attribute: str) -> Any:
    """The object named; a wrong name is answered with the names that would do."""
    from narrows.declare.bff import Bff
    from narrows.surfaces.http import Application

    value = getattr(module, attribute, None)
    if isinstance(value, Bff | Application):
        return value
    known = sorted(name for name, value in vars(module).items() if isinstance(value, Bff | Application))
    what = "is no Bff and no application" if hasattr(module, attribute) else "is not there"
    remedy = f"There is: {', '.join(known)}." if known else 'Declare one: bff = Bff("lunch", …).'
    raise click.UsageError(f"{module.__name__}:{attribute} {what}. {remedy}")


def _application(value: Any, settings: str | None) -> Application:
    """Make the application of a BFF; one that is made already has read its settings."""
    from narrows.settings import load_settings
    from narrows.surfaces.http import Application, app

    if isinstance(value, Application):
        if settings is not None:
            raise click.UsageError("An application has read its settings already: leave --settings out, or name a Bff.")
        return value
    return app(value, load_settings(settings) if settings else None)
