"""The `narrows` command itself: help, version, wrong usage, and what it does not import."""

import subprocess
import sys
from importlib.metadata import version

from click.testing import CliRunner

from narrows.cli import _COMMANDS, main


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
    known = f"there are {', '.join(others)} and {last}, as in: narrows run bffs.where2eat.app:bff"
    assert f"There is no command 'serve'; {known}" in result.stderr
    assert main.get_command(None, "serve") is None


def test_a_wrong_option_is_named():
    """An option that is not there is said to be the option, not a command."""
    result = CliRunner().invoke(main, ["--sttings"])
    assert (result.exit_code, "No such option" in result.stderr) == (2, True)


def test_help_imports_nothing_heavy():
    """`narrows --help` answers at once: no web framework, HTTP client, crypto or telemetry is imported for it."""
    script = (
        "import sys\n"
        "from narrows.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print('imported:', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - our own text
    imported = set(done.stdout.rpartition("imported:")[2].split())
    assert "click" in imported
    heavy = {"litestar", "uvicorn", "httpx", "msgspec", "authlib", "joserfc", "casbin", "cryptography", "opentelemetry"}
    assert not imported & heavy
