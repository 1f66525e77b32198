import json
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from narrows.declare.connectors import Written
from narrows.governance.rotation import rotate
from tests.unit.declare.records import CARLA, Office, record
from tests.unit.devkit.test_authority_endpoints import SERVICE, assertion, signed
from tests.unit.devkit.world import BFF, WORKER_KEY, World, claims

NEW_KEY = ECKey.generate_key("P-256", auto_kid=True)
DETAILS = {"type": "urn:narrows:attribution", "tenant": "t", "connector": "c", "version": "1+1", "purpose": "Lunch"}


async def registered() -> tuple[World, Office]:
    """A world whose worker and whose page stand in a registry, without credentials yet."""
    office = Office()
    made = World(connectors=office.store)
    office.clock.move(made.clock() - office.clock())
    files = [record(id=name, client_id=name, kind="service") for name in ("worker", "people")]
    await office.governor.apply([Written(one, Path("x")) for one in files], CARLA)
    return made, office


async def test_without_a_credential_the_configuration_counts():
    """The registry decides about those only to whom it gave one."""
    made, _ = await registered()
    assert (await made.post("/token", SERVICE, "people")).status_code == 200
    assert (await made.post("/token", signed(assertion()))).status_code == 200
    await made.http.aclose()


async def test_a_registered_key_counts_alone():
    """The key of the configuration does not hold any more, nor does a secret."""
    made, office = await registered()
    public = json.dumps(NEW_KEY.as_dict(private=False)).encode()
    await rotate(office.governor, "worker", CARLA, now=office.clock, public_key=public)
    assert (await made.post("/token", signed(assertion(key=WORKER_KEY)))).status_code == 401
    header = {"kid": NEW_KEY.thumbprint()}
    assert (await made.post("/token", signed(assertion(key=NEW_KEY, header=header, jti="2")))).status_code == 200
    assert (await made.post("/token", SERVICE, "worker")).status_code == 401
    assert (await made.post("/token", {**SERVICE, "client_id": "worker"})).status_code == 401
    await office.governor.revoke("worker", CARLA)
    assert (await made.post("/token", signed(assertion(key=NEW_KEY, header=header, jti="3")))).status_code == 401
    await made.http.aclose()


async def test_an_exchanged_token_carries_whom_it_is_for():
    """Exactly the attribution, as it was asked; the caller is its own subject."""
    made = World()
    form = made.exchange_form(authorization_details=json.dumps([DETAILS]))
    found = claims((await made.post("/token", form, "bff")).json()["access_token"])
    assert (found["authorization_details"], found["sub"], found["aud"] == BFF) == ([DETAILS], "ann-1", False)
    await made.http.aclose()


@pytest.mark.parametrize(
    "text",
    [
        "Lunch",
        "{}",
        "[]",
        json.dumps([DETAILS, DETAILS]),
        json.dumps([{**DETAILS, "type": "payment"}]),
        json.dumps([{**DETAILS, "sub": "bob-2"}]),
        json.dumps([{"type": DETAILS["type"]}]),
    ],
)
async def test_other_details_are_refused(text):
    """RFC 9396, 5: nothing that this server does not know gets into a token."""
    made = World()
    answered = await made.post("/token", made.exchange_form(authorization_details=text), "bff")
    assert (answered.status_code, answered.json()["error"]) == (400, "invalid_authorization_details")
    await made.http.aclose()
