"""Cases 71 to 75 through the whole application: a rehearsal costs what it costs, and writes nothing.

Case 73 has one more part, the refusal of handlers that import network or subprocess modules, which comes with
`narrows check`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.abuse import errands
from tests.abuse.attack import ask, claims_of, post, sent_tokens, to_upstreams
from tests.abuse.bookings import put
from tests.abuse.errands import LIMIT, running
from tests.flow.programs import allow_open_writes
from tests.flow.spending import spending
from tests.flow.world import World, world

TEXT = {"text": "hello"}
NEW = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}
WRITES = ["line", "copies", "gathered", "later", "beside", "threads", "retried", "kept", "nested", "posing"]
STATES = ["draft", "trial", "suspended", "revoked", "expired"]


async def drained() -> None:
    """Wait for what handlers left behind; what becomes of it is for the upstream to tell."""
    tasks, errands.TASKS = errands.TASKS, []
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(autouse=True)
def _nothing_kept() -> Any:
    """No test finds what another one left."""
    yield
    for left in errands.KEPT:
        left.close()
    errands.KEPT.clear()


async def test_case_71_a_thousand_rehearsed_reads_meet_the_rate_of_live_reads() -> None:
    """Of a thousand rehearsed reads only as many reach the upstream as a live caller could send."""
    async with running() as (made, host):
        token = made.token()
        answers = [await ask(made.app, "/rehearse/teams/7/line", token=token) for _ in range(1000)]
        assert Counter(answer.status for answer in answers) == {200: LIMIT, 429: 1000 - LIMIT}
        assert host.got == [("GET", "/lines/line-7")] * LIMIT
        assert all(int(answer.header("retry-after") or 0) >= 1 for answer in answers[LIMIT:])


async def test_case_71_a_thousand_rehearsed_reads_meet_the_budget_of_live_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live and rehearsed reads draw on one budget, and together no more is sent than it pays for."""
    allow_open_writes(monkeypatch)
    record = {"budgets": ["0.30 EUR/day"], "rates": ["120/minute"]}
    async with spending(tmp_path, record=record) as made:
        statuses: Counter[int] = Counter()
        for number in range(1000):
            if number % 100 == 0:
                made.made.clock.move(60)
            base = "" if number % 2 else "/rehearse"
            statuses[(await made.made.get(f"{base}/teams/7/item")).status_code] += 1
        assert statuses == {200: 29, 402: 971}, "the last cent does not cover a call that may cost two"
        assert len(made.host.got) == 29


async def test_case_71_a_thousand_rehearsed_reads_meet_the_volume_of_live_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is taken out a little at a time, by whatever base path, ends where the volume does."""
    allow_open_writes(monkeypatch)
    record = {"volumes": ["95 records/day"], "rates": ["120/minute"]}
    async with spending(tmp_path, record=record) as made:
        got = 0
        for number in range(1000):
            if number % 100 == 0:
                made.made.clock.move(60)
            base = "" if number % 2 else "/rehearse"
            answer = await made.made.get(f"{base}/teams/7/items", params={"count": 1 + number % 7})
            got += len(answer.json()) if answer.status_code == 200 else 0
        assert got == 95


async def test_case_71_a_rate_of_the_whole_tenant_is_one_for_live_and_rehearsed_reads() -> None:
    """Two callers, in two modes, have together what their tenant has."""
    async with running() as (made, host):
        tokens = [made.token("anna"), made.token("ben")]
        tries = [(base, token) for base in ("", "/rehearse") for token in tokens] * 10
        statuses = Counter(
            [(await ask(made.app, f"{base}/teams/7/shared", token=token)).status for base, token in tries]
        )
        assert statuses == {200: LIMIT, 429: 40 - LIMIT}
        assert len(host.got) == LIMIT


async def test_case_71_a_thousand_reads_of_the_sandbox_have_a_bucket_of_their_own() -> None:
    """It is as large as the live one, takes nothing from it, and not one of them goes anywhere."""
    async with running() as (made, host):
        token = made.token()
        answers = [await ask(made.app, "/sandbox/teams/7/line", token=token) for _ in range(1000)]
        assert Counter(answer.status for answer in answers) == {200: LIMIT, 429: 1000 - LIMIT}
        assert host.got == []
        assert (await ask(made.app, "/teams/7/line", token=token)).status == 200


@pytest.mark.parametrize("first", ["", "/rehearse"])
async def test_case_71_live_and_rehearsed_reads_draw_on_one_bucket(first: str) -> None:
    """What a caller reads in one mode is missing in the other, also when all comes at once."""
    async with running() as (made, host):
        token = made.token()
        other = "/rehearse" if first == "" else ""
        assert (await ask(made.app, f"{first}/teams/7/line", token=token)).status == 200
        both = [ask(made.app, f"{base}/teams/7/line", token=token) for base in (first, other) * 20]
        statuses = Counter(answer.status for answer in await asyncio.gather(*both))
        assert statuses == {200: LIMIT - 1, 429: 41 - LIMIT}
        assert len(host.got) == LIMIT
        made.clock.move(61)
        assert (await ask(made.app, f"{other}/teams/7/line", token=made.token())).status == 200


@pytest.mark.parametrize("base", ["/rehearse", "/sandbox"])
async def test_case_71_rehearsed_writes_have_an_equal_bucket_of_their_own(base: str) -> None:
    """Rehearsing uses up as many tries as writing would, and takes none of them away."""
    async with running() as (made, host):
        token = made.token()
        rehearsed = [await post(made.app, f"{base}/teams/7/line", TEXT, token=token) for _ in range(50)]
        assert Counter(answer.status for answer in rehearsed) == {200: LIMIT, 429: 50 - LIMIT}
        assert host.writes == []
        live = [await post(made.app, "/teams/7/line", TEXT, token=token) for _ in range(50)]
        assert Counter(answer.status for answer in live) == {200: LIMIT, 429: 50 - LIMIT}
        assert len(host.writes) == LIMIT


async def test_case_71_what_a_rehearsed_read_cost_is_counted() -> None:
    """The price of a read that a rehearsal sent is taken, and stands in its record as in that of a live call."""
    async with running() as (made, _):
        await ask(made.app, "/teams/7/line", token=made.token())
        await ask(made.app, "/rehearse/teams/7/line", token=made.token())
        live, rehearsed = made.records.calls()[-2:]
        assert (live["price"], rehearsed["price"]) == ("0.01 EUR", "0.01 EUR")
        assert (live["mode"], rehearsed["mode"]) == ("live", "rehearse")


REQUESTS = [
    ("GET", "/teams/7/dining-suggestions", None),
    ("GET", "/teams/7/bookings", None),
    ("POST", "/teams/7/bookings", NEW),
    ("DELETE", "/bookings/booking-1", None),
    ("GET", "/rehearsals", None),
    ("GET", "/rehearsals/abc", None),
]
OPEN = {"draft": {"sandbox"}, "trial": {"sandbox", "rehearse", "reads"}}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
async def test_case_72_a_state_opens_what_it_names_and_nothing_else(state: str, base: str) -> None:
    """A draft has the sandbox alone, a trial writes nothing live, and what is suspended, revoked or expired nothing."""
    async with world(connectors={"copilot": {"state": state}}) as made:
        put(made, 7)
        for method, path, document in REQUESTS:
            before = len(to_upstreams(made))
            got = await send(made, method, f"{base}{path}", document)
            mode = base.strip("/") or ("reads" if method == "GET" else "writes")
            if mode in OPEN.get(state, ()):
                assert got.status < 300 or path == "/rehearsals/abc", (method, path)
                assert base != "/sandbox" or len(to_upstreams(made)) == before
            else:
                assert (got.status, got.kind) == (403, "connector-refused"), (method, path)
                assert len(to_upstreams(made)) == before
        assert made.bookings() == 1
        assert [request for request in to_upstreams(made) if request.method != "GET"] == []


async def test_case_72_a_new_connector_is_a_draft() -> None:
    """A connector whose state nobody wrote down has the sandbox alone."""
    connector = {"issuer": "corp", "client_id": "newcomer", "tenant": "example", "kind": "low-code"}
    async with world(connectors={"new": connector}) as made:
        token = made.token(client_id="newcomer")
        assert (await ask(made.app, "/teams/7/bookings", token=token)).status == 403
        assert (await ask(made.app, "/rehearse/teams/7/bookings", token=token)).status == 403
        assert (await ask(made.app, "/sandbox/teams/7/bookings", token=token)).status == 200
        assert to_upstreams(made) == []


@pytest.mark.parametrize("base", ["/rehearse", "/sandbox"])
@pytest.mark.parametrize("path", WRITES)
async def test_case_73_no_write_leaves_a_dry_run(path: str, base: str) -> None:
    """Whatever a handler does to write (gathered, in a task, in a thread, again and again), nothing arrives."""
    async with running() as (made, host):
        for _ in range(2):
            got = await post(made.app, f"{base}/teams/7/{path}", TEXT, token=made.token())
            await drained()
            assert got.status < 300 or path in ("threads", "kept", "later")
        assert host.writes == []
        assert host.got == [] or base == "/rehearse"


async def test_case_73_the_same_handlers_do_write_live() -> None:
    """The handlers of the test above are not tame: live, each of those that wait for their writes sends them."""
    async with running() as (made, host):
        for path in ("line", "copies", "gathered", "beside", "retried", "nested", "posing"):
            before = len(host.writes)
            assert (await post(made.app, f"/teams/7/{path}", TEXT, token=made.token())).status == 200
            assert len(host.writes) > before


async def test_case_73_a_write_kept_from_a_live_call_does_not_leave_through_a_rehearsal() -> None:
    """A rehearsal that awaits what a live call left behind sends nothing: a call's operation ends with the call."""
    async with running() as (made, host):
        assert (await post(made.app, "/teams/7/kept", TEXT, token=made.token())).status == 204
        assert len(errands.KEPT) == 1
        got = await post(made.app, "/rehearse/teams/7/kept", TEXT, token=made.token())
        assert got.status == 500
        assert host.writes == []


async def test_case_73_a_write_kept_from_a_rehearsal_does_not_become_live() -> None:
    """A live call that awaits what a rehearsal left behind sends nothing either."""
    async with running() as (made, host):
        assert (await post(made.app, "/rehearse/teams/7/kept", TEXT, token=made.token())).status == 204
        assert len(errands.KEPT) == 1
        got = await post(made.app, "/teams/7/kept", TEXT, token=made.token())
        assert got.status == 500
        assert host.writes == []


async def test_case_73_a_busy_upstream_does_not_make_a_rehearsal_write() -> None:
    """A handler that tries again on a problem finds none in a rehearsal, and four effects are all there is."""
    async with running() as (made, host):
        host.busy = 3
        got = await post(made.app, "/rehearse/teams/7/retried", TEXT, token=made.token())
        link = (got.header("link") or "").partition(">")[0].removeprefix("<https://bff.test")
        rehearsal = await made.client.get(link, headers={"authorization": f"Bearer {made.token()}"})
        assert [effect["operation"] for effect in rehearsal.json()["effects"]] == ["Ledger.add"] * 4
        assert host.got == []


CONFUSED = [
    "/rehearse//teams/7/bookings",
    "//rehearse/teams/7/bookings",
    "/rehearse/./teams/7/bookings",
    "/rehearse/../teams/7/bookings",
    "/rehearse/%2e%2e/teams/7/bookings",
    "/rehearse/.%2E/teams/7/bookings",
    "/rehearse/..;/teams/7/bookings",
    "/rehearse/..%2fteams/7/bookings",
    "/rehearse/teams/../../teams/7/bookings",
    "/rehearse/teams/7/bookings/",
    "/rehearse/teams/7/bookings//",
    "/rehearse/teams/7/bookings;x=1",
    "/rehearse/teams/7/bookings%3fmode=live",
    "/rehearse%2fteams/7/bookings",
    "/rehearse%2Fteams/7/bookings",
    "/rehearse%252fteams/7/bookings",
    "/rehearse%5cteams/7/bookings",
    "/rehearse\\teams/7/bookings",
    "/%2frehearse/teams/7/bookings",
    "/Rehearse/teams/7/bookings",
    "/REHEARSE/teams/7/bookings",
    "/%72ehearse/teams/7/bookings",
    "/rehears%65/teams/7/bookings",
    "/%52ehearse/teams/7/bookings",
    "/rehearse;/teams/7/bookings",
    "/rehearse;x=1/teams/7/bookings",
    "/rehearse./teams/7/bookings",
    "/rehearse%00/teams/7/bookings",
    "/rehearse%20/teams/7/bookings",
    "/%20rehearse/teams/7/bookings",
    "/rehearse%0a/teams/7/bookings",
    "/rehearse%09/teams/7/bookings",
    "/rehearse%e2%80%8b/teams/7/bookings",
    "/rehearse/rehearse/teams/7/bookings",
    "/rehearse/sandbox/teams/7/bookings",
    "/sandbox/rehearse/teams/7/bookings",
    "/sandbox/sandbox/teams/7/bookings",
    "/sandbox/Rehearse/teams/7/bookings",
    "/sandbox/%72ehearse/teams/7/bookings",
    "/sandbox/../teams/7/bookings",
    "/SandBox/teams/7/bookings",
    "/%c5%bfandbox/teams/7/bookings",
    "/%ef%bd%93andbox/teams/7/bookings",
    "/%ef%bd%92ehearse/teams/7/bookings",
    "/live/teams/7/bookings",
    "/rehearse/live/teams/7/bookings",
    "/rehearseteams/7/bookings",
    "/rehearse/",
    "/sandbox/",
    "/teams/7/bookings/rehearse",
    "/teams/7/rehearse/bookings",
    "/teams/7/bookings%2frehearse",
    "/rehearse/teams/7//bookings",
    "https://bff.test/rehearse/teams/7/bookings",
    "rehearse/teams/7/bookings",
    "*",
]


MIRRORED = [target.replace("rehearse", "sandbox").replace("REHEARSE", "SANDBOX") for target in CONFUSED]
MIRRORED = [target.replace("Rehearse", "Sandbox").replace("rehears%65", "sandbo%78") for target in MIRRORED]


@pytest.mark.parametrize("target", list(dict.fromkeys([*CONFUSED, *MIRRORED])))
async def test_case_74_what_only_looks_like_a_base_path_leads_nowhere(target: str) -> None:
    """A target that some layer may take for a rehearsal is answered 400 or 404, and is never live."""
    async with world() as made:
        got = await post(made.app, target, NEW, token=made.token())
        assert got.status in (400, 404)
        assert to_upstreams(made) == []
        assert made.bookings() == 0


@pytest.mark.parametrize(
    "path", ["/teams/7/bookings", "/%74eams/7/bookings", "/teams/%37/bookings", "/teams/7/bookings?"]
)
@pytest.mark.parametrize("base", ["/rehearse", "/sandbox"])
async def test_case_74_spellings_below_a_base_path_stay_below_it(base: str, path: str) -> None:
    """However the rest of the target is spelt and whatever headers name another one, the base path sets the mode."""
    headers = [
        ("x-original-url", "/teams/7/bookings"),
        ("x-rewrite-url", "/teams/7/bookings"),
        ("x-forwarded-prefix", "/"),
        ("x-forwarded-uri", "/teams/7/bookings"),
        ("x-narrows-mode", "live"),
        ("x-dry-run", "false"),
    ]
    async with world() as made:
        got = await post(made.app, f"{base}{path}", NEW, token=made.token(), headers=headers)
        assert got.status == 201
        assert f"{base}/rehearsals/" in (got.header("link") or "")
        assert made.bookings() == 0


SEGMENTS = ["Rehearse", "REHEARSE", "%72ehearse", "SandBox", "%c5%bfandbox", "rehears%65", "sandbox/rehearse"]


@pytest.mark.parametrize("segment", [*SEGMENTS, "rehearse/sandbox", "rehearse/rehearse", "sandbox/Sandbox"])
async def test_case_74_no_value_of_a_path_passes_for_a_base_path(segment: str) -> None:
    """Where the first segment is a value, one that looks like a base path is none: 404, and nothing is written."""
    async with running() as (made, host):
        assert (await post(made.app, f"/{segment}/line", TEXT, token=made.token())).status == 404
        assert host.got == []
        assert (await post(made.app, "/shelf/line", TEXT, token=made.token())).status == 200


@pytest.mark.parametrize(
    "target", ["/rehearse", "/sandbox", "/rehearse?/teams/7/bookings", "/sandbox?/teams/7/bookings"]
)
async def test_case_74_a_base_path_alone_takes_no_write(target: str) -> None:
    """A base path without anything behind it is the page, which takes nothing."""
    async with world() as made:
        got = await post(made.app, target, NEW, token=made.token())
        assert (got.status, got.header("allow")) == (405, "GET")
        assert to_upstreams(made) == []


async def test_case_75_the_exchange_of_a_rehearsal_asks_for_no_write_scope() -> None:
    """Whatever is rehearsed, the authorization server is never asked for a scope of a write."""
    async with world() as made:
        put(made, 7)
        for method, path, document in REQUESTS[:4]:
            assert (await send(made, method, f"/rehearse{path}", document)).status < 300
        asked = [exchange for exchange in made.authority.exchanges if exchange.outcome == "issued"]
        assert {scope for exchange in asked for scope in exchange.scopes} == {
            "profiles:read",
            "places:read",
            "bookings:read",
        }
        assert all("bookings:write" not in claims_of(token)["scope"] for token in sent_tokens(made))
        assert made.bookings() == 1


async def test_case_75_a_rehearsal_does_not_borrow_the_token_of_a_live_call() -> None:
    """An endpoint that reads and writes one upstream gets a narrower token to rehearse with, before and after live."""
    async with running() as (made, host):
        for base in ("/rehearse", "", "/rehearse"):
            assert (await post(made.app, f"{base}/teams/7/copies", TEXT, token=made.token())).status == 200
        both = {"bookings:read", "bookings:write"}
        assert host.scopes == [{"bookings:read"}, both, both, {"bookings:read"}]


async def test_case_75_the_sandbox_asks_for_nothing_at_all() -> None:
    """A sandboxed call exchanges no token and calls nobody."""
    async with world() as made:
        for method, path, document in REQUESTS[:4]:
            assert (await send(made, method, f"/sandbox{path}", document)).status < 300
        assert made.authority.exchanges == []
        assert to_upstreams(made) == []


async def send(made: World, method: str, path: str, document: Any) -> Any:
    """One request as anna."""
    if document is None:
        return await ask(made.app, path, method, token=made.token())
    return await post(made.app, path, document, token=made.token(), method=method)
