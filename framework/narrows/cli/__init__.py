"""The `narrows` command: one file a subcommand, imported when it is asked for.

Nothing heavy is imported at the top of these files, so that `narrows --help` answers at once.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

# One name a line, sorted.
_COMMANDS = (
    "alerts",
    "audit",
    "check",
    "connector",
    "dev",
    "graphql",
    "new",
    "openapi",
    "promote",
    "rehearse",
    "revoke",
    "run",
    "telemetry",
    "token",
    "usage",
)
EXAMPLE = "narrows run bffs.where2eat.app:bff"


class Commands(click.Group):
    """The subcommands; each is the `command` of the file of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click gives it
        """Return the names of all subcommands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import a subcommand."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"narrows.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand; for a wrong one say which there are."""
        if not args[0].startswith("-") and args[0] not in _COMMANDS:
            near = get_close_matches(args[0], _COMMANDS, 1)
            meant = f"Did you mean {near[0]!r}? " if near else ""
            known = f"{', '.join(_COMMANDS[:-1])} and {_COMMANDS[-1]}"
            raise click.UsageError(f"There is no command {args[0]!r}. {meant}There are {known}, as in: {EXAMPLE}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; what is refused is told in words, without a stack, and ends with exit code 2."""
        try:
            return super().invoke(ctx)
        except click.MissingParameter as missing:
            said, _, _ = missing.format_message().partition(" Choose from:")  # as `_shown` names them too
            raise click.UsageError(f"{said} {_shown(missing)}", missing.ctx) from None
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # its kind is imported only when there is one, and any other goes on
            from narrows.cli.saying import say
            from narrows.errors import NarrowsError

            if not isinstance(error, NarrowsError):
                raise
            say(f"narrows: {error}", err=True)
            ctx.exit(2)


def _shown(missing: click.MissingParameter) -> str:
    """What to write instead, with a target where one is wanted."""
    context = missing.ctx
    if context is None:
        return f"Write it as in: {EXAMPLE}"
    wanted = [_example(parameter) for parameter in context.command.params if parameter.required]
    return f"Write it as in: {' '.join([context.command_path, *wanted])}"


def _example(parameter: click.Parameter) -> str:
    """A parameter as it is written."""
    if parameter.name == "target":
        return EXAMPLE.rpartition(" ")[2]
    choices = getattr(parameter.type, "choices", ())
    named = "|".join(choices) or parameter.human_readable_name.upper()
    return named if isinstance(parameter, click.Argument) else f"{parameter.opts[0]} {named}"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="narrows", prog_name="narrows")
def main() -> None:
    """Narrow, guarded endpoints for low-code micro-apps and desktop copilots.

    \b
    From nothing to a first answer:
      narrows new lunch
      narrows check bffs.lunch.app:bff
      narrows dev bffs.lunch.app:bff

    Each command has its own --help with examples. Exit codes: 0 done, 1 something is refused or differs, 2 it could not
    be done.
    """
