"""The chapter about scripts that run away: one is stopped by its rate, one by its budget, and what is left is exact."""

import asyncio
import json
import os
import re
import secrets
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from narrows.devkit import browser
from narrows.devkit.pkce import challenge, new_verifier

from . import world
from .client import rfc3339
from .demo_walk import TEAM, Walk
from .loopback import discover

_SUGGESTIONS = f"/teams/{TEAM}/dining-suggestions"
_BOOKINGS = f"/teams/{TEAM}/bookings"
_TARGET = "bffs.where2eat.app:bff"
_RATE, _TRIES = 30, 40
_LEFT = re.compile(r'"30/minute per caller";r=(\d+)')


async def runaways(walk: Walk, root: Path, place: str) -> None:
    """Two scripts with tokens of the page: Ben's looks up without end, Chloe's books without end."""
    for who in ("ben", "chloe"):
        walk.tokens[who] = await _token_of_the_page(walk, who)
    answers = await _looks_up(walk)
    answers += await _books(walk, place)
    await _what_is_left(walk, root, answers)


async def _looks_up(walk: Walk) -> list[httpx.Response]:
    story = walk.story
    story.chapter(f"A script of Ben's looks up {_TRIES} times at once: the rate stops it")
    answers = await asyncio.gather(*(walk.call("ben", "GET", _SUGGESTIONS) for _ in range(_TRIES)))
    passed = [answer for answer in answers if answer.status_code == 200]
    stopped = [answer for answer in answers if answer.status_code == 429]
    exact = len(passed) == _RATE and len(stopped) == _TRIES - _RATE
    statuses = [answer.status_code for answer in answers]
    story.claim(
        f"exactly {len(passed)} pass, the other {len(stopped)} read 429 and when to come again", exact, statuses
    )
    told = sorted(int(found[1]) for it in passed if (found := _LEFT.search(it.headers.get("ratelimit", ""))))
    story.claim("their headers count down what is left of the rate, from 29 to 0", told == list(range(_RATE)), told)
    named = all("30/minute per caller" in str(it.json().get("violated-policies")) for it in stopped)
    waits = all(1 <= int(it.headers["retry-after"]) <= 60 for it in stopped)
    story.claim("each names the rate that is used up", bool(stopped) and named and waits, stopped[:1])
    return passed


async def _books(walk: Walk, place: str) -> list[httpx.Response]:
    story, before = walk.story, await walk.witnesses.bookings()
    story.chapter("A script of Chloe's rehearses and books without end: the budget stops it")
    answers, refused = [], None
    for day in range(1, 6):
        wanted = {**walk.wanted(place), "starts_at": rfc3339(walk.at + timedelta(days=day))}
        rehearsed = await walk.call("chloe", "POST", f"/rehearse{_BOOKINGS}", json=wanted)
        read = await walk.read_again(rehearsed, "chloe")
        document: dict[str, Any] = {} if read is None else read.json()
        booked = await walk.commit("chloe", "POST", _BOOKINGS, document, json=wanted)
        # What was rehearsed and is read again goes out too, and counts.
        answers += [rehearsed] if read is None else [rehearsed, read]
        if booked.status_code != 201:
            refused = booked
            break
        answers.append(booked)
    after = await walk.witnesses.bookings()
    story.claim(
        f"four bookings of 0.05 EUR are made, out of 0.20 EUR a day: now there are {after}", after == before + 4
    )
    problem: dict[str, Any] = refused.json() if refused is not None else {}
    stopped = problem.get("status") == 402 and str(problem.get("type")).endswith(":budget-exhausted")
    story.claim("the fifth is refused before anything is sent: 402", stopped, problem)
    own = [one for one in problem.get("budgets", []) if one.get("of") == "caller"]
    amounts = [(one["remaining"], one["needed"]) for one in own]
    story.claim(
        "Chloe reads what is left of her own: 0.00 EUR, where 0.05 EUR is needed",
        amounts == [("0.00 EUR", "0.05 EUR")],
        problem,
    )
    story.claim(
        "its rehearsal, which costs nothing, had said so: the budget is short",
        document.get("budget") == "short",
        document,
    )
    return answers


async def _what_is_left(walk: Walk, root: Path, answers: list[httpx.Response]) -> None:
    story = walk.story
    story.chapter("An operator asks what is left: narrows usage")
    rows = json.loads(await _usage(walk, root, "--caller", "corp", "chloe", "--format", "json"))
    left = {(row["of"], row["budget"]): row["remaining"] for row in rows}
    for row in rows:
        story.note(f"{row['of']:<9}  {row['budget']:<24}  left {row['remaining']}")
    own, shared = left.get(("caller", "0.20 EUR/day per caller")), left.get(("connector", "5.00 EUR/day"))
    exact = (own, shared) == ("0.00 EUR", "4.80 EUR")
    story.claim("of money exactly what was not spent: 0.00 EUR of Chloe's own, 4.80 EUR of the page's", exact, left)
    taken = sum(len(answer.content) for answer in answers)
    size = left.get(("connector", "20 MB/day"))
    story.claim(f"of bytes all but the {taken} of its answers", size == f"{20_000_000 - taken} bytes", size)
    records = sum(max(1, _records(answer.json())) for answer in answers)
    count = left.get(("connector", "20000 records/day"))
    story.claim(f"of records all but the {records} in them", count == f"{20_000 - records} records", count)


def _records(value: Any) -> int:
    """The items of all lists in an answer; of a rehearsal those of its effects, with their arguments."""
    if isinstance(value, dict):
        if "effects" in value:
            return _records(value["effects"])
        return len(value.get("arguments", ())) + sum(map(_records, value.values()))
    return len(value) + sum(map(_records, value)) if isinstance(value, list) else 0


async def _usage(walk: Walk, root: Path, *arguments: str) -> str:
    """What an operator's command prints of the page."""
    addresses = walk.addresses
    upstreams = {"people": addresses.people, "places": addresses.places, "tables": addresses.tables}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "narrows.cli", "usage", _TARGET, "page", *arguments),
        cwd=root,
        env={**os.environ, **world.variables(addresses.origin, upstreams, walk.secret, folder=walk.folder)},
        stdout=subprocess.PIPE,
    )
    return (await process.communicate())[0].decode()


async def _token_of_the_page(walk: Walk, who: str) -> str:
    """A token as the page in somebody's browser gets it."""
    server = await discover(walk.client, walk.addresses.origin)
    verifier, redirect_uri = new_verifier(), f"{walk.addresses.origin}/"
    asked = {
        "response_type": "code",
        "client_id": world.PAGE_CLIENT,
        "redirect_uri": redirect_uri,
        "scope": " ".join(world.SCOPES),
        "state": secrets.token_urlsafe(16),
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
    }
    back = await browser.sign_in(f"{server.authorization_endpoint}?{urlencode(asked)}", who, world.password(who))
    form = {
        "grant_type": "authorization_code",
        "code": parse_qs(urlsplit(back).query)["code"][0],
        "redirect_uri": redirect_uri,
        "client_id": world.PAGE_CLIENT,
        "code_verifier": verifier,
    }
    answer = await walk.client.post(server.token_endpoint, data=form)
    return str(answer.json()["access_token"])
