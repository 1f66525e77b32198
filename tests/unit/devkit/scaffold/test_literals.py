"""A text stays one value in every language, whatever it holds."""

import ast
import tomllib
from html.parser import HTMLParser

from hypothesis import example, given
from hypothesis import strategies as st

from narrows.devkit.scaffold.literals import html_text, python_literal, toml_literal

HOSTILE = '"""\n\'\'\'); import os  # \\" \\ \t{x} %s $x <<name>> <script>&amp; \u202e\u2066 é 漢字 😀 </title>'
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\t\"'\\<>&"), max_size=400)


@given(TEXTS, st.integers(0, 8), st.integers(1, 120))
@example(HOSTILE, 4, 40)
@example("x" * 300, 4, 100)
def test_python_reads_the_same_text(text, indent, room):
    """One constant, in ASCII or plain Latin letters, on lines that fit."""
    literal = python_literal(text, indent=indent, room=room)
    assert ast.literal_eval(literal.strip()) == text
    assert all(line.isprintable() for line in literal.split("\n"))
    assert len(literal) <= room or all(len(line) <= indent + 4 + 80 for line in literal.split("\n"))


@given(TEXTS)
@example(HOSTILE)
def test_toml_reads_the_same_text(text):
    """One basic string."""
    literal = toml_literal(text)
    assert tomllib.loads(f"x = {literal}") == {"x": text}
    assert literal.isprintable()


# Unlike the others, HTML has no way to say a noncharacter.
NONCHARACTERS = [
    *range(0xFDD0, 0xFDF0),
    *(plane + last for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)),
]
UNSAYABLE = {*NONCHARACTERS, *range(32), *range(0x7F, 0xA0), *range(0xD800, 0xE000)}


@given(TEXTS | st.text(st.sampled_from([chr(number) for number in sorted(UNSAYABLE)]) | st.characters(), max_size=40))
@example(HOSTILE)
@example("a\ufdd0b\uffff \x80")
def test_html_reads_the_same_words_and_no_element(text):
    """Neither in an element nor in an attribute; in the place of what HTML cannot say stands the sign for it."""
    found = []

    class Reader(HTMLParser):
        """Keeps what it reads."""

        def handle_starttag(self, tag, attrs):
            found.append((tag, attrs))

        def handle_data(self, data):
            found.append(data)

    reader = Reader()
    reader.feed(f'<p title="{html_text(text)}">{html_text(text)}</p>')
    reader.close()
    words = "".join("\ufffd" if ord(letter) in UNSAYABLE else letter for letter in " ".join(text.split()))
    assert found == [("p", [("title", words)]), *([words] if words else [])]


def test_what_turns_the_direction_of_the_writing_is_escaped():
    """A reviewer sees what a program reads (CVE-2021-42574), also where letters of two scripts look alike."""
    for literal in (python_literal("a\u202eb\u0430"), toml_literal("a\u202eb\u0430")):
        assert literal == '"a\\u202eb\\u0430"'
    assert html_text("a\u202eb") == "a&#x202e;b"
    assert python_literal("\U0001f600") == '"\\U0001f600"'


def test_the_quotes_are_those_that_need_fewer_escapes():
    """As ruff lays them out, so that a new BFF is in the form of the project."""
    assert python_literal('say "hi"') == "'say \"hi\"'"
    assert python_literal("it's") == '"it\'s"'
