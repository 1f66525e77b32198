"""The programs beside a BFF in `narrows dev`: by the registry of the settings where its key is at hand, else live."""

import pytest

from narrows.devkit.dev.arrange import arrange
from narrows.devkit.dev.registry import has_registry
from narrows.devkit.dev.stage import Stage
from narrows.settings import Secret
from narrows.testing import running
from tests.unit.devkit.dev.trial import NOTHING_THERE, make_run, make_trial

KEY = "bWFkZSB1cCBmb3IgdGVzdHMuLi4uLi4uLi4uLi4uLi4="
PAGE = """version = "1"
issuer = "corp"
client_id = "trial-page"
tenant = "example"
owner = "o@example.com"
contact = "c@example.com"
kind = "low-code"
purpose = "Book a table"
template = "limited-write@1"
endpoints = ["trial.book"]
scopes = ["trial:use"]
sensitive = true
rates = ["60/minute"]
"""
SETTINGS = """
[issuers.corp]
url = "http://127.0.0.1:8000/as"
audience = "trial-api"
roles = [
  { claim = "teams", role = "member", domain = "team:{value}" },
  { claim = "chairs", role = "The Chair", domain = "team:{value}" },
]

[upstreams.weather]
url = "https://weather.test"
identity = "none"

[stores]
connectors = "sqlite:connectors.db"
key = { file = "store.key" }
"""


def staged(folder, **files):
    """A stage of the trial BFF in a folder, with a page beside it and these files."""
    (folder / "connectors").mkdir(exist_ok=True)
    told = {"narrows.toml": SETTINGS, "connectors/page.toml": PAGE, **files}
    for name, text in told.items():
        (folder / name).write_text(text)
    bff, run = make_trial(), make_run(folder / "state", str(folder / "narrows.toml"))
    (folder / "state").mkdir(exist_ok=True)
    bff.folder = folder
    return Stage(bff, arrange(bff, run, NOTHING_THERE, {}), run, [].append)


async def states(stage):
    """The programs and their states, as the index tells them."""
    await stage.register()
    async with running(stage.watched):
        return {program.name: program.state for program in stage.board().programs if program.name == "page"}


async def test_without_the_key_of_the_registry_the_programs_are_live(tmp_path):
    """Whoever tries a BFF for the first time has nothing to approve, and can act as its own page."""
    stage = staged(tmp_path)
    assert await states(stage) == {"page": "live"}
    assert stage.token("member", "page")
    assert not (tmp_path / "connectors.db").exists()


async def test_with_the_key_the_registry_decides(tmp_path):
    """What nobody applied is not registered; the client is known all the same, so that it can sign people in."""
    stage = staged(tmp_path, **{"store.key": KEY})
    assert await states(stage) == {"page": "not registered"}
    assert stage.arranged.settings.stores.key == Secret(KEY)
    assert stage.token("member", "page")
    assert (tmp_path / "connectors.db").exists()


@pytest.mark.parametrize(
    ("stores", "environ", "found"),
    [
        ({}, {}, False),
        ({"connectors": "memory:", "key": {"env": "KEY"}}, {"KEY": KEY}, False),
        ({"connectors": "sqlite:c.db"}, {}, False),
        ({"connectors": "sqlite:c.db", "key": {"env": "KEY"}}, {}, False),
        ({"connectors": "sqlite:c.db", "key": {"env": "KEY"}}, {"KEY": KEY}, True),
        ({"connectors": "sqlite:c.db", "key": {"file": "store.key"}}, {}, False),
    ],
)
def test_a_registry_needs_a_file_and_a_key(tmp_path, stores, environ, found):
    """A secret of elsewhere is never asked for."""
    assert has_registry(stores, tmp_path, environ) is found
