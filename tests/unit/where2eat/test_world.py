import subprocess

import narrows
from bffs.where2eat.app import bff
from examples.where2eat import staff, world

ORIGIN = "http://127.0.0.1:8000"
UPSTREAMS = {"people": "http://127.0.0.1:1", "places": "http://127.0.0.1:2", "tables": "http://127.0.0.1:3"}


def test_the_settings_of_the_bff_are_laid_over_with_where_everything_is():
    """The BFF's own file stays as it is; addresses and the client secret come as variables, as for an operator."""
    settings = world.settings(ORIGIN, UPSTREAMS, "a secret of the test")
    assert settings.environment == "development"
    assert settings.public_url == ORIGIN
    assert {name: upstream.url for name, upstream in settings.upstreams.items()} == UPSTREAMS
    issuer = settings.issuers["corp"]
    assert (issuer.url, issuer.audience) == (f"{ORIGIN}/as", world.RESOURCE)
    assert issuer.client is not None
    assert issuer.client.secret.reveal() == "a secret of the test"
    assert "a secret of the test" not in repr(settings)


def test_an_operator_finds_the_stores_by_a_file_without_secrets(tmp_path):
    """A shell that reads it works on what the world keeps, however its folder is called; no secret stands in it."""
    folder = tmp_path / "it's here"
    folder.mkdir()
    (folder / world.STORES_KEY).write_text("the key of the stores")
    file = tmp_path / world.OPERATOR
    file.write_text(world.operator_env(ORIGIN, UPSTREAMS, folder))
    read = subprocess.run(["/bin/sh", "-c", f". {file}; env"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    variables = dict(line.split("=", 1) for line in read.splitlines() if "=" in line)
    settings = narrows.load_settings(world._SETTINGS, variables)
    assert settings.stores == world.settings(ORIGIN, UPSTREAMS, "a secret of the test", folder=folder).stores
    assert settings.stores.audit == f"sqlite:{folder}/audit.db"
    assert "the key of the stores" not in file.read_text()


def test_the_bff_starts_with_them():
    """Nothing of the declarations or settings is refused."""
    assert narrows.app(bff, world.settings(ORIGIN, UPSTREAMS, "a secret of the test")).plan.entries


async def test_the_programs_are_those_that_the_bff_knows():
    """Every connector beside the BFF is live, and known to the authorization server for the BFF's audience alone."""
    settings = world.settings(ORIGIN, UPSTREAMS, "a secret of the test")
    _, entries = await (await world.registry(bff, settings)).all()
    assert [(entry.id, entry.state) for entry in entries] == [("copilot", "live"), ("page", "live")]
    registered = {client.client_id: client for client in world.clients(ORIGIN, "a secret of the test")}
    for entry in entries:
        assert registered[entry.record.client_id].public
        assert registered[entry.record.client_id].audiences == [world.RESOURCE]
    assert registered[world.PAGE_CLIENT].redirect_uris == [f"{ORIGIN}/"]


def test_no_program_is_given_data_export():
    """The scope exists, so that asking for it is refused for want of permission and not of a name."""
    assert any("data:export" in api.scopes for api in world.apis())
    for client in world.clients(ORIGIN, "a secret of the test"):
        given = set(client.scopes).union(*client.may_exchange_to.values())
        assert "data:export" not in given


def test_everybody_can_sign_in_and_brings_their_teams():
    """The claims that grant roles are those of the staff directory."""
    people = {person.username: person for person in world.people()}
    assert set(people) == {person.id for person in staff.people()}
    assert people["anna"].password == world.password("anna")
    assert people["anna"].claims["teams"] == [7]
    assert people["ivo"].claims["organises"] == [9]
    assert world.authority(ORIGIN, "a secret of the test").issuer == f"{ORIGIN}/as"
