"""Settings without their secrets can be looked at, and never serve."""

import pytest

from narrows import Bff
from narrows.errors import SettingsError
from narrows.settings import ClientSettings, Secret, load_settings, read_settings
from narrows.settings.absent import AbsentSecret, offline, refuse_absent, secrets_of
from narrows.stores.opening import place_faults
from narrows.surfaces.http import Application
from narrows.upstreams.client_auth import client_auth
from tests.flow.minimal import FACTS
from tests.unit.cli.lunch import write_lunch

AWAY = {"env": "NOBODY_SETS_THIS"}
DOCUMENT = {
    "environment": "development",
    "public_url": "http://127.0.0.1:8000",
    "issuers": {"corp": {"url": "http://127.0.0.1:9", "audience": "lunch", "client": {"id": "lunch", "secret": AWAY}}},
    "stores": {"rehearsals": "sqlite:r.db", "key": {"file": "away.key"}},
    "receipts": {"keys": [{"kid": "2026", "key": {"file": "away.key"}}]},
}


def test_no_secret_is_read():
    """What stands for one says its name to whoever reveals it, and prints as every secret."""
    settings = read_settings(DOCUMENT, environ={}, secrets=False)
    found = list(secrets_of(settings))
    assert [type(secret) for secret in found] == [AbsentSecret, AbsentSecret, AbsentSecret]
    assert repr(found[0]) == "Secret(***)"
    with pytest.raises(SettingsError, match="the secret of 'NOBODY_SETS_THIS' was not read"):
        found[0].reveal()


@pytest.mark.parametrize("wrong", ["swordfish", {"env": 1}, {"env": "A", "file": "b"}, {}])
def test_the_form_of_a_secret_is_checked(wrong):
    """A secret that stands in the settings is refused, and not repeated."""
    with pytest.raises(SettingsError, match="never as text") as raised:
        read_settings(DOCUMENT | {"stores": {"key": wrong}}, environ={}, secrets=False)
    assert "swordfish" not in str(raised.value)


async def test_what_is_made_of_them_does_not_start(tmp_path):
    """An application can be made, for its contract; its lifespan is refused before anything is sent."""
    write_lunch(tmp_path, "unused")
    with (tmp_path / "narrows.toml").open("a") as file:
        file.write(
            '[issuers.corp.client]\nid = "lunch"\nprivate_key = { env = "NOBODY_SETS_THIS" }\n'
            '[[receipts.keys]]\nkid = "2026"\nkey = { env = "NOBODY_SETS_THIS" }\n'
        )
    settings = offline(load_settings(tmp_path / "narrows.toml", {}, secrets=False))
    application = Application(Bff("lunch", **FACTS), settings)
    with pytest.raises(SettingsError, match="cannot serve"):
        await application.plan.start()
    await application.plan.close()


def test_no_client_signs_in_by_them():
    """Neither with a secret nor with a key."""
    absent = AbsentSecret("X")
    for client in (ClientSettings(id="a", secret=absent), ClientSettings(id="a", private_key=absent)):
        with pytest.raises(SettingsError, match="cannot serve"):
            client_auth(client, now=lambda: 0.0).prove("https://as.test")
    with pytest.raises(SettingsError, match="exactly one"):
        client_auth(ClientSettings(id="a", secret=absent, private_key=absent), now=lambda: 0.0)


def test_whole_settings_start():
    """Only an absent secret is refused."""
    assert (
        refuse_absent(
            read_settings(
                DOCUMENT | {"stores": {"key": Secret("x")}, "receipts": {}}, environ={"NOBODY_SETS_THIS": "s"}
            )
        )
        is None
    )


def test_an_offline_plan_opens_nothing():
    """No store, no key, no export of telemetry."""
    document = DOCUMENT | {"telemetry": {"otlp_endpoint": "http://127.0.0.1:9", "prometheus": "127.0.0.1:9464"}}
    settings = offline(read_settings(document, environ={}, secrets=False))
    assert (settings.stores.rehearsals, settings.stores.key) == ("memory:", None)
    assert settings.telemetry.otlp_endpoint is None
    assert settings.telemetry.prometheus is None


@pytest.mark.parametrize(
    ("stores", "said"),
    [
        ({}, []),
        ({"rehearsals": "sqlite:r.db", "key": AWAY}, []),
        ({"rehearsals": "sqlite:r.db"}, ["stores.key"]),
        ({"rehearsals": "sqlite:"}, ["stores.rehearsals"]),
        ({"rehearsals": "redis:x", "commits": "sqlite:c.db"}, ["stores.key", "stores.rehearsals"]),
        ({"rehearsal_s": 0}, ["stores.rehearsal_s"]),
    ],
)
def test_places_of_stores_are_judged_without_opening_them(stores, said):
    """Each fault with its key; the key itself is not read."""
    settings = read_settings(DOCUMENT | {"stores": stores}, environ={}, secrets=False)
    assert sorted(fault.partition(":")[0] for fault in place_faults(settings)) == said
