"""How large a document may be is judged at start, with its fragments written out, and fast."""

import time
from pathlib import Path

import pytest

from narrows.errors import Refusal
from narrows.surfaces.graphql.files import MOST_BYTES
from tests.unit.surfaces.graphql.kitchen import compiled, refused

FREE = {"within": "team:7"}


def codes(found: list[Refusal]) -> list[str]:
    """What is refused, each once."""
    return sorted({one.code for one in found})


def aliased(count: int) -> str:
    """A document that renames so many fields."""
    return "query lunch { " + " ".join(f"a{n}: few(team_id: 7)" for n in range(count)) + " }"


def test_as_many_aliases_as_are_allowed_start_and_one_more_does_not(tmp_path: Path) -> None:
    """The bound is exact, and the refusal tells both numbers."""
    assert compiled(tmp_path, aliased(15), **FREE).document is not None
    [found] = refused(tmp_path, aliased(16), **FREE)
    assert found.code == "document-aliases"
    assert found.rule == "with its fragments written out it has 16 aliases, and 15 are allowed"
    assert compiled(tmp_path, aliased(16), aliases=16, **FREE).document is not None


def test_each_level_counts_as_depth_and_fragments_are_none(tmp_path: Path) -> None:
    """A fragment nests what it holds where it is named."""
    source = """query lunch { menu(team_id: 7) { ...A } }
    fragment A on Menu { dishes { ... on Dish { ...B } } } fragment B on Dish { cook { name } }"""
    assert compiled(tmp_path, source, depth=4, **FREE).document is not None
    [found] = refused(tmp_path, source, depth=3, **FREE)
    assert (found.code, found.rule) == (
        "document-depth",
        "with its fragments written out it nests 4 deep, and 3 are allowed",
    )


def test_tokens_count_each_time_that_a_fragment_is_named(tmp_path: Path) -> None:
    """A few fragments that name each other are as long as what they stand for."""
    source = """query lunch { menu(team_id: 7) { ...A ...A } }
    fragment A on Menu { ...B ...B } fragment B on Menu { # nobody counts a comment
      team }"""
    # The operation: query lunch { menu ( team_id : 7 ) { ... A ... A } } = 16; A: 6, twice; B: 3, four times.
    assert compiled(tmp_path, source, tokens=16 + 2 * 6 + 4 * 3, **FREE).document is not None
    [found] = refused(tmp_path, source, tokens=16 + 2 * 6 + 4 * 3 - 1, **FREE)
    assert (found.code, found.rule) == (
        "document-tokens",
        "with its fragments written out it has 40 tokens, and 39 are allowed",
    )


def test_a_text_longer_than_its_tokens_is_not_even_parsed(tmp_path: Path) -> None:
    """The last token that counts is the last that is read."""
    [found] = refused(tmp_path, "query lunch " + "{ " * 5000, **FREE)
    assert (found.code, found.rule) == ("document-tokens", "it is longer than 1000 tokens")


def test_a_character_that_graphql_does_not_know_is_told_at_its_place(tmp_path: Path) -> None:
    """Reading words ends there too."""
    [found] = refused(tmp_path, "query lunch {\n  ?few }", **FREE)
    assert (found.code, found.where) == ("document-invalid", f"{tmp_path / 'lunch.graphql'}:2:3")


HOSTILE = {
    "aliases": (aliased(10_000), {}),
    "aliases, allowed to be long": (aliased(10_000), {"tokens": 1_000_000}),
    "depth": ("query lunch { " + "a { " * 5000 + "b" + " }" * 5001, {"tokens": 1_000_000}),
    "lists": ("query lunch { few(team_id: " + "[" * 5000 + "]" * 5000 + ") }", {"tokens": 1_000_000}),
    "fragments that double": (
        "query lunch { menu(team_id: 7) { ...F0 } }"
        + "".join(f" fragment F{n} on Menu {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60))
        + " fragment F60 on Menu { team }",
        {},
    ),
    "a long chain of fragments": (
        "query lunch { menu(team_id: 7) { ...F0 } }"
        + "".join(f" fragment F{n} on Menu {{ ...F{n + 1} }}" for n in range(1200))
        + " fragment F1200 on Menu { team }",
        {"tokens": 1_000_000},
    ),
    "a circle of fragments": (
        "query lunch { menu(team_id: 7) { ...F0 } }"
        + "".join(f" fragment F{n} on Menu {{ ...F{(n + 1) % 150} }}" for n in range(150)),
        {"tokens": 100_000},
    ),
    "a text without end": ("query lunch { few(team_id: 7, few: " + '"' + "x" * MOST_BYTES, {}),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_file_ends_in_a_refusal_and_soon(tmp_path: Path, hostile: str) -> None:
    """Nothing that stands in a file keeps the start busy, or breaks it."""
    source, bounds = HOSTILE[hostile]
    began = time.process_time()
    found = refused(tmp_path, source, **FREE, **bounds)
    assert codes(found)
    assert time.process_time() - began < 3


def test_one_field_as_often_as_a_document_may_be_long_is_one_field(tmp_path: Path) -> None:
    """What stands many times under one key is asked for once, and soon made ready."""
    source = "query lunch { " + "few(team_id: 7) " * 165 + "}"
    began = time.process_time()
    made = compiled(tmp_path, source, **FREE)
    assert time.process_time() - began < 3
    assert made.document is not None
    assert [(field.endpoint, field.times) for field in made.document.fields] == [("cafe.few", 1)]
