"""The chapters of the demonstration. Each claim compares what was answered with what somebody else recorded."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from narrows.devkit.browser import Confirming

from . import staff, world
from .client import rfc3339
from .demo_walk import SEATS, TEAM, Walk, reason, same_but_for_trace
from .evidence import Request, Span, ancestors, digests, json_lines, leaks, spans, undeclared, written
from .places import Place, distance, is_open, places

_BEARER = re.compile(r"eyJ[\w-]{10,}\.[\w-]{10,}")
_SUGGESTIONS = f"/teams/{TEAM}/dining-suggestions"
_BOOKINGS = f"/teams/{TEAM}/bookings"
_LEFT_OUT = {f"People.team.members[].{name}" for name in ("salary", "home_address", "iban")}
_CONFIRM = re.compile(r"Confirm it here: (\S+)")
_FROM_THE_PAGE = {"narrows-confirm": "1", "sec-fetch-site": "same-origin"}
_PROGRAMS = ["bff", "copilot", "people", "places", "tables"]


async def suggestions(walk: Walk) -> None:
    """A team member gets what suits the team."""
    story, at = walk.story, walk.at
    story.chapter(f"Anna asks where team {TEAM} can eat, open on {at:%A %d %B %Y at %H:%M}")
    query: dict[str, str | int] = {"open_at": rfc3339(at), "limit": 20}
    response = await walk.call("anna", "GET", _SUGGESTIONS, params=query)
    found = response.json() if response.status_code == 200 else []
    for place in found[:5]:
        story.note(f"{place['distance_m']:>4} m  {place['name']}")
    story.claim(
        "she gets the twenty suggestions that she asked for; here are the first five", len(found) == 20, response
    )
    diets = {staff.person(member).diet for member in staff.teams()[0].members} - {"none"}
    story.claim(f"they suit every diet of the team: {', '.join(sorted(diets))}", all(map(_suits, found)), response)
    hours = [places()[place["place_id"]].opening_hours for place in found]
    story.claim("each is open then by its OpenStreetMap hours", all(is_open(each, at) for each in hours), hours)
    ids = [place["place_id"] for place in found]
    nearest = _nearest(walk, 20)
    story.claim("they are the nearest such places of all 129, reckoned here once more", ids == nearest, ids)
    passed = _passed_over(nearest)
    over = f"{passed} nearer places that do not suit, or are closed then, were passed over"
    story.claim(over, passed > 0 and ids == nearest)


def _suits(suggestion: dict[str, Any]) -> bool:
    """Vegan dishes suit everybody; looked up in the data as well as in the answer."""
    return places()[suggestion["place_id"]].diets.vegan is True and suggestion["vegan"] is True


def _from_office(place: Place) -> float:
    office = staff.teams()[0].office
    return distance(office.lat, office.lon, place)


def _nearest(walk: Walk, limit: int) -> list[str]:
    fitting = [place for place in places().values() if place.diets.vegan and is_open(place.opening_hours, walk.at)]
    return [place.id for place in sorted(fitting, key=_from_office)[:limit]]


def _passed_over(nearest: list[str]) -> int:
    farthest = _from_office(places()[nearest[-1]])
    return sum(_from_office(place) < farthest for place in places().values()) - len(nearest) + 1


async def on_behalf(walk: Walk) -> None:
    """The token that went upstream says for whom, through whom and for what."""
    story = walk.story
    story.chapter("What the people service saw of it")
    seen = (await walk.witnesses.received("people"))[-1]
    what = (seen.method, seen.path, seen.status)
    story.claim("one request, for the team", what == ("GET", f"/teams/{TEAM}", 200), seen)
    story.claim("its token has Anna as its subject", seen.subject == "anna", seen)
    actors = [world.BFF_CLIENT, world.COPILOT_CLIENT]
    story.claim(f"{actors[0]} as the actor, and {actors[1]} behind it", seen.actors == actors, seen)
    story.claim("people-api as its only audience", seen.audience == ["people-api"], seen)
    story.claim("profiles:read as its only scope", seen.scopes == ["profiles:read"], seen)


async def outsider(walk: Walk) -> None:
    """Who is not in the team is denied, with a remedy."""
    story, before = walk.story, len(await walk.witnesses.all_received())
    story.chapter(f"Olga, who is not in team {TEAM}, asks the same")
    denied = await walk.call("olga", "GET", _SUGGESTIONS)
    story.claim("she is denied: 403", denied.status_code == 403, denied)
    helped = "'member'" in denied.json().get("detail", "") and bool(denied.json().get("remedy"))
    story.claim("she reads which role is missing, and what helps", helped, denied)
    story.note(reason(denied))
    story.claim("no service heard of it", len(await walk.witnesses.all_received()) == before)


async def bad_values(walk: Walk) -> None:
    """What is not a value is named, with a remedy."""
    story, before = walk.story, len(await walk.witnesses.all_received())
    story.chapter("Anna asks for 999 places that are open at “noon”")
    response = await walk.call("anna", "GET", _SUGGESTIONS, params={"limit": 999, "open_at": "noon"})
    errors = response.json().get("errors", [])
    pointers = {error["pointer"] for error in errors}
    both = response.status_code == 400 and pointers == {"/query/limit", "/query/open_at"}
    story.claim("she gets a 400 that names both fields", both, response)
    story.claim("with a remedy for each", bool(errors) and all(error["remedy"] for error in errors), response)
    for error in errors:
        story.note(f"{error['pointer']}: {error['remedy']}")
    story.claim("no service heard of it", len(await walk.witnesses.all_received()) == before)


async def rehearsal(walk: Walk) -> tuple[str, dict[str, Any]]:
    """A rehearsed booking lists what it would do, and does nothing. Gives its place, and what it says of itself."""
    story = walk.story
    story.chapter("Anna rehearses: the look-up, then a booking")
    look = await walk.call("anna", "GET", f"/rehearse{_SUGGESTIONS}", params={"open_at": rfc3339(walk.at)})
    left_out = (await walk.described(look, "anna")).get("left_out", [])
    story.claim(
        "the look-up lists what was left out, salary, address and IBAN too", set(left_out) >= _LEFT_OUT, left_out
    )
    before, place = await walk.witnesses.bookings(), str(look.json()[1]["place_id"])
    told = await walk.call("anna", "POST", f"/rehearse{_BOOKINGS}", json=walk.wanted(place))
    story.claim("the booking answers as a real one would: 201", told.status_code == 201, told)
    document = await walk.described(told, "anna")
    _check_effect(walk, document, place)
    after = await walk.witnesses.bookings()
    story.claim(f"the tables service holds as many bookings as before: {before}", after == before, after)
    story.claim("and was sent no write", not await _writes(walk))
    return place, document


def _check_effect(walk: Walk, document: dict[str, Any], place: str) -> None:
    effects = document.get("effects", [])
    shown = {"/booking/place_id": place, "/booking/seats": SEATS, "/booking/team_id": TEAM}
    one = len(effects) == 1 and effects[0]["operation"] == "Tables.book"
    listed = one and shown.items() <= effects[0]["arguments"].items()
    walk.story.claim("it lists its one effect with team, place and seats", listed, effects)
    walk.story.claim("and its price", one and effects[0]["price"] == "0.05 EUR", effects)
    walk.story.claim("what it would cost in all", document.get("price", {}).get("asked") == "0.05 EUR", document)
    for effect in effects:
        walk.story.note(f"{effect['operation']}  {effect['method']} {effect['path']}  {effect['price']}")


async def _writes(walk: Walk) -> list[Request]:
    return [request for request in await walk.witnesses.received("tables") if request.method != "GET"]


async def stopped(walk: Walk, place: str, document: dict[str, Any]) -> None:
    """Nothing that the copilot holds lets it book: not a token, not the receipt. Only Anna herself does."""
    story, before, wanted = walk.story, await walk.witnesses.bookings(), walk.wanted(place)
    story.chapter("The copilot would book that for real: it is stopped until Anna confirms it herself")
    bare = await walk.call("anna", "POST", _BOOKINGS, json=wanted)
    story.claim("without a rehearsal's receipt it is refused: 428", _is(bare, 428, "receipt-required"), bare)
    tried = await walk.commit("anna", "POST", _BOOKINGS, document, json=wanted)
    url = str(document.get("confirm_url"))
    where = _is(tried, 428, "confirmation-required") and tried.json().get("confirm_url") == url
    story.claim("with it too: 428, which says where Anna confirms", where, tried)
    story.note(str(tried.json().get("remedy")))
    asked = f"/confirmations/{document.get('id')}"
    own = await walk.call("anna", "POST", asked, json={"decision": "allow"}, headers=_FROM_THE_PAGE | walk.origin())
    story.claim("the copilot cannot confirm it with Anna's token: 401", own.status_code == 401, own)
    await _another_confirms(walk, url)
    await _anna_confirms(walk, url, document)
    same = await walk.witnesses.bookings() == before and not await _writes(walk)
    story.claim(f"all the while no write was sent, and there are as many bookings as before: {before}", same)


async def _another_confirms(walk: Walk, url: str) -> None:
    async with Confirming(url) as page:
        await page.sign_in("ben", world.password("ben"))
        seen, decided = await page.read(), await page.decide()
    both = seen.status_code == decided.status_code == 404
    walk.story.claim("Ben, of the same team, signs in there: he sees nothing and confirms nothing, 404", both, decided)


async def _anna_confirms(walk: Walk, url: str, document: dict[str, Any]) -> None:
    story = walk.story
    async with Confirming(url) as page:
        await page.sign_in("anna", world.password("anna"))
        seen = await page.read()
        foreign = await page.decide(headers={"Sec-Fetch-Site": "cross-site"})
        decided = await page.decide()
    for answer in (seen, foreign, decided):
        walk.keep("anna", answer)
    shown = seen.json()
    same = shown.get("effects") == document.get("effects") and shown.get("state") == "open"
    story.claim("Anna signs in there and reads the very effects that were rehearsed", same, seen)
    story.note(f"{shown.get('program', {}).get('id')} asks: {shown.get('summary')} {shown.get('price')}")
    story.claim("a page elsewhere, in her browser, could not confirm it: 403", foreign.status_code == 403, foreign)
    story.claim("she confirms it", decided.status_code == 200 and decided.json()["state"] == "confirmed", decided)


def _is(response: httpx.Response, status: int, problem: str) -> bool:
    return response.status_code == status and str(response.json().get("type")).endswith(f":{problem}")


async def booking(walk: Walk, place: str, document: dict[str, Any]) -> None:
    """What was confirmed happens, once; and who may cancel it."""
    story, before = walk.story, await walk.witnesses.bookings()
    story.chapter("Now the copilot's same request goes through, once")
    booked = await walk.commit("anna", "POST", _BOOKINGS, document, json=walk.wanted(place))
    after = await walk.witnesses.bookings()
    story.claim("it books: 201", booked.status_code == 201, booked)
    story.claim(f"the tables service holds exactly one more: {after}", after == before + 1, after)
    writes = [(it.method, it.subject, it.audience, it.scopes) for it in await _writes(walk)]
    once = [("POST", "anna", ["tables-api"], ["bookings:write"])]
    story.claim(
        "it came as one write, in Anna's name, with bookings:write for tables-api alone", writes == once, writes
    )
    again = await walk.commit("anna", "POST", _BOOKINGS, document, json=walk.wanted(place))
    spent = _is(again, 409, "receipt-refused") and again.json().get("reason") == "spent"
    story.claim("the same receipt again is refused: 409", spent, again)
    story.claim("so there is still one", await walk.witnesses.bookings() == after)
    await _cancelling(walk, f"/bookings/{booked.json().get('id')}", after)


async def _cancelling(walk: Walk, path: str, before: int) -> None:
    story = walk.story
    story.chapter("Lena, who organises another team, would cancel it")
    foreign, absent = [await walk.call("lena", "DELETE", it) for it in (path, "/bookings/booking-4711")]
    story.claim("she is denied: 403", foreign.status_code == 403, foreign)
    story.note(reason(foreign))
    story.claim("she cannot tell it from a booking that does not exist", same_but_for_trace(foreign, absent), absent)
    story.claim("the booking is still there", await walk.witnesses.bookings() == before)
    document = await walk.rehearsed("anna", "DELETE", path)
    await walk.confirm("anna", str(document.get("confirm_url")))
    cancelled = await walk.commit("anna", "DELETE", path, document)
    gone = await walk.witnesses.bookings() == before - 1
    story.claim(
        "Anna, who organises the team, rehearses, confirms and cancels it: 204, and it is gone",
        cancelled.status_code == 204 and gone,
        cancelled,
    )


async def copilot(walk: Walk, root: Path) -> str:
    """The desktop copilot as a program, and one trace through all programs. Gives what it printed."""
    story, before = walk.story, await walk.witnesses.bookings()
    story.chapter("The desktop copilot, a program of its own: looks, rehearses, shows the effects, is stopped, books")
    command = ["-m", "examples.where2eat.copilot", "--server", walk.addresses.origin, "--as", "emil", "--yes"]
    command += ["--at", walk.at.isoformat(), "--pick", "2", "--spans", str(walk.folder / "copilot.spans")]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    printed, url = await _until_stopped(walk, process)
    waits = process.returncode is None and await walk.witnesses.bookings() == before
    story.claim("it waits, and nothing is booked", bool(url) and waits, printed)
    confirmed = await walk.confirm("emil", url) if url else {}
    story.note(f"Emil confirms it in his browser: {confirmed.get('state')}")
    printed += _noted(walk, (await process.communicate())[0].decode())
    shown = "Tables.book" in printed and "0.05 EUR" in printed
    story.claim("it ends well, having shown the effect and its price", process.returncode == 0 and shown)
    story.claim("it booked once", await walk.witnesses.bookings() == before + 1)
    seen = (await walk.witnesses.received("people"))[-1]
    story.claim("the people service saw it as the actor behind the BFF", world.COPILOT_CLIENT in seen.actors[1:], seen)
    _check_trace(walk, spans(walk.folder))
    return printed


async def _until_stopped(walk: Walk, process: asyncio.subprocess.Process) -> tuple[str, str]:
    """What it prints until it says where to confirm, and that place; it is empty when it ends before."""
    printed, found = "", None
    while found is None and process.stdout and (line := (await process.stdout.readline()).decode()):
        printed += _noted(walk, line)
        found = _CONFIRM.search(line)
    return printed, found[1] if found else ""


def _noted(walk: Walk, text: str) -> str:
    for line in text.splitlines():
        walk.story.note(f"| {line}")
    return text


def _check_trace(walk: Walk, found: list[Span]) -> None:
    first = next((span for span in found if span.file == "copilot" and span.parent_id is None), None)
    trace = [span for span in found if first and span.trace_id == first.trace_id]
    files = sorted({span.file for span in trace})
    walk.story.claim(
        "one trace leads from the copilot through the BFF to all three services", files == _PROGRAMS, files
    )
    write = next((span for span in trace if span.file == "tables" and span.name == "POST /bookings"), None)
    way = [write, *ancestors(trace, write)] if write else []
    home = bool(way) and way[-1] == first
    walk.story.claim("from the service's span of the booking, parent by parent, back to the copilot's first", home, way)
    for span in way:
        walk.story.note(f"{span.file:<8} {span.name}")


async def export(walk: Walk) -> None:
    """Not even the BFF's own credentials get more than the BFF was given."""
    story = walk.story
    story.chapter("Somebody has got the BFF's own credentials, and asks for data:export with Anna's token")
    response = await walk.exchange("anna", "profiles:read data:export")
    refused = response.status_code == 400 and response.json().get("error") == "invalid_scope"
    story.claim("the authorization server refuses: invalid_scope", refused, response.status_code)
    lines = [line for line in json_lines(walk.folder / "authority.log") if line["event"] == "scope_refused"]
    wanted = {"client_id": world.BFF_CLIENT, "scope": "data:export", "subject": "anna"}
    stands = [line for line in lines if wanted.items() <= line.items()]
    story.claim("it stands in the structured log", len(stands) == 1, lines)
    for line in stands:
        story.note(str(line))


async def nothing_leaked(walk: Walk, printed: str) -> None:
    """What must be nowhere is looked for everywhere; a control shows that the search would find it."""
    story = walk.story
    story.chapter("What must be nowhere, looked for in every answer, log and trace")
    outbound = {request.token_sha256 for request in await walk.witnesses.all_received()}
    texts = {**written(walk.folder), "the copilot's output": printed}
    texts |= {f"answer {number}": text for number, text in enumerate(walk.answers.texts, 1)}
    values = undeclared()
    await _control(walk, values)
    found = leaks(values, texts) + _on_pages(walk, values)
    looked_through = len(texts) + len(walk.pages)
    sought = f"{len(values)} salaries, addresses, IBANs and the like in {looked_through} answers, logs and traces"
    story.claim(f"none of {sought}", bool(walk.answers.texts) and not found, found[:5])
    inbound = digests(list(walk.tokens.values()))
    apart = bool(outbound) and None not in outbound and not inbound & outbound
    story.claim(f"no token that came in went out: {len(inbound)} came in, {len(outbound)} others went out", apart)
    hidden = [walk.secret, *walk.tokens.values(), *map(world.password, {*walk.tokens, "ben", "emil"})]
    held = [where for where, text in texts.items() if _BEARER.search(text) or any(it in text for it in hidden)]
    story.claim("no token, password or client secret stands in any of them", not held, held)


def _on_pages(walk: Walk, values: dict[str, str]) -> list[str]:
    """What the confirmation page showed to somebody; it calls them by their own name, as their token does."""
    found = []
    for who, text in walk.pages:
        others = {value: whose for value, whose in values.items() if whose != f"{who}'s name"}
        found += leaks(others, {f"the page of {who}": text})
    return found


async def _control(walk: Walk, values: dict[str, str]) -> None:
    """The directory does send what no endpoint declares, so a search that finds nothing means something."""
    token = (await walk.exchange("anna", "profiles:read")).json()["access_token"]
    url = f"{walk.addresses.people}/teams/{TEAM}"
    raw = await walk.client.get(url, headers={"authorization": f"Bearer {token}"})
    known, members = leaks(values, {"it": raw.text}), len(staff.teams()[0].members)
    enough = len(known) >= 9 * members
    walk.story.claim(f"a control: the directory itself does send {len(known)} such values for the team", enough, raw)
