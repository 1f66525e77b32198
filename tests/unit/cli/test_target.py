"""What `module:attribute` may be, and what is said when it is not."""

import click
import pytest

from narrows.cli.target import load
from narrows.errors import SettingsError, StartRefused
from narrows.surfaces.http import Application
from tests.unit.cli.lunch import write_lunch

APPLICATION = """
from narrows import app, load_settings
application = app(bff, load_settings("narrows.toml"))
"""


def said(target, settings=None):
    """What a person reads who names a wrong target."""
    with pytest.raises(click.UsageError) as caught:
        load(target, settings)
    return caught.value.message


def test_a_bff_is_served_with_the_settings_beside_it(tmp_path):
    """The settings of a BFF lie in its folder, so no option is needed."""
    write_lunch(tmp_path, "lunch_beside")
    application = load("lunch_beside:bff", None)
    assert isinstance(application, Application)
    assert application.plan.settings.base == str(tmp_path)


def test_settings_can_lie_elsewhere(tmp_path):
    """A deployment keeps its settings where it likes."""
    (tmp_path / "etc").mkdir()
    write_lunch(tmp_path, "lunch_elsewhere").rename(tmp_path / "etc" / "live.toml")
    assert load("lunch_elsewhere:bff", "etc/live.toml").plan.settings.base == "etc"
    with pytest.raises(SettingsError, match=r"narrows\.toml: there is no such file"):
        load("lunch_elsewhere:bff", None)


def test_an_application_is_taken_as_it_is(tmp_path):
    """What has read its settings already is not given others."""
    write_lunch(tmp_path, "lunch_application", more=APPLICATION)
    assert load("lunch_application:application", None).plan.bff.name == "lunch"
    assert "leave --settings out" in said("lunch_application:application", "narrows.toml")


@pytest.mark.parametrize("target", ["bffs.where2eat.app", ":bff", "module:"])
def test_a_target_without_two_parts_is_shown_the_form(target):
    """The form is said with an example."""
    assert said(target) == "TARGET is `module:attribute`, as in: bffs.where2eat.app:bff"


@pytest.mark.parametrize("name", ["no_such_module", "no_such_package.app"])
def test_a_module_that_is_not_there_is_said_to_be_so(name, tmp_path):
    """It is said where it was looked for."""
    assert said(f"{name}:bff") == f"There is no module {name!r} in {tmp_path} or among the installed packages."


def test_a_wrong_attribute_is_answered_with_the_right_one(tmp_path):
    """The BFFs of the module are listed."""
    write_lunch(tmp_path, "lunch_wrong")
    assert said("lunch_wrong:lunch_bff") == "lunch_wrong:lunch_bff is not there. There is: bff."
    assert said("lunch_wrong:number") == "lunch_wrong:number is no Bff and no application. There is: bff."
    assert said("json:dumps").startswith("json:dumps is no Bff and no application. Declare one: bff = Bff(")


def test_an_error_inside_the_module_keeps_its_stack(tmp_path):
    """Whoever wrote the module needs to see the line."""
    write_lunch(tmp_path, "lunch_broken", more="import no_such_library\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        load("lunch_broken:bff", None)


def test_an_unsafe_declaration_is_refused(tmp_path):
    """The command line adds no way around the start's refusals."""
    write_lunch(tmp_path, "lunch_unsafe", more='bare = Bff("bare")\n')
    with pytest.raises(StartRefused) as caught:
        load("lunch_unsafe:bare", None)
    assert {refusal.code for refusal in caught.value.refusals} == {"fact-missing"}
