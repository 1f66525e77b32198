"""Case 70: no flag of a client leads from the sandbox to production data, and none makes a live call synthetic."""

from __future__ import annotations

from typing import Any

import pytest

from narrows.call import Scenario
from narrows.pipeline.scenario import SCENARIOS
from tests.abuse.attack import Got, ask, post, to_upstreams
from tests.abuse.bookings import put
from tests.abuse.errands import LedgerHost, running
from tests.flow.world import World, world

NEW = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}
READS = ["/teams/7/dining-suggestions", "/teams/7/bookings"]
FLAGS = [
    ("sandbox-scenario", "empty"),
    ("sandbox", "1"),
    ("x-sandbox", "true"),
    ("x-narrows-mode", "sandbox"),
    ("x-mode", "live"),
    ("x-dry-run", "true"),
    ("prefer", "handling=synthetic"),
    ("x-original-url", "/sandbox/teams/7/bookings"),
    ("x-forwarded-prefix", "/sandbox"),
    ("x-http-method-override", "GET"),
    ("cookie", "mode=sandbox; sandbox=1"),
]


async def send(made: World, target: str, **how: Any) -> Got:
    """One read as anna."""
    return await ask(made.app, target, token=made.token(), **how)


@pytest.mark.parametrize("flag", FLAGS, ids=str)
@pytest.mark.parametrize("path", READS)
async def test_case_70_no_header_makes_a_live_read_synthetic(path: str, flag: tuple[str, str]) -> None:
    """A live read and a rehearsed one answer what the upstreams hold, whatever a header says of a sandbox."""
    async with world() as made:
        put(made, 7)
        plain = await send(made, path)
        for base in ("", "/rehearse"):
            before = len(to_upstreams(made))
            got = await send(made, f"{base}{path}", headers=[flag])
            assert (got.status, got.body) == (200, plain.body)
            assert len(to_upstreams(made)) > before


@pytest.mark.parametrize("flag", FLAGS, ids=str)
@pytest.mark.parametrize("path", READS)
async def test_case_70_no_header_makes_a_sandboxed_read_real(path: str, flag: tuple[str, str]) -> None:
    """A sandboxed read calls nobody and answers nothing that an upstream holds, whatever a header says."""
    async with world() as made:
        put(made, 7)
        real = await send(made, path)
        before = len(to_upstreams(made))
        got = await send(made, f"/sandbox{path}", headers=[flag])
        assert got.status == 200
        assert got.body != real.body
        assert len(to_upstreams(made)) == before


@pytest.mark.parametrize("name", ["sandbox", "mode", "synthetic", "scenario", "Sandbox-Scenario", "dry_run"])
@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
async def test_case_70_no_flag_in_query_or_body_is_taken(base: str, name: str) -> None:
    """A name that nobody declared is a 400 in every mode, and nothing is booked."""
    async with world() as made:
        assert (await send(made, f"{base}{READS[1]}?{name}=1")).status == 400
        got = await post(made.app, f"{base}/teams/7/bookings", {**NEW, name: True}, token=made.token())
        assert got.status == 400
        assert (to_upstreams(made), made.bookings()) == ([], 0)


@pytest.mark.parametrize("scenario", [None, *SCENARIOS])
async def test_case_70_the_sandbox_answers_nothing_of_an_upstream(scenario: Scenario | None) -> None:
    """A canary that every answer of the upstream is full of is in none of the sandbox's, on bad days either."""
    host = LedgerHost()

    async def at_once(_: float) -> None:
        """Nobody waits."""

    async with running(host, around={"sleep": at_once}) as (made, _):
        headers = [("sandbox-scenario", scenario)] if scenario else []
        answers = [await send(made, "/sandbox/teams/7/line", headers=headers)]
        for path in ("line", "copies", "gathered", "beside", "retried"):
            target = f"/sandbox/teams/7/{path}"
            answers += [await post(made.app, target, {"text": "x"}, token=made.token(), headers=headers)]
        listed = await send(made, "/sandbox/rehearsals")
        assert host.got == []
        assert host.canary.encode() not in b"".join(answer.body for answer in (*answers, listed))
        live = await send(made, "/teams/7/line")
        assert host.canary.encode() in live.body


async def test_case_70_a_sandboxed_write_proves_nothing_live() -> None:
    """In the sandbox every made-up booking may be cancelled; live, the same id is denied, and a real one stays."""
    async with world() as made:
        put(made, 8)
        assert (await send(made, "/sandbox/bookings/booking-1", method="DELETE")).status == 204
        assert (await send(made, "/bookings/booking-1", method="DELETE")).status == 403
        assert (await send(made, "/rehearse/bookings/booking-1", method="DELETE")).status == 403
        assert made.bookings() == 1


async def test_case_70_an_id_of_the_sandbox_is_none_live() -> None:
    """What was made up there is asked for upstream like any other id, and is not there."""
    async with world() as made:
        booked = await post(made.app, "/sandbox/teams/7/bookings", NEW, token=made.token())
        made_up = booked.body.decode().partition('"id":"')[2].partition('"')[0]
        got = await send(made, f"/bookings/{made_up}", method="DELETE")
        assert (got.status, got.kind) == (403, "forbidden")
        assert [request.url.path for request in to_upstreams(made)] == [f"/bookings/{made_up}"]


async def test_case_70_the_sandbox_shows_no_rehearsal_of_real_data() -> None:
    """Under /sandbox only what was done in the sandbox is listed and read: a draft may see no more than that."""
    async with world() as made:
        real = await post(made.app, "/rehearse/teams/7/bookings", NEW, token=made.token())
        shown = await post(made.app, "/sandbox/teams/7/bookings", NEW, token=made.token())
        own, other = (str(got.header("link")).partition(">")[0].rpartition("/")[2] for got in (shown, real))
        listed = await send(made, "/sandbox/rehearsals")
        assert (own in listed.body.decode(), other in listed.body.decode()) == (True, False)
        assert (await send(made, f"/sandbox/rehearsals/{own}")).status == 200
        assert (await send(made, f"/sandbox/rehearsals/{other}")).kind == "not-found"
        assert (await send(made, f"/rehearse/rehearsals/{other}")).status == 200


async def test_case_70_a_read_kept_from_another_mode_is_refused() -> None:
    """An operation ends with its call: a live read that was kept cannot be awaited in the sandbox, nor the reverse."""
    for first, second in [("", "/sandbox"), ("/sandbox", "")]:
        async with running() as (made, host):
            assert (await send(made, f"{first}/teams/7/keeping")).status == 204
            assert (await send(made, f"{second}/teams/7/keeping")).status == 500
            assert host.got == []


async def test_case_70_an_idempotency_key_is_not_one_for_both() -> None:
    """A key that was used in the sandbox makes a live call no repetition, and a live answer is not repeated there."""
    async with world() as made:
        keyed = [("idempotency-key", "key-of-one-booking-0001")]
        shown = await post(made.app, "/sandbox/teams/7/bookings", NEW, token=made.token(), headers=keyed)
        live = await post(made.app, "/teams/7/bookings", NEW, token=made.token(), headers=keyed)
        again = await post(made.app, "/sandbox/teams/7/bookings", NEW, token=made.token(), headers=keyed)
        assert (shown.status, live.status, again.status) == (201, 201, 201)
        assert made.bookings() == 1
        assert live.body not in (shown.body, again.body)
        assert shown.body == again.body


async def test_case_70_the_sandbox_gives_no_receipt_and_takes_none() -> None:
    """Its rehearsal holds no receipt, and one of a real rehearsal is not spent by a sandboxed call."""
    async with world(connectors={"copilot": {"commit": "receipt"}}) as made:
        shown = await post(made.app, "/sandbox/teams/7/bookings", NEW, token=made.token())
        assert shown.header("rehearsal-receipt") is None
        link = str(shown.header("link")).partition(">")[0].removeprefix("<https://bff.test")
        assert '"receipt":null' in (await send(made, link)).body.decode()
        assert (await post(made.app, "/teams/7/bookings", NEW, token=made.token())).status in (403, 409, 422, 428)

        real = await post(made.app, "/rehearse/teams/7/bookings", NEW, token=made.token())
        receipt = [("rehearsal-receipt", str(real.header("rehearsal-receipt")))]
        in_sandbox = await post(made.app, "/sandbox/teams/7/bookings", NEW, token=made.token(), headers=receipt)
        assert made.bookings() == 0
        live = await post(made.app, "/teams/7/bookings", NEW, token=made.token(), headers=receipt)
        assert (in_sandbox.status, live.status, made.bookings()) == (201, 201, 1)


async def test_case_70_a_real_rehearsal_cannot_be_named_in_the_sandbox() -> None:
    """What it made up may hold what was read for it; one of the sandbox, which holds nothing real, can be named."""
    async with world() as made:
        ids = {}
        for base in ("/rehearse", "/sandbox"):
            got = await post(made.app, f"{base}/teams/7/bookings", NEW, token=made.token())
            ids[base] = str(got.header("link")).partition(">")[0].rpartition("/")[2]
        path = "/sandbox/teams/7/bookings"
        assert (await send(made, path, headers=[("rehearsal", ids["/rehearse"])])).kind == "not-found"
        assert (await send(made, path, headers=[("rehearsal", ids["/sandbox"])])).status == 200
