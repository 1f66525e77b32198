"""What the README promises to somebody who has never seen the project."""

import os
import re
import subprocess
import sys

import pytest

from narrows.errors import StartRefused
from narrows.pipeline import ORDER
from narrows.settings import Secret, read_settings
from narrows.surfaces.http import app
from tests.docs.pages import ROOT, blocks
from tests.docs.tutorial import README, Tutorial

SETTINGS = {
    "environment": "development",
    "public_url": "https://bff.test",
    "issuers": {
        "corp": {
            "url": "https://issuer.test",
            "audience": "bff",
            "client": {"id": "bff", "secret": Secret("made-up")},
            "roles": [{"claim": "teams", "role": "member", "domain": "team:{value}"}],
        }
    },
    "upstreams": {"people": {"url": "https://people.test", "audience": "people-api"}},
}


def narrows(tutorial: Tutorial, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the copy."""
    command = [sys.executable, "-c", "from narrows.cli import main; main()", *arguments]
    environment = {**os.environ, "WHERE2EAT_CLIENT_SECRET": "made-up"}
    return subprocess.run(command, cwd=tutorial.folder, env=environment, capture_output=True, text=True)  # noqa: S603 - our own command


def example() -> str:
    """The declaration that the README shows."""
    return next(block.text for block in blocks(README, "python") if "Bff(" in block.text)


def test_the_example_is_a_whole_bff_in_twenty_lines():
    """It starts as it stands, and is as short as it is said to be."""
    namespace: dict = {"__name__": __name__}
    exec(compile(example(), str(ROOT / "README.md"), "exec"), namespace)  # noqa: S102 - that is what is promised
    application = app(namespace["bff"], read_settings(SETTINGS, environ={}))
    assert b"team-sheet.names" in application.document
    assert len([line for line in example().splitlines() if line.strip()]) <= 20


@pytest.mark.parametrize("guard", ["roles", "scope", "uses", "rate"])
def test_the_example_does_not_start_without_one_of_its_guards(guard):
    """Each guard that the README shows is one that the start asks for."""
    pattern = rf"{guard}=(\{{[^}}]*\}}|\[[^\]]*\]|\"[^\"]*\")(, |(?=\)))"
    careless, removed = re.subn(pattern, "", example().partition("async def")[0])
    assert removed == 1
    namespace: dict = {"__name__": __name__}
    text = careless + "async def" + example().partition("async def")[2]
    exec(compile(text, str(ROOT / "README.md"), "exec"), namespace)  # noqa: S102 - that is what is promised
    with pytest.raises(StartRefused) as refused:
        app(namespace["bff"], read_settings(SETTINGS, environ={}))
    assert f"{guard}-missing" in {refusal.code for refusal in refused.value.refusals}


def test_the_tutorial_works_to_the_letter(tmp_path):
    """A stranger who copies each block ends with a tested endpoint, and reads the refusal that the page shows."""
    tutorial = Tutorial(tmp_path)
    tutorial.until_refused()
    refused = narrows(tutorial, "openapi", "bffs.where2eat.app:bff")
    shown = next(block.text for block in blocks(README, "text") if "id-unbound" in block.text)
    assert refused.returncode == 2
    said = refused.stderr.replace(f"{tmp_path}/", "…/").removeprefix("narrows: ")
    assert re.sub(r"\.py:\d+", ".py:1", said) == re.sub(r"\.py:\d+", ".py:1", shown)
    tutorial.until_it_starts()
    contract = narrows(tutorial, "openapi", "bffs.where2eat.app:bff")
    assert (contract.returncode, contract.stderr) == (0, "")
    assert '"/teams/{team_id}/places/{place_id}"' in contract.stdout


def test_what_the_tutorial_adds_is_in_the_form_of_the_project(tmp_path):
    """`make check` has nothing to say against it, so that a reader is not taught bad habits."""
    tutorial = Tutorial(tmp_path)
    tutorial.until_refused()
    tutorial.until_it_starts()
    tutorial.until_tested()
    ruff = [sys.executable, "-m", "ruff"]
    for arguments in (["check", "--no-cache", "bffs"], ["format", "--no-cache", "--check", "bffs"]):
        done = subprocess.run([*ruff, *arguments], cwd=tmp_path, capture_output=True, text=True)  # noqa: S603 - our own command
        assert done.returncode == 0, done.stdout


def test_the_picture_shows_the_steps_in_their_order() -> None:
    """Whoever reads the picture knows what comes before what."""
    shown = next(
        line for line in README.read_text(encoding="utf-8").splitlines() if line.strip().startswith("receive --")
    )
    assert shown.strip().split(" --> ") == [step.__name__.rpartition(".")[2] for step in ORDER]
