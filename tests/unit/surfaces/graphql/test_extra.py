"""Without the extra `graphql`, `bff.graphql()` is refused where it stands, with what to install."""

import sys
from pathlib import Path

import pytest

from narrows.cli.graphql_opened import with_graphql
from narrows.errors import StartRefused
from narrows.surfaces.http import Application
from tests.unit.surfaces.graphql.kitchen import make_bff
from tests.unit.surfaces.site import make_settings


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which nothing of GraphQL can be imported."""
    monkeypatch.setitem(sys.modules, "narrows.surfaces.graphql.schema", None)


@pytest.mark.usefixtures("bare")
def test_a_start_without_the_extra_names_the_line_and_what_to_install(tmp_path: Path) -> None:
    """It is a refusal like any other, and no stack."""
    bff = make_bff(tmp_path)
    for start in (lambda: Application(bff, make_settings()), lambda: with_graphql(bff)):
        with pytest.raises(StartRefused) as caught:
            start()
        [found] = caught.value.refusals
        assert (found.code, found.subject) == ("graphql-extra", "cafe")
        assert "kitchen.py:" in found.where
        assert found.remedy == "pip install 'narrows[graphql]', or take bff.graphql() out"


def test_with_the_extra_nothing_is_refused(tmp_path: Path) -> None:
    """The same BFF answers GraphQL."""
    assert with_graphql(make_bff(tmp_path)).name == "cafe"
