"""What a page leads to is there."""

import re

import pytest

from tests.docs.pages import ROOT, every_page, name_of

LINK = re.compile(r"\]\((?!https?://)([^)#\s]+)(?:#[^)\s]+)?\)")
FILE = re.compile(r"`((?:tests|framework|bffs|examples|docs)/[\w./-]+\.(?:py|md|toml))`")

MADE_BY_THE_READER = {"bffs/where2eat/tests/test_place_card.py"}


@pytest.mark.parametrize("page", every_page(), ids=name_of)
def test_links_lead_somewhere(page):
    """A link within the project names a file of it."""
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", every_page(), ids=name_of)
def test_files_that_are_named_are_there(page):
    """A path in the text is a file of the project."""
    named = set(FILE.findall(page.read_text(encoding="utf-8"))) - MADE_BY_THE_READER
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_guide_and_reference_can_be_found():
    """Each page below docs/ is linked from another one."""
    linked = {
        (page.parent / link).resolve()
        for page in every_page()
        for link in LINK.findall(page.read_text(encoding="utf-8"))
    }
    assert [name_of(page) for page in every_page() if page.parent != ROOT and page.resolve() not in linked] == []
