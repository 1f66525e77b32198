"""What a person says of a new BFF is judged before anything is made."""

from datetime import date

import pytest

from narrows.devkit.scaffold.facts import ScaffoldRefused, checked_name, judged

TODAY = date(2026, 11, 24)


def facts(name="room_book", owner="rooms@example.com", purpose="Book a room"):
    """Facts with one of them changed."""
    return judged(name, owner=owner, purpose=purpose, today=TODAY)


def test_facts_know_their_names_and_the_day_of_their_review():
    """An id has no underscore, a person reads words, and half a year later somebody looks at it again."""
    made = facts()
    assert (made.name, made.bff, made.title) == ("room_book", "room-book", "Room book")
    assert made.review_by == "2027-05-23"


@pytest.mark.parametrize("name", ["a", "desks", "room_book", "a1_b2", "x" * 40])
def test_a_name_that_can_be_a_package_is_taken(name):
    """Letters, digits and single underscores."""
    assert checked_name(name) == name


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("Room-Book", "call it room_book"),
        ("room-book", "call it room_book"),
        ("2desks", "call it desks"),
        ("büro", "call it buro"),
        ("room__book", "call it room_book"),
        ("_desks", "call it desks"),
        ("../etc/passwd", "call it etc_passwd"),
        ("desks/../../x", "call it desks_x"),
        ("..", "call it after its purpose"),
        ("", "call it after its purpose"),
        ("desks\n", "call it desks"),
        ("de\0sks", "call it de_sks"),
        ("dеsks", "call it dsks"),  # noqa: RUF001 - the second letter is Cyrillic
        ("x" * 41, f"call it {'x' * 40}"),
        ("class", "call it class_app"),
        ("match", "call it match_app"),
        ("json", "call it json_app"),
        ("tests", "call it tests_app"),
        ("null", "call it null_app"),
        ("on", "call it on_app"),
        ("con", "call it con_app"),
        ("lpt1", "call it lpt1_app"),
    ],
)
def test_any_other_name_is_answered_with_one_that_would_do(name, better):
    """Nobody has to guess, and no path comes out of a name."""
    with pytest.raises(ScaffoldRefused, match="Remedy: ") as refused:
        facts(name=name)
    assert better in str(refused.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        (" \n ", "is empty"),
        ("x" * 301, "has 301 characters"),
        ("bell \x07", "control character"),
        ("nul \x00", "control character"),
        ("half \ud83d", "no character"),
    ],
)
def test_a_text_that_no_file_can_show_is_refused(text, fault):
    """The rule and the remedy are named."""
    with pytest.raises(ScaffoldRefused, match=f"the purpose .*{fault}.* Remedy"):
        facts(purpose=text)


def test_an_owner_is_short():
    """It is an address, no letter."""
    with pytest.raises(ScaffoldRefused, match="the owner has 101 characters; 100 are the most"):
        facts(owner="x" * 101)


def test_a_purpose_of_several_lines_becomes_one():
    """A start refuses a fact with a line break; the spaces of any script may stay."""
    assert facts(purpose=" Book a\r\n\troom,\tor\n two ").purpose == "Book a room, or two"
    assert facts(purpose="\u3042\u3000\u3044\u00a0!").purpose == "\u3042\u3000\u3044\u00a0!"


@pytest.mark.parametrize("text", ["Book \u202esmoor", "Book a\u200broom", "Book a\U000110bdroom"])
def test_what_a_record_may_not_say_is_refused_before_it_is_written(text):
    """Else the check of the new BFF would refuse what `narrows new` has made."""
    for given in ({"purpose": text}, {"owner": text}):
        with pytest.raises(ScaffoldRefused, match="holds an invisible character"):
            facts(**given)
