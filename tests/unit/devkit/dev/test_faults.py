from pathlib import Path

from narrows.devkit.dev.faults import refusals_of
from narrows.errors import Refusal, SettingsError, StartRefused


def raised(fault):
    """An error with its way."""
    try:
        raise fault
    except BaseException as error:
        return error


def test_refusals_are_told_as_they_are():
    """Each keeps its place, rule and remedy."""
    one = Refusal(code="rate-missing", subject="a", where="app.py:1", rule="r", remedy="m")
    assert refusals_of(StartRefused([one])) == [one]


def test_settings_are_told_line_by_line():
    """Each fault of a settings file names the file and its own remedy."""
    told = refusals_of(SettingsError("narrows.toml: limits.call_s: wrong. Remedy: see the docs.\npublic_url is no URL"))
    assert [(one.where, one.rule, one.remedy) for one in told] == [
        ("narrows.toml", "limits.call_s: wrong.", "see the docs."),
        ("settings", "public_url is no URL", "correct it; docs/reference/settings.md has every key"),
    ]


def test_what_an_import_raises_is_told_at_the_line_of_the_bff():
    """The line to change is in the team's own folder, not where a library noticed it."""
    here = Path(__file__)
    [told] = refusals_of(raised(NameError("name 'x' is not defined")), here.parent)
    assert told.where.startswith(f"{here}:")
    assert told.rule == "NameError: name 'x' is not defined"
    [told] = refusals_of(raised(ValueError("odd")), Path("/nowhere"))
    assert told.where.startswith(f"{here}:")
    [told] = refusals_of(ValueError("odd"))
    assert told.where == "the target"


def test_a_typing_error_is_told_at_its_own_line():
    """A file that does not parse has no frame, but a line."""
    try:
        compile("a = (\n", "app.py", "exec")
    except SyntaxError as error:
        [told] = refusals_of(error)
    assert told.where == "app.py:1"
    assert told.rule.startswith("SyntaxError: ")
