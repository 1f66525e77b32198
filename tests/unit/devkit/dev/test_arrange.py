import asyncio
import socket

import pytest

from narrows import Bff
from narrows.devkit.authority import Authority
from narrows.devkit.authority_serve import listen, serve
from narrows.devkit.dev.arrange import Reach, arrange, listens
from narrows.devkit.dev.stage import is_issuer
from narrows.errors import SettingsError, StartRefused
from tests.flow.minimal import FACTS
from tests.unit.devkit.dev.trial import NOTHING_THERE, make_run, make_trial

SETTINGS = """
public_url = "https://lunch.test"
hosts = ["lunch.test"]
policies = ["roles.csv"]

[serving]
host = "0.0.0.0"
behind_tls_proxy = true
trusted_proxies = ["192.0.2.1"]
idle_s = 7.0

[stores]
rehearsals = "sqlite:real.db"
key = { env = "NOT_SET_HERE" }

[issuers.corp]
url = "https://login.lunch-company.com"
audience = "lunch-api"
ca = "corp.pem"
client = { id = "lunch-bff", secret = { env = "NOT_SET_HERE" } }
roles = [{ claim = "teams", role = "member", domain = "team:{value}" }]

[connectors.page]
issuer = "corp"
client_id = "page"
tenant = "example"
kind = "low-code"

[upstreams.tables]
url = "http://127.0.0.1:9"
audience = "real-tables-api"
deadline_s = 2.5

[upstreams.directory]
url = "https://directory.example.com"
identity = "service"
issuer = "corp"
"""


def arranged(tmp_path, text=SETTINGS, reach=NOTHING_THERE, environ=None, bff=None):
    """The settings that are served with."""
    file = tmp_path / "narrows.toml"
    file.write_text(text)
    return arrange(bff or make_trial(), make_run(tmp_path, str(file)), reach, environ or {})


def test_secrets_of_elsewhere_are_not_asked_for(tmp_path):
    """Neither the client's secret nor the stores' key has to be set; issuer, host and stores are this machine's."""
    found = arranged(tmp_path)
    settings = found.settings
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.accepted_hosts() == {"127.0.0.1:8000"}
    assert (settings.serving.host, settings.serving.port, settings.serving.trusted_proxies) == ("127.0.0.1", 8000, ())
    assert settings.serving.idle_s == 7.0
    assert settings.issuers["corp"].url == "http://127.0.0.1:8000/dev/as"
    assert (settings.issuers["corp"].audience, settings.issuers["corp"].ca) == ("lunch-api", None)
    assert settings.stores.rehearsals == f"sqlite:{tmp_path}/rehearsals.db"
    assert str(tmp_path / "narrows.toml") in found.watch
    assert str(tmp_path / "roles.csv") in found.watch


def test_nobody_outside_is_told_of_alerts(tmp_path):
    """Receivers are left out with their keys; the rules stay, so that they can be tried."""
    more = """
[alerts.rules.spike]
floor = 7

[alerts.webhooks.ops]
url = "https://ops.lunch.test"
keys = [{ env = "NOT_SET_HERE" }]
"""
    alerts = arranged(tmp_path, SETTINGS + more).settings.alerts
    assert (alerts.webhooks, alerts.rules.spike.floor) == ({}, 7)


def test_an_upstream_is_real_if_it_is_there(tmp_path):
    """What listens on loopback is used as it is; what does not, and a placeholder, is made up and says why."""
    nothing = {one.name: one for one in arranged(tmp_path).upstreams}
    assert (nothing["Tables"].real, nothing["Tables"].why) == (False, "nothing listens on 127.0.0.1:9")
    assert (nothing["Directory"].real, nothing["Directory"].why) == (False, "directory.example.com is a placeholder")
    found = arranged(tmp_path, reach=Reach(lambda _, port: port == 9, lambda _: False))
    assert found.upstreams[0].real
    assert found.settings.upstreams["tables"].url == "http://127.0.0.1:9"
    made = found.settings.upstreams["directory"]
    assert (made.url, made.identity, made.issuer) == ("https://directory.made-up.invalid", "service", "corp")


def test_a_real_upstream_elsewhere_is_used_without_a_question(tmp_path):
    """Nothing is sent to it before a call is."""
    text = SETTINGS.replace("http://127.0.0.1:9", "https://tables.lunch-company.com")
    [tables, *_] = arranged(tmp_path, text).upstreams
    assert (tables.real, tables.why) == (True, "configured as tables.lunch-company.com")


def test_a_real_issuer_is_kept_and_the_embedded_one_stands_beside_it(tmp_path):
    """Its tokens go on to count, and the made-up people hold the roles that it would grant."""
    found = arranged(tmp_path, environ={"NOT_SET_HERE": "set"}, reach=Reach(lambda *_: False, lambda _: True))
    assert found.kept == ["corp"]
    assert found.settings.issuers["corp"].url == "https://login.lunch-company.com"
    assert found.home.name == "development"
    assert found.home.roles[0].claim == "teams"
    assert found.settings.connectors["page"].issuer == "corp"
    assert found.settings.connectors["dev-copilot"].issuer == "development"


def test_each_issuer_has_a_path_of_its_own(tmp_path):
    """Two issuers are two embedded ones."""
    text = SETTINGS + '[issuers.partner]\nurl = "https://partner.test"\naudience = "lunch-api"\n'
    found = arranged(tmp_path, text)
    assert [issuer.path for issuer in found.issuers] == ["/dev/as", "/dev/as-2"]
    assert found.settings.issuers["partner"].url.endswith("/dev/as-2")


@pytest.mark.parametrize("environ", [{"NARROWS_ENVIRONMENT": "production"}, {"NARROWS_ENVIRONMENT": "staging"}])
def test_only_development_is_served(tmp_path, environ):
    """Where people and data are real, nobody is made up."""
    with pytest.raises(SettingsError, match="NARROWS_ENVIRONMENT=development"):
        arranged(tmp_path, environ=environ)


def test_a_file_for_production_is_refused_unless_development_is_chosen(tmp_path):
    """The variable says what is meant."""
    text = 'environment = "production"\n' + SETTINGS
    with pytest.raises(SettingsError, match="production"):
        arranged(tmp_path, text)
    assert arranged(tmp_path, text, environ={"NARROWS_ENVIRONMENT": "development"}).settings


def test_a_settings_file_that_is_named_must_be_there(tmp_path):
    """A typing error in --settings is no reason to make everything up."""
    with pytest.raises(SettingsError, match="no such file"):
        arrange(make_trial(), make_run(tmp_path, str(tmp_path / "absent.toml")), NOTHING_THERE)


def test_without_issuers_the_roles_are_granted_by_claims_of_their_own(tmp_path):
    """A BFF without settings can be tried as it is."""
    found = arrange(make_trial(), make_run(tmp_path), NOTHING_THERE, {})
    assert {(one.role, one.domain) for one in found.home.roles} >= {("member", "team:{value}"), ("member", "bff:trial")}


def test_tables_that_are_none_are_told_by_the_settings(tmp_path):
    """A value where a table belongs is a fault of the settings, not of this command."""
    with pytest.raises(SettingsError):
        arranged(tmp_path, 'public_url = "https://lunch.test"\nissuers = 3\nlimits = 4\n')


def test_a_path_of_the_pages_is_refused():
    """An endpoint under /dev could never be reached here."""
    bff = Bff("lunch", **FACTS)

    @bff.read("/dev/things", roles={"a"}, scope="s", uses=[], rate="1/minute")
    async def things() -> None:
        """Things."""

    with pytest.raises(StartRefused, match="path-of-dev"):
        arrange(bff, make_run("/nowhere"), NOTHING_THERE, {})


def test_what_listens_is_found_out_by_a_connection():
    """A port that takes a connection is there, a closed one is not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listens("127.0.0.1", port)
    assert not listens("127.0.0.1", port)


async def test_an_issuer_is_one_that_answers():
    """It is asked for its metadata, as at a start."""
    listener = listen()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with serve(Authority(url, algorithm="ES256"), listener):
        assert await asyncio.to_thread(is_issuer, {"url": url, "audience": "a"})


def test_an_issuer_that_does_not_answer_is_none():
    """The embedded one stands in for it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not is_issuer({"url": f"http://127.0.0.1:{port}", "audience": "a", "roles": []})
