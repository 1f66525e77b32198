"""The key of the log: from the settings, or derived in development, and never repeated."""

import base64

import pytest

from narrows.audit.keys import key_faults, origin_of, signer_of
from narrows.errors import SettingsError
from narrows.settings import AuditSettings, Secret, Settings

KEY = Secret(base64.b64encode(b"a" * 32).decode())
OLD = Secret(base64.b64encode(b"b" * 32).decode())


def settings(environment="production", **audit):
    """Settings with this table."""
    return Settings(public_url="https://bff.test:8443", environment=environment, audit=AuditSettings(**audit))


def test_a_log_is_named_by_its_host_and_bff():
    """Unless the settings name it."""
    assert origin_of(settings(), "lunch") == "bff.test/lunch"
    assert origin_of(settings(origin="example.com/log"), "lunch") == "example.com/log"
    with pytest.raises(SettingsError, match=r"audit\.origin"):
        origin_of(settings(origin="a+b"), "lunch")


def test_the_key_of_the_settings_signs():
    """With the old one beside it while they are changed."""
    new = signer_of(settings(key=KEY), "lunch", b"p" * 32)
    both = signer_of(settings(key=KEY, old_key=OLD), "lunch", b"q" * 32)
    assert both.public[0] == new.public[0]
    assert both.public[1] == signer_of(settings(key=OLD), "lunch", b"p" * 32).public[0]


def test_in_development_a_key_is_derived():
    """The same for the same process' key, and another for another."""
    one, again, other = (signer_of(settings("development"), "lunch", key) for key in (b"p" * 32, b"p" * 32, b"q" * 32))
    assert one.public == again.public != other.public
    assert signer_of(settings(), "lunch", b"p" * 32, derived=True).public == one.public


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_anywhere_else_a_key_must_be_given(environment):
    """Nothing would sign."""
    with pytest.raises(SettingsError, match=r"audit\.key: nothing would sign .*openssl rand"):
        signer_of(settings(environment), "lunch", b"p" * 32)


def test_an_old_key_alone_is_a_mistake():
    """In every environment."""
    for environment in ("development", "production"):
        assert [fault.partition(":")[0] for fault in key_faults(settings(environment, old_key=OLD))] == [
            "audit.old_key"
        ]
    assert list(key_faults(settings(key=KEY))) == []


@pytest.mark.parametrize("wrong", ["swordfish", base64.b64encode(b"short").decode(), "!"])
def test_a_key_of_another_form_is_refused_and_not_repeated(wrong):
    """With how to make one."""
    with pytest.raises(SettingsError, match="32 bytes in base64") as caught:
        signer_of(settings(key=Secret(wrong)), "lunch", b"p" * 32)
    assert wrong not in str(caught.value) or wrong == "!"
