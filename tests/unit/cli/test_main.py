"""The `narrows` command itself: help, version, wrong usage, and what it does not import."""

import subprocess
import sys
from importlib.metadata import version

import click
import pytest
from click.testing import CliRunner

from narrows.cli import _COMMANDS, _shown, main


def test_help_lists_every_subcommand():
    """Whoever types `narrows --help` reads what there is."""
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    assert all(f"\n  {name} " in result.output for name in _COMMANDS)


def test_version_is_that_of_the_package():
    """One version, in one place."""
    assert CliRunner().invoke(main, ["--version"]).output == f"narrows, version {version('narrows')}\n"


def test_a_wrong_command_is_answered_with_the_right_ones():
    """A typing error costs no look into the documentation."""
    result = CliRunner().invoke(main, ["serve"])
    assert result.exit_code == 2
    *others, last = _COMMANDS
    known = f"There are {', '.join(others)} and {last}, as in: narrows run bffs.where2eat.app:bff"
    assert f"There is no command 'serve'. {known}" in result.stderr
    assert main.get_command(None, "serve") is None


def test_a_wrong_option_is_named():
    """An option that is not there is said to be the option, not a command."""
    result = CliRunner().invoke(main, ["--sttings"])
    assert (result.exit_code, "No such option" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["chek"], "There is no command 'chek'. Did you mean 'check'?"),
        (["check", "--setings", "x"], "Did you mean '--settings'?"),
        (["check", "--format", "xml"], "'xml' is not one of 'text', 'json', 'sarif'"),
        (["run"], "Write it as in: narrows run bffs.where2eat.app:bff"),
        (
            ["promote", "x:y"],
            "Missing option '--from'. Write it as in: narrows promote bffs.where2eat.app:bff --from dev",
        ),
        (["promote", "a:b"], "--from development|staging|production --to development|staging|production"),
        (["run", "bffs/lunch/app.py"], "TARGET is `module:attribute`, as in: bffs.lunch.app:bff"),
        (["run", "bffs/lunch/"], "as in: bffs.lunch.app:bff"),
        (["run", "bffs.lunch.app"], "as in: bffs.lunch.app:bff"),
        (["run", "bffs.lunch.app:"], "as in: bffs.where2eat.app:bff"),
        (["run", "no/such"], "as in: bffs.where2eat.app:bff"),
        (["run", "bffs.lnch.app:bff"], "There is: bffs.lunch.app:bff."),
    ],
)
def test_wrong_usage_says_what_would_be_right(tmp_path, typed, said):
    """Commands, options, choices, missing arguments, and targets that are nearly one; exit code 2."""
    for name in ("lunch", "other"):
        (tmp_path / "bffs" / name).mkdir(parents=True)
        (tmp_path / "bffs" / name / "app.py").touch()
    result = CliRunner().invoke(main, typed, prog_name="narrows")
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


def test_what_is_missing_is_told_without_a_context():
    """click gives none where a prompt is answered with nothing."""
    assert _shown(click.MissingParameter()) == "Write it as in: narrows run bffs.where2eat.app:bff"


def test_a_fault_of_a_module_is_its_authors_to_see(tmp_path):
    """It is no refusal: its stack stays."""
    (tmp_path / "faulty_module.py").write_text("1 / 0")
    assert isinstance(CliRunner().invoke(main, ["run", "faulty_module:bff"]).exception, ZeroDivisionError)


def commands(command, path=()):
    """Every command of the tree with the words that lead to it."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), (*path, name))


HEAVY = {
    *("litestar", "uvicorn", "httpx", "msgspec", "authlib", "joserfc", "casbin", "cryptography", "opentelemetry"),
    *("regopy", "yaml", "sqlite3", "tomllib"),
}


def test_help_imports_nothing_heavy():
    """The help of each command answers at once: no framework, client, crypto or engine is imported for it."""
    tree = [list(path) for path in commands(main)]
    script = (
        "import sys\n"
        "from narrows.cli import main\n"
        f"for path in {tree!r}:\n"
        "    try: main([*path, '--help'], prog_name='narrows')\n"
        "    except SystemExit as end: assert end.code == 0, path\n"
        "print('imported:', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - our own text
    imported = set(done.stdout.rpartition("imported:")[2].split())
    assert "click" in imported
    assert imported & HEAVY == set()


@pytest.mark.parametrize("path", [path for path in commands(main) if path], ids=" ".join)
def test_help_has_an_example(path):
    """Each command that does something shows how it is typed."""
    result = CliRunner().invoke(main, [*path, "--help"], prog_name="narrows")
    command = main
    for name in path:
        command = command.get_command(click.Context(command), name)
    assert isinstance(command, click.Group) or f"  narrows {' '.join(path)}" in result.output
