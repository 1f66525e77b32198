import asyncio
import base64
import json

import httpx
import msgspec
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from narrows.alerts.webhooks import Receiver, body_of, receivers
from narrows.errors import SettingsError
from narrows.settings import Secret, WebhookSettings
from narrows.settings.alerting import AlertSettings
from tests.unit.alerts.traffic import DAY, MONDAY, Traffic

OLD, NEW = (f"whsec_{base64.b64encode(bytes([one]) * 32).decode()}" for one in (1, 2))


def an_alert():
    """A real one."""
    traffic = Traffic()
    traffic.days(14)
    return traffic.calls(MONDAY + 14 * DAY, 100, 1)[0]


class Hook:
    """A receiver that keeps what it gets, and answers as it is told."""

    def __init__(self, answer=None):
        self.requests = []
        self._answer = answer or (lambda: httpx.Response(204))

    async def handle(self, request):
        self.requests.append(request)
        return self._answer()

    def dial(self, ca):
        return httpx.MockTransport(self.handle)


def receiver(hook, *keys, **over):
    """One receiver with its keys."""
    settings = WebhookSettings(url="https://ops.test/hook?x=1", keys=tuple(map(Secret, keys or (NEW,))), **over)
    return Receiver("ops", settings, hook.dial(None))


@pytest.fixture
def verifier_clock(monkeypatch):
    """The independent verifier looks at the clock of the machine; requests are signed at its time."""
    import time

    return time.time()


@pytest.mark.parametrize("key", [OLD, NEW])
async def test_an_independent_verifier_accepts_it(key, verifier_clock):
    """While two keys sign, a receiver that knows either can verify it."""
    hook, alert = Hook(), an_alert()
    assert await receiver(hook, NEW, OLD).send(alert, verifier_clock) == "delivered"
    (request,) = hook.requests
    payload = Webhook(key).verify(request.content, dict(request.headers))
    assert payload == json.loads(body_of(alert))
    assert payload["type"] == "narrows.alert.spike"
    assert payload["data"]["connector"] == "app"
    assert request.headers["webhook-id"] == f"msg_{alert.id}"


async def test_the_independent_verifier_refuses_what_was_changed(verifier_clock):
    """A byte of the body, another id or another key."""
    hook = Hook()
    await receiver(hook, NEW).send(an_alert(), verifier_clock)
    (request,) = hook.requests
    headers = dict(request.headers)
    for key, body, told in (
        (NEW, request.content.replace(b"spike", b"spoke"), headers),
        (NEW, request.content, {**headers, "webhook-id": "msg_other"}),
        (NEW, request.content, {**headers, "webhook-timestamp": str(int(verifier_clock) + 1)}),
        (OLD, request.content, headers),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify(body, told)


async def test_each_attempt_is_the_same_message():
    """The id and the body stay, so that a receiver can tell that it has it already; time and signature are new."""
    hook, alert = Hook(), an_alert()
    ops = receiver(hook)
    await ops.send(alert, 1000.0)
    await ops.send(alert, 2000.9)
    first, second = hook.requests
    assert first.content == second.content
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert (first.headers["webhook-timestamp"], second.headers["webhook-timestamp"]) == ("1000", "2000")
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "delivered"), (202, "delivered"), (302, "failed"), (400, "failed"), (410, "gone"), (500, "failed")],
)
async def test_what_an_answer_means(status, outcome):
    """2xx is delivered, 410 ends it, and a redirect is not followed."""
    hook = Hook(lambda: httpx.Response(status, headers={"location": "https://elsewhere.test"}))
    assert await receiver(hook).send(an_alert(), 0.0) == outcome
    assert len(hook.requests) == 1


async def test_a_receiver_that_hangs_is_left():
    """Its deadline holds."""

    class Hangs(Hook):
        async def handle(self, request):
            await asyncio.Event().wait()

    assert await receiver(Hangs(), deadline_s=0.01).send(an_alert(), 0.0) == "failed"


def test_rules_are_chosen():
    """A receiver hears of the rules that it names, or of all."""
    alert = an_alert()
    assert receiver(Hook()).wants(alert)
    assert receiver(Hook(), rules=("spike", "drift")).wants(alert)
    assert not receiver(Hook(), rules=("drift",)).wants(alert)


@pytest.mark.parametrize(
    "key", ["", "whsec_", "whsec_!!", NEW.removeprefix("whsec_"), "whsec_c2hvcnQ=", "sk_" + NEW[6:]]
)
def test_a_key_that_is_none(key):
    """It is refused with the setting, the form and how to make one, and not repeated."""
    with pytest.raises(SettingsError) as refused:
        receiver(Hook(), key)
    said = str(refused.value)
    assert said.startswith("alerts.webhooks.ops.keys: a key is not `whsec_` and 24 to 64 bytes in base64. Remedy: ")
    assert key.removeprefix("whsec_") == "" or key.removeprefix("whsec_") not in said


async def test_certificates_are_those_of_the_receiver():
    """Each is dialled with its own file."""
    dialled = []

    def dial(ca):
        dialled.append(ca)
        return Hook().dial(ca)

    webhooks = {name: WebhookSettings(url="https://ops.test", keys=(Secret(NEW),)) for name in ("a", "b")}
    made = receivers(AlertSettings(webhooks=webhooks).webhooks, [None, "/own.pem"], dial)
    assert (list(made), dialled) == (["a", "b"], [None, "/own.pem"])
    for one in made.values():
        await one.close()


def test_no_secret_is_in_the_payload():
    """Neither key is in what is sent or printed."""
    settings = WebhookSettings(url="https://ops.test", keys=(Secret(NEW),))
    assert NEW[6:] not in body_of(an_alert()).decode() + repr(settings)
    assert msgspec.json.decode(body_of(an_alert()))["timestamp"] == "2026-01-19T00:01:00.000Z"
