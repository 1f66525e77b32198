"""Case 82 through the whole application: only the person confirms, on the BFF's own page, and only what is theirs."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from narrows.errors import Unavailable
from narrows.settings import Secret, merge
from narrows.stores import Owner, memory_commits
from narrows.stores.commits import CommitBounds
from narrows.testing import bearer
from tests.abuse.attack import Instead, json_answer
from tests.flow.confirming import PAGE, Visitor, query_of
from tests.flow.second import second_issuer
from tests.flow.world import BFF, World, world

WANTED = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}
SESSION = "__Host-Http-narrows-session"
SIGN_IN = "__Host-Http-narrows-sign-in"


def copilot_world(**over: Any) -> Any:
    """The world, whose copilot asks the person for each write as one of the registry does."""
    return world(**merge({"connectors": {"copilot": {"commit": "confirmed"}}}, over))


async def rehearsed(made: World, subject: str = "anna", base: str = "/rehearse", **claims: Any) -> str:
    """A booking that the copilot rehearses in somebody's name; the rehearsal's id."""
    token = made.token(subject, **claims)
    answer = await made.client.post(f"{base}/teams/7/bookings", json=WANTED, headers=bearer(token))
    assert answer.status_code == 201, answer.text
    return answer.links["describedby"]["url"].rpartition("/")[2]


async def is_confirmed(made: World, rehearsal: str, subject: str = "anna") -> bool:
    """What the step that guards the live write will ask."""
    return await made.app.plan.commits.is_confirmed(rehearsal, Owner("example", "corp", subject, "copilot"))


@pytest.fixture
async def made() -> AsyncIterator[World]:
    """The world."""
    async with copilot_world() as one:
        yield one


@pytest.fixture
async def anna(made: World) -> Visitor:
    """Anna's browser."""
    return Visitor(made)


async def signed_in(made: World, name: str = "anna") -> tuple[Visitor, str]:
    """Somebody's browser with a session, and a rehearsal of theirs."""
    visitor = Visitor(made)
    rehearsal = await rehearsed(made, name)
    assert (await visitor.sign_in(rehearsal, name)).status_code == 303
    return visitor, rehearsal


# --- what it is for -------------------------------------------------------------------------------------------------


async def test_case_82_the_person_sees_what_is_asked_and_confirms_it(made: World) -> None:
    """Who asks, for what, with which effects and at which price; and the decision is kept for this rehearsal alone."""
    anna, rehearsal = await signed_in(made)
    other = await rehearsed(made)
    shown = (await anna.fetch("GET", f"/confirmations/{rehearsal}")).json()
    assert (shown["state"], shown["person"]) == ("open", "Anna Achleitner")
    assert (shown["program"]["id"], shown["program"]["kind"]) == ("copilot", "copilot")
    assert shown["summary"] == "Book a table for the team."
    [effect] = shown["effects"]
    assert (effect["operation"], effect["price"], shown["price"]) == ("Tables.book", "0.05 EUR", "0.05 EUR")
    assert effect["arguments"]["/booking/seats"] == 4
    assert not await is_confirmed(made, rehearsal)
    decided = await anna.decide(rehearsal)
    assert (decided.status_code, decided.json()["state"]) == (200, "confirmed")
    assert decided.headers["cache-control"] == "private, no-store"
    assert await is_confirmed(made, rehearsal)
    assert not await is_confirmed(made, other)
    assert made.bookings() == 0


async def live(made: World, receipt: str, **claims: Any) -> Any:
    """The copilot's live write with the receipt of its rehearsal."""
    headers = bearer(made.token(**claims)) | {"rehearsal-receipt": receipt}
    return await made.client.post("/teams/7/bookings", json=WANTED, headers=headers)


async def test_case_82_a_write_is_stopped_until_the_person_has_confirmed_it(made: World) -> None:
    """Nothing is sent before; after it exactly that goes through, once; the program learns what was decided."""
    anna, rehearsal = await signed_in(made)
    path = f"/rehearse/rehearsals/{rehearsal}"
    document = (await made.get(path)).json()
    assert (document["commit"], document["confirmation"]) == ("confirmed", "open")
    assert document["confirm_url"] == f"{BFF}/confirm/{rehearsal}"
    stopped = await live(made, document["receipt"])
    assert (stopped.status_code, stopped.json()["confirm_url"]) == (428, document["confirm_url"])
    assert made.bookings() == 0
    await anna.decide(rehearsal)
    assert (await made.get(path)).json()["confirmation"] == "confirmed"
    assert (await live(made, document["receipt"])).status_code == 201
    again = await live(made, document["receipt"])
    assert (again.status_code, made.bookings()) == (409, 1)
    assert (await made.get(path)).json()["confirmation"] == "spent"
    assert (await anna.fetch("GET", f"/confirmations/{rehearsal}")).json()["state"] == "spent"


async def test_case_82_what_was_refused_is_never_sent(made: World) -> None:
    """Also when it was confirmed before, or is confirmed after."""
    anna, rehearsal = await signed_in(made)
    document = (await made.get(f"/rehearse/rehearsals/{rehearsal}")).json()
    for decision in ("allow", "refuse", "allow"):
        await anna.decide(rehearsal, decision)
    refused = await live(made, document["receipt"])
    assert (refused.status_code, refused.json()["reason"], made.bookings()) == (409, "spent", 0)


async def test_case_82_a_refusal_that_cannot_be_kept_is_not_told_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the store has no room for it, the person reads a 503, and not that it is over."""
    monkeypatch.setattr(memory_commits, "CommitBounds", lambda: CommitBounds(receipts=1))
    async with copilot_world() as made:
        anna, rehearsal = await signed_in(made)
        other = await rehearsed(made)
        assert (await anna.decide(rehearsal, "refuse")).status_code == 200
        refused = await anna.decide(other, "refuse")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "60")
        assert (await anna.fetch("GET", f"/confirmations/{other}")).json()["state"] == "open"


async def test_case_82_the_record_tells_who_decided_what(made: World) -> None:
    """Person, rehearsal and decision; what is nobody's to decide names nothing, nor does one who only looks."""
    anna, rehearsal = await signed_in(made)
    foreign = await rehearsed(made, "ben")
    await anna.fetch("GET", f"/confirmations/{rehearsal}")
    for decision in ("allow", "refuse"):
        await anna.decide(rehearsal, decision)
    await anna.decide(foreign)
    looked, *decided, denied = made.records.calls()[-4:]
    assert [(one["rehearsal"], one["decision"]) for one in decided] == [(rehearsal, "allow"), (rehearsal, "refuse")]
    assert {one["caller"] for one in decided} == {looked["caller"]} != {None}
    assert [(one["rehearsal"], one["decision"]) for one in (looked, denied)] == [(None, None)] * 2


async def test_case_82_what_is_not_allowed_stays_so(made: World) -> None:
    """A refusal also takes a confirmation back, and nothing that comes later undoes it."""
    anna, rehearsal = await signed_in(made)
    await anna.decide(rehearsal)
    assert (await anna.decide(rehearsal, "refuse")).json()["state"] == "spent"
    assert (await anna.decide(rehearsal)).json()["state"] == "spent"
    assert (await anna.fetch("GET", f"/confirmations/{rehearsal}")).json()["state"] == "spent"
    other = await rehearsed(made)
    await anna.decide(other, "refuse")
    await anna.decide(other)
    assert not await is_confirmed(made, other)


# --- the connector cannot confirm -----------------------------------------------------------------------------------


@pytest.mark.parametrize("client", ["where2eat-copilot", "where2eat-page", "where2eat-bff"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_case_82_a_token_cannot_confirm(made: World, client: str, method: str) -> None:
    """Whoever's it is, and however it comes: neither as a token nor in place of the cookie."""
    rehearsal = await rehearsed(made)
    token = made.token("anna", client_id=client)
    visitor = Visitor(made)
    body = {"decision": "allow"} if method == "POST" else None
    ways: list[dict[str, str]] = [bearer(token), {"cookie": f"{SESSION}={token}"}]
    ways.append({**bearer(token), "cookie": f"{SESSION}={token.replace('.', '')}"})
    for way in ways:
        answer = await visitor.fetch(method, f"/confirmations/{rehearsal}", body, **way)
        assert answer.status_code == 401
        assert answer.json()["type"].endswith("credentials-missing")
        assert answer.json()["sign_in"] == ["corp"]
        assert "Bearer" not in answer.headers["www-authenticate"]
    assert not await is_confirmed(made, rehearsal)


async def test_case_82_a_session_opens_nothing_but_the_page(made: World) -> None:
    """Beside a cookie every other endpoint wants a token; the cookie never goes upstream."""
    anna, rehearsal = await signed_in(made)
    for path in (f"/rehearsals/{rehearsal}", "/rehearsals", "/teams/7/bookings", "/rehearse/teams/7/bookings"):
        assert (await anna.fetch("GET", path)).status_code == 401
    cookies = {"cookie": f"{SESSION}={anna.jar[SESSION]}"}
    before = len(made.network.sent)
    headers = cookies | bearer(made.token())
    assert (await made.client.get("/teams/7/bookings", headers=headers)).status_code == 200
    assert len(made.network.sent) > before
    assert all("cookie" not in request.headers for request in made.network.sent[before:])
    assert anna.jar[SESSION].encode() not in made.network.traffic()


# --- from elsewhere -------------------------------------------------------------------------------------------------


ELSEWHERE: dict[str, dict[str, str]] = {
    "another site": {"sec_fetch_site": "cross-site"},
    "a neighbouring host": {"sec_fetch_site": "same-site"},
    "typed or by a program of the desktop": {"sec_fetch_site": "none"},
    "a frame": {"sec_fetch_dest": "iframe"},
    "a navigation": {"sec_fetch_dest": "document"},
    "an image": {"sec_fetch_dest": "image"},
    "another origin": {"origin": "https://evil.test"},
    "an origin of the same name": {"origin": "https://bff.test.evil.test"},
    "another scheme": {"origin": "http://bff.test"},
    "another port": {"origin": "https://bff.test:8443"},
    "nobody's origin": {"origin": "null"},
}


@pytest.mark.parametrize("headers", ELSEWHERE.values(), ids=ELSEWHERE)
async def test_case_82_cross_site_and_framed_requests_are_refused(made: World, headers: dict[str, str]) -> None:
    """With the person's own session, and the header, a request from elsewhere neither reads nor decides."""
    anna, rehearsal = await signed_in(made)
    read = await anna.fetch("GET", f"/confirmations/{rehearsal}", **headers)
    decided = await anna.decide(rehearsal, **headers)
    left = await anna.fetch("DELETE", "/confirm/session", **headers)
    for answer in (read, decided, left):
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (403, "cross-site")
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert not await is_confirmed(made, rehearsal)
    assert (await anna.fetch("GET", f"/confirmations/{rehearsal}")).status_code == 200


@pytest.mark.parametrize("value", ["", "0", "true", "1, 1"])
async def test_case_82_without_the_header_nothing_is_told(made: World, value: str) -> None:
    """A form, an image or a script elsewhere cannot set it; also for a GET."""
    anna, rehearsal = await signed_in(made)
    for answer in (
        await anna.fetch("GET", f"/confirmations/{rehearsal}", narrows_confirm=value),
        await anna.decide(rehearsal, narrows_confirm=value),
        await anna.fetch("DELETE", "/confirm/session", narrows_confirm=value),
    ):
        assert answer.status_code == 403
    assert not await is_confirmed(made, rehearsal)


async def test_case_82_a_change_names_its_origin(made: World) -> None:
    """Browsers do with each POST and DELETE; what does not is none."""
    anna, rehearsal = await signed_in(made)
    assert (await anna.decide(rehearsal, origin="")).status_code == 403
    assert not await is_confirmed(made, rehearsal)


async def test_case_82_no_preflight_is_answered(made: World) -> None:
    """A page elsewhere gets no leave to send the header."""
    asked = {"origin": "https://evil.test", "access-control-request-headers": "narrows-confirm"}
    answer = await made.client.options("/confirmations/x", headers=asked)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_case_82_the_page_cannot_be_framed(made: World) -> None:
    """Nor can it run anything but its own scripts; it holds no data, and nothing of the request."""
    shell = await made.client.get("/confirm/abc")
    policy = shell.headers["content-security-policy"]
    for part in ("default-src 'none'", "frame-ancestors 'none'", "script-src 'self'", "trusted-types 'none'"):
        assert part in policy
    assert shell.headers["x-frame-options"] == "DENY"
    assert b"abc" not in shell.content
    assert b"onclick" not in shell.content
    for line in shell.text.splitlines():
        assert "<script" not in line or 'src="assets/' in line
    for name in ("confirm.js", "elements.js", "style.css"):
        asset = await made.client.get(f"/confirm/assets/{name}")
        assert (asset.status_code, asset.headers["content-security-policy"]) == (200, policy)
        assert b"innerHTML" not in asset.content
        assert b"http:" not in asset.content
        assert b"https:" not in asset.content


# --- another's ------------------------------------------------------------------------------------------------------


def but_for_trace(answer: Any) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
    """What can be told apart."""
    headers = [(name, value) for name, value in answer.headers.items() if name != "content-length"]
    return answer.status_code, {**answer.json(), "trace_id": ""}, headers


async def test_case_82_nobody_confirms_anothers_rehearsal(made: World) -> None:
    """Another's rehearsal and one that never was are answered with the same bytes."""
    rehearsal = await rehearsed(made, "anna")
    ben, _ = await signed_in(made, "ben")
    for method, body in (("GET", None), ("POST", {"decision": "allow"}), ("POST", {"decision": "refuse"})):
        foreign = await ben.fetch(method, f"/confirmations/{rehearsal}", body)
        absent = await ben.fetch(method, "/confirmations/AAAAAAAAAAAAAAAAAAAAAA", body)
        assert foreign.status_code == 404
        assert but_for_trace(foreign) == but_for_trace(absent)
    assert not await is_confirmed(made, rehearsal, "anna")
    anna = Visitor(made)
    await anna.sign_in(rehearsal, "anna")
    assert (await anna.fetch("GET", f"/confirmations/{rehearsal}")).json()["state"] == "open"


async def test_case_82_the_same_name_at_another_issuer_is_another_person() -> None:
    """The anna of a second issuer neither sees nor confirms what the first one's is asked; she chooses her issuer."""
    over = second_issuer()
    over["issuers"]["other"]["client"]["sign_in_scope"] = "confirm"
    async with copilot_world(**over) as made:
        rehearsal = await rehearsed(made)
        visitor = Visitor(made)
        unsigned = await visitor.fetch("GET", f"/confirmations/{rehearsal}")
        assert unsigned.json()["sign_in"] == ["corp", "other"]
        unchosen = await visitor.send("GET", "/confirm/sign-in", params={"rehearsal": rehearsal})
        assert (unchosen.status_code, unchosen.json()["errors"][0]["pointer"]) == (400, "/query/issuer")
        back = await visitor.at_issuer(await visitor.leave(rehearsal, "other"), "anna")
        assert (await visitor.send("GET", back.removeprefix(BFF))).status_code == 303
        assert (await visitor.decide(rehearsal)).status_code == 404
        assert not await is_confirmed(made, rehearsal)


@pytest.mark.parametrize("base", ["/rehearse", "/sandbox"])
async def test_case_82_a_confirmation_is_never_rehearsed(made: World, base: str) -> None:
    """Under the other base paths nothing is confirmed, and nobody is signed in or out."""
    anna, rehearsal = await signed_in(made)
    assert (await anna.fetch("GET", f"{base}/confirmations/{rehearsal}")).status_code == 404
    assert (await anna.fetch("POST", f"{base}/confirmations/{rehearsal}", {"decision": "allow"})).status_code == 404
    assert (await anna.fetch("DELETE", f"{base}/confirm/session")).status_code == 404
    assert (await anna.send("GET", f"{base}/confirm/sign-in?rehearsal={rehearsal}")).status_code == 404
    assert (await anna.send("GET", f"{base}/confirm/callback?state=x&code=y")).status_code == 404
    assert not await is_confirmed(made, rehearsal)
    assert (await anna.fetch("GET", f"/confirmations/{rehearsal}")).status_code == 200


async def test_case_82_what_cannot_be_committed_cannot_be_confirmed(made: World) -> None:
    """What the sandbox made up, what was only looked up, and what needs no confirmation is not there."""
    anna, _ = await signed_in(made)
    sandboxed = await rehearsed(made, base="/sandbox")
    clicked = await rehearsed(made, client_id="where2eat-page")
    looked_up = await made.get("/rehearse/teams/7/bookings")
    for rehearsal in (sandboxed, clicked, looked_up.links["describedby"]["url"].rpartition("/")[2]):
        assert (await anna.fetch("GET", f"/confirmations/{rehearsal}")).status_code == 404
        assert (await anna.decide(rehearsal)).status_code == 404


@pytest.mark.parametrize(
    "body", [b"{}", b'{"decision":"yes"}', b'{"decision":"allow","x":1}', b'{"decision":"allow","decision":"refuse"}']
)
async def test_case_82_a_decision_is_one_of_two_words(made: World, body: bytes) -> None:
    """Anything else decides nothing."""
    anna, rehearsal = await signed_in(made)
    headers = {**PAGE, "origin": BFF, "content-type": "application/json"}
    assert (await anna.send("POST", f"/confirmations/{rehearsal}", headers, content=body)).status_code == 400
    assert not await is_confirmed(made, rehearsal)


async def test_case_82_nothing_is_confirmed_while_a_store_is_away(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registry or store of commits: a 503, and no guess."""
    anna, rehearsal = await signed_in(made)

    async def away(*_: object) -> None:
        raise Unavailable(headers={"Retry-After": "5"})

    plan = made.app.plan
    for part, method in ((plan.directory, "refresh"), (plan.commits, "claim"), (plan.commits, "confirm")):
        with monkeypatch.context() as broken:
            broken.setattr(part, method, away)
            assert (await anna.decide(rehearsal)).status_code == 503
    assert not await is_confirmed(made, rehearsal)


# --- signing in -----------------------------------------------------------------------------------------------------


async def test_case_82_the_way_to_the_issuer_is_bound_to_the_browser(made: World, anna: Visitor) -> None:
    """A code with proof key for the BFF's own client; state and verifier lie sealed in a cookie that only we read."""
    location = await anna.leave("abc")
    asked = query_of(location)
    assert location.startswith("https://issuer.test/authorize?")
    assert asked["client_id"] == "where2eat-bff"
    assert (asked["response_type"], asked["code_challenge_method"], asked["scope"]) == ("code", "S256", "confirm")
    assert asked["redirect_uri"] == f"{BFF}/confirm/callback"
    assert len(asked["state"]) == len(asked["code_challenge"]) == 43
    assert asked["state"] not in anna.jar[SIGN_IN]
    assert query_of(await anna.leave("abc"))["state"] != asked["state"]


async def test_case_38_82_the_cookies_have_every_flag(made: World, anna: Visitor) -> None:
    """Prefix, `Secure`, `HttpOnly`, the whole path, no domain; no request from elsewhere carries the session's."""
    left = await anna.send("GET", "/confirm/sign-in?rehearsal=abc")
    back = await anna.at_issuer(left.headers["location"], "anna")
    answer = await anna.send("GET", back.removeprefix(BFF))
    [sign_in] = left.headers.get_list("set-cookie")
    gone, session = answer.headers.get_list("set-cookie")
    flags = "Path=/; HttpOnly; SameSite={}; Secure; Max-Age={}"
    assert sign_in.partition("; ")[0].startswith(f"{SIGN_IN}=")
    assert sign_in.partition("; ")[2] == flags.format("Lax", 600)
    assert gone == f"{SIGN_IN}=; {flags.format('Lax', 0)}"
    assert session.partition("; ")[0].startswith(f"{SESSION}=")
    assert session.partition("; ")[2] == flags.format("Strict", 600)
    for each in (left, answer):
        assert each.headers["cache-control"] == "no-store"
        assert each.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["location"] == f"{BFF}/confirm/abc"


async def test_case_82_nobody_is_signed_in_as_another(made: World, anna: Visitor) -> None:
    """The answer of another's sign-in (login CSRF) does not hold in this browser, nor beside a sign-in of its own."""
    mallory = Visitor(made)
    back = await mallory.at_issuer(await mallory.leave("abc"), "ben")
    without = await anna.send("GET", back.removeprefix(BFF))
    await anna.leave("abc")
    beside = await anna.send("GET", back.removeprefix(BFF))
    for answer in (without, beside):
        assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=utf-8")
        assert "not begun in this browser" in answer.text
        assert SESSION not in anna.jar
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert (await mallory.send("GET", back.removeprefix(BFF))).status_code == 303


async def test_case_82_another_code_does_not_hold(made: World, anna: Visitor) -> None:
    """A code that was made for another sign-in is bound to another verifier."""
    mallory = Visitor(made)
    stolen = query_of(await mallory.at_issuer(await mallory.leave("abc"), "ben"))["code"]
    answer = query_of(await anna.at_issuer(await anna.leave("abc"), "anna"))
    got = await anna.send("GET", f"/confirm/callback?{urlencode(answer | {'code': stolen})}")
    assert got.status_code == 400
    assert SESSION not in anna.jar


async def test_case_82_an_answer_holds_once(made: World, anna: Visitor) -> None:
    """A replayed callback begins no session, even in the same browser with the same cookie."""
    back = await anna.at_issuer(await anna.leave("abc"), "anna")
    kept = dict(anna.jar)
    assert (await anna.send("GET", back.removeprefix(BFF))).status_code == 303
    anna.jar = kept
    again = await anna.send("GET", back.removeprefix(BFF))
    assert again.status_code == 400
    assert "used already" in again.text
    assert SESSION not in anna.jar


@pytest.mark.parametrize(
    "change",
    [
        {"state": "x"}, {"state": ""}, {"iss": "https://evil.test"}, {"iss": None}, {"state": None}, {"code": "x"},
        {"code": None}, {"error": "access_denied"}, {"code": None, "error": "access_denied"},
    ],
)  # fmt: skip
async def test_case_82_an_answer_that_was_changed_does_not_hold(
    made: World, anna: Visitor, change: dict[str, str | None]
) -> None:
    """State, code and the name of the issuer (RFC 9207) are those of the sign-in that this browser began."""
    answer: dict[str, str | None] = {**query_of(await anna.at_issuer(await anna.leave("abc"), "anna")), **change}
    sent = {name: value for name, value in answer.items() if value is not None}
    got = await anna.send("GET", f"/confirm/callback?{urlencode(sent)}")
    assert got.status_code == 400
    assert "Nothing was confirmed." in got.text
    assert SESSION not in anna.jar


async def test_case_82_a_sign_in_ends_with_its_time(made: World, anna: Visitor) -> None:
    """After ten minutes the person begins again, and is led back to what was asked."""
    back = await anna.at_issuer(await anna.leave("abc"), "anna")
    made.clock.move(601)
    got = await anna.send("GET", back.removeprefix(BFF))
    assert got.status_code == 400
    assert '<a class="button" href="abc">' in got.text


ISSUED = {"access_token": "", "token_type": "Bearer", "expires_in": 300}


@pytest.mark.parametrize("whose", ["another program's", "a service's", "junk", "another API's"])
async def test_case_82_the_token_must_be_of_our_own_client_and_a_person(whose: str) -> None:
    """Whatever the token endpoint answers, a token of the copilot signs nobody in."""

    async def answer(body: bytes) -> Any:
        token = {
            "another program's": lambda: made.token("ben", client_id="where2eat-copilot"),
            "a service's": lambda: made.authority.issue("where2eat-bff", "where2eat-bff", "where2eat-api", "confirm"),
            "junk": lambda: "junk",
            "another API's": lambda: made.token("ben", client_id="where2eat-bff", audience="tables-api"),
        }[whose]()
        return json_answer(ISSUED | {"access_token": token})

    async with copilot_world() as made:
        made.network.add({"issuer.test": Instead(made.authority.app, "/token", answer)})
        anna = Visitor(made)
        got = await anna.sign_in("abc", "anna")
        # Of an answer for another API nothing is read: it is the server that is at fault.
        assert got.status_code == (503 if whose == "another API's" else 400)
        assert "Nothing was confirmed." in got.text
        assert SESSION not in anna.jar


async def test_case_82_an_issuer_that_is_away_signs_nobody_in() -> None:
    """The person reads so, with a 503."""

    async def answer(body: bytes) -> Any:
        return json_answer({}, 500)

    async with copilot_world() as made:
        made.network.add({"issuer.test": Instead(made.authority.app, "/token", answer)})
        anna = Visitor(made)
        got = await anna.sign_in("abc", "anna")
        assert (got.status_code, SESSION in anna.jar) == (503, False)
        assert "cannot be reached" in got.text


async def test_case_82_one_address_cannot_try_sign_ins_without_end() -> None:
    """Each return asks a token endpoint, so they are counted as unverified tokens are."""
    async with copilot_world(limits={"unverified": "3/minute"}) as made:
        anna = Visitor(made)
        got = [(await anna.send("GET", "/confirm/callback?state=x&code=y")).status_code for _ in range(4)]
        assert got == [400, 400, 400, 429]


@pytest.mark.parametrize(
    "query",
    ["", "rehearsal=", "rehearsal=a/b", "rehearsal=https://evil.test", "rehearsal=a&next=//evil.test",
     "rehearsal=a&issuer=https://evil.test", "rehearsal=a&issuer=none", "rehearsal=a&rehearsal=b"],
)  # fmt: skip
async def test_case_82_a_sign_in_leads_nowhere_else(made: World, anna: Visitor, query: str) -> None:
    """Only to an issuer of the settings, and back to a rehearsal's own page."""
    got = await anna.send("GET", f"/confirm/sign-in?{query}")
    assert got.status_code == 400
    assert "location" not in got.headers


# --- sessions -------------------------------------------------------------------------------------------------------


async def test_case_38_82_each_sign_in_has_a_session_of_its_own(made: World) -> None:
    """A session that was fixed before is not the one after (fixation); what somebody else made up is none."""
    anna, rehearsal = await signed_in(made)
    first = anna.jar[SESSION]
    await anna.sign_in(rehearsal, "anna")
    assert anna.jar[SESSION] != first
    opened = [await made.app.plan.sessions.open(value) for value in (first, anna.jar[SESSION])]
    assert len({session.id for session in opened if session}) == 2
    planted = Visitor(made)
    for value in ("", "x", "A" * 200, first[:-2] + "AA", first[:-1], first + "A", f'"{first}"'):
        planted.jar[SESSION] = value
        assert (await planted.decide(rehearsal)).status_code == 401
    planted.jar = {SESSION: first, "x": f"1; {SESSION}={first}"}
    assert (await planted.decide(rehearsal)).status_code == 401
    assert not await is_confirmed(made, rehearsal)


async def test_case_82_a_session_of_another_process_with_another_key_is_none(made: World) -> None:
    """Sessions are sealed with the key of the settings."""
    _, rehearsal = await signed_in(made)
    async with copilot_world() as other:
        stranger, _ = await signed_in(other)
        visitor = Visitor(made)
        visitor.jar = dict(stranger.jar)
        assert (await visitor.decide(rehearsal)).status_code == 401


async def test_case_38_82_signing_out_ends_the_session_at_the_server(made: World) -> None:
    """A cookie that was copied before is worth nothing after; other sessions go on."""
    anna, rehearsal = await signed_in(made)
    kept = Visitor(made)
    kept.jar = dict(anna.jar)
    elsewhere, _ = await signed_in(made)
    out = await anna.fetch("DELETE", "/confirm/session")
    assert (out.status_code, SESSION in anna.jar) == (200, False)
    assert (await kept.decide(rehearsal)).status_code == 401
    assert (await elsewhere.decide(rehearsal)).status_code == 200


async def test_case_38_82_signing_out_holds_in_every_process(tmp_path: Path) -> None:
    """Processes with one key and one file of commits know each other's sessions, and which of them have ended."""
    stores = {"key": Secret(base64.b64encode(bytes(32)).decode()), "commits": f"sqlite:{tmp_path / 'commits.db'}"}
    async with copilot_world(stores=stores) as one, copilot_world(stores=stores) as other:
        anna, rehearsal = await signed_in(one)
        there = Visitor(other)
        there.jar = dict(anna.jar)
        assert (await there.fetch("GET", f"/confirmations/{rehearsal}")).status_code == 404
        await anna.fetch("DELETE", "/confirm/session")
        assert (await there.fetch("GET", f"/confirmations/{rehearsal}")).status_code == 401


async def test_case_82_a_session_is_short(made: World) -> None:
    """After ten minutes the person signs in again."""
    anna, rehearsal = await signed_in(made)
    made.clock.move(599)
    assert (await anna.fetch("GET", f"/confirmations/{rehearsal}")).status_code == 200
    made.clock.move(1)
    got = await anna.decide(rehearsal)
    assert (got.status_code, got.json()["detail"]) == (401, "The session has ended.")


async def test_case_29_82_a_revocation_ends_sessions_too(made: World) -> None:
    """Whoever's tokens are revoked confirms nothing with a session of before."""
    anna, rehearsal = await signed_in(made)
    ben, _ = await signed_in(made, "ben")
    await made.app.plan.revoke("corp", "anna", made.clock())
    assert (await anna.decide(rehearsal)).status_code == 401
    assert (await ben.fetch("DELETE", "/confirm/session")).status_code == 200


async def test_case_82_no_secret_of_a_sign_in_is_told(made: World) -> None:
    """Neither a cookie, a code, a state nor a token stands in a record, and no answer holds a token."""
    anna = Visitor(made)
    rehearsal = await rehearsed(made)
    back = await anna.at_issuer(await anna.leave(rehearsal), "anna")
    sign_in = anna.jar[SIGN_IN]
    answer = await anna.send("GET", back.removeprefix(BFF))
    shown = await anna.fetch("GET", f"/confirmations/{rehearsal}")
    secrets = [*(query_of(back)[name] for name in ("code", "state")), sign_in, anna.jar[SESSION], "eyJ"]
    records = b"".join(made.records.lines).decode()
    assert "/confirm/callback" in records
    assert not [secret for secret in secrets if secret in records]
    assert not [secret for secret in secrets if secret in shown.text + answer.text]
    last = msgspec.json.decode(made.records.lines[-1])
    assert (last["endpoint"], last["connector"]) == ("narrows./confirmations/{rehearsal_id}", "narrows.page")
    assert last["caller"] is not None
