"""Templates are filled, and what is filled in never becomes more than a value."""

import pytest

from narrows.devkit.scaffold.filling import filled, html_outline, python_outline, template, toml_outline
from narrows.errors import NarrowsError

HOSTILE = '"); import os; os.system("x") #\n"""\'\'\' </p><script>'


def test_a_word_stands_as_it_is_and_a_text_as_a_literal():
    """Each in the language that the template names."""
    text = 'name = "<<name>>"\npurpose = <<purpose:python>>\n'
    assert filled("app.py", text, {"name": "desks", "purpose": HOSTILE}).startswith('name = "desks"\npurpose = ')
    assert filled("narrows.toml", "x = <<purpose:toml>>", {"purpose": "a\nb"}) == 'x = "a\\nb"'
    assert filled("index.html", "<p><<purpose:html>></p>", {"purpose": "<b>"}) == "<p>&lt;b&gt;</p>"


def test_a_text_without_its_language_is_refused():
    """A template that forgets the language cannot let code in."""
    with pytest.raises(NarrowsError, match="without saying in which language"):
        filled("app.py", '"<<purpose>>"', {"purpose": HOSTILE})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("app.py", "x = <<purpose:html>>", "f()"),
        ("app.py", "x = '<<purpose:html>>'", "\\"),
        ("narrows.toml", "x = <<purpose:html>>", "[1]"),
        ("index.html", "<p><<purpose:python>></p>", "<b>"),
    ],
)
def test_a_template_in_the_wrong_language_is_found_out(name, text, value):
    """The second reading sees what the literal of another language let through."""
    with pytest.raises(NarrowsError, match="became code; nothing was written"):
        filled(name, text, {"purpose": value})


def test_outlines_leave_out_values_alone():
    """Two texts are alike; two structures are not."""
    assert python_outline("x = 'a'") == python_outline("x = 'b'") != python_outline("x = b()")
    assert toml_outline("x = ['a']\ny = 1") == toml_outline("x = ['b']\ny = 1") != toml_outline("x = ['b', 'c']\ny = 1")
    assert html_outline("<p>a</p>") == html_outline("<p>b</p>") != html_outline("<p><!--b--></p>")


def test_a_file_of_another_kind_is_filled_as_it_is():
    """There words alone are filled in."""
    assert filled("ci.yml", "name: <<name>>", {"name": "desks"}) == "name: desks"
    assert "<<name>>" in template("common/ci.yml.txt")
