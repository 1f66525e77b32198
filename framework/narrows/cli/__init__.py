"""The `narrows` command: one file a subcommand, imported when it is asked for.

Nothing heavy is imported at the top of these files, so that `narrows --help` answers at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

# One name a line, sorted.
_COMMANDS = (
    "check",
    "new",
    "openapi",
    "rehearse",
    "run",
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
            known = f"{', '.join(_COMMANDS[:-1])} and {_COMMANDS[-1]}"
            raise click.UsageError(f"There is no command {args[0]!r}; there are {known}, as in: {EXAMPLE}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; what is refused is told in words, without a stack, and ends with exit code 2."""
        from narrows.errors import NarrowsError

        try:
            return super().invoke(ctx)
        except NarrowsError as refused:
            click.echo(f"narrows: {refused}", err=True)
            ctx.exit(2)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="narrows", prog_name="narrows")
def main() -> None:
    """Narrow, guarded endpoints for low-code micro-apps and desktop copilots."""
