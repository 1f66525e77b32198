"""The reference of the command line lists every command with every argument and option, and no other."""

import re

import click

from narrows.cli import main
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "reference" / "cli.md"


def commands(command, path=("narrows",)):
    """Every command of the tree that does something, by what is typed."""
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        yield from commands(command.get_command(context, name), (*path, name))


def sections():
    """The text of the page by the command that it is about."""
    parts = re.split(r"^## `(.+)`$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_command_has_its_section_and_no_other():
    """Whoever looks a command up finds it, in the order of `narrows --help`."""
    assert list(sections()) == [path for path, _ in commands(main)]


def test_every_option_stands_in_its_section():
    """With the name under which it is typed; none is told that is not there."""
    for path, command in commands(main):
        typed = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        told = set(re.findall(r"`(--[a-z-]+)", sections()[path])) - {"--help"}
        assert told == typed, path
        for parameter in command.params:
            if isinstance(parameter, click.Argument):
                assert f"`{parameter.make_metavar(click.Context(command)).strip('[]….')}" in sections()[path], path
