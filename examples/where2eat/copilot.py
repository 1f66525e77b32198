"""A desktop copilot: signs a person in, looks for places, rehearses a booking, shows its effects, then books.

The BFF stops a copilot's booking until the person has confirmed it on the BFF's own page, which this program opens.
`python -m examples.where2eat.copilot --server http://127.0.0.1:8000` opens the browser to sign in; `--as anna` signs a
made-up person in without one. The access token stays in memory.
"""

import argparse
import asyncio
import sys
import webbrowser
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx
from opentelemetry.context import Context
from opentelemetry.trace import NoOpTracerProvider

from narrows.devkit import browser
from narrows.errors import NarrowsError

from . import world
from .client import Bff, Booking, NotConfirmed, Refused, Rehearsal, Suggestion, plain, rfc3339
from .loopback import SignInRefused, sign_in
from .serve import spans_to

DEFAULT_SERVER = "http://127.0.0.1:8000"
SALZBURG = ZoneInfo("Europe/Vienna")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_POLL_S = 1.0

Show = Callable[[str], Awaitable[None]]


def next_lunch(now: datetime) -> datetime:
    """Half past twelve on the next working day, in Salzburg."""
    day = now.astimezone(SALZBURG) + timedelta(days=1)
    while day.weekday() > 4:
        day += timedelta(days=1)
    return day.replace(hour=12, minute=30, second=0, microsecond=0)


def show_suggestions(found: Sequence[Suggestion]) -> None:
    """Print the places as a table."""
    for number, place in enumerate(found, 1):
        food = ", ".join(kind.replace("_", " ") for kind in place.cuisine) or "-"
        diets = " ".join(name for name, served in (("vegetarian", place.vegetarian), ("vegan", place.vegan)) if served)
        _say(f"  {number}. {place.name[:32]:<32} {place.distance_m:>5} m  {diets:<17} {food[:40]}")


def show_rehearsal(rehearsal: Rehearsal) -> None:
    """Print the effects and prices of a rehearsal."""
    for effect in rehearsal.effects:
        _say(f"  effect    {effect.operation}: {effect.method} {effect.path}   {effect.price or 'free of charge'}")
        for pointer, value in effect.arguments.items():
            _say(f"            {pointer.rpartition('/')[2]:<12} {_shown(value)}")
    asked, ceiling = (rehearsal.price.get(name) or "nothing" for name in ("asked", "ceiling"))
    _say(f"  price     {asked}, never more than {ceiling}")
    _say(f"  left out  {', '.join(rehearsal.left_out) or 'nothing'}")
    _say(f"  trace     {rehearsal.trace_id}")


def _shown(value: Any) -> str:
    """A value that came from here is shown; all else by its type."""
    if isinstance(value, dict):
        return f"({value['type']}, {'known only afterwards' if value.get('stand_in') else 'not shown'})"
    return str(value) or "(empty)"


def _say(line: str) -> None:
    print(plain(line))


async def lunch(bff: Bff, arguments: argparse.Namespace, agreed: Callable[[], Awaitable[bool]], show: Show) -> None:
    """Look, rehearse, ask, and book; `show` opens the page on which the person confirms. Raises `Refused`."""
    at: datetime = arguments.at
    print(f"\nWhere team {arguments.team} can eat, open at {at:%A %d %B %Y %H:%M}:")
    found = await bff.suggestions(arguments.team, at, 5)
    show_suggestions(found)
    if not 1 <= arguments.pick <= len(found):
        raise Refused("There is no such suggestion to pick.")
    place = found[arguments.pick - 1]
    wanted = {"place_id": place.place_id, "starts_at": rfc3339(at), "seats": arguments.seats}
    if arguments.note:
        wanted["note"] = arguments.note
    _say(f"\nRehearsal: a table for {arguments.seats} at {place.name}. Nothing is booked by this.")
    rehearsal = await bff.rehearse_booking(arguments.team, wanted)
    show_rehearsal(rehearsal)
    if not await agreed():
        print("\nNothing was booked.")
        return
    booking = await _book(bff, arguments, wanted, rehearsal, show)
    when = f"{booking.starts_at.astimezone(at.tzinfo):%A %d %B %H:%M}"
    _say(f"\nBooked: {booking.id}, {place.name}, {booking.seats} seats, {when}.")


async def _book(
    bff: Bff, arguments: argparse.Namespace, wanted: dict[str, Any], rehearsal: Rehearsal, show: Show
) -> Booking:
    """Book; when the BFF stops it, wait until the person has confirmed, and book then. Raises `Refused`."""
    receipt = rehearsal.receipt or ""
    try:
        return await bff.book(arguments.team, wanted, receipt)
    except NotConfirmed as stopped:
        _say(f"\nStopped: {stopped}")
        print(f"Confirm it here: {stopped.url}", flush=True)
        await show(stopped.url)
    await _confirmed(bff, rehearsal.id, arguments.wait)
    return await bff.book(arguments.team, wanted, receipt)


async def _confirmed(bff: Bff, rehearsal_id: str, wait_s: float) -> None:
    """Wait for the person's decision; only a person in a browser can make it. Raises `Refused`."""
    for _ in range(max(1, round(wait_s / _POLL_S))):
        decided = (await bff.rehearsal(rehearsal_id)).confirmation
        if decided == "confirmed":
            return
        if decided != "open":
            raise Refused("You did not allow it, so nothing was booked.")
        await asyncio.sleep(_POLL_S)
    raise Refused("It was not confirmed in time, so nothing was booked.")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=SALZBURG)


def _server(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise argparse.ArgumentTypeError("must be https, or http on this machine")
    return text.rstrip("/")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m examples.where2eat.copilot", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--server", type=_server, default=DEFAULT_SERVER, help="where the BFF is")
    parser.add_argument("--team", type=int, default=7)
    parser.add_argument("--at", type=_moment, default=next_lunch(datetime.now(UTC)), help="ISO 8601, in Salzburg")
    parser.add_argument("--pick", type=int, default=1, help="number of the suggestion to book")
    parser.add_argument("--seats", type=int, default=6)
    parser.add_argument("--note", default="")
    parser.add_argument("--as", dest="person", metavar="NAME", help="sign a made-up person in without a browser")
    parser.add_argument("--yes", action="store_true", help="book without asking here; the BFF's page asks in any case")
    parser.add_argument("--wait", type=float, default=300.0, help="seconds to wait for the person to confirm")
    parser.add_argument("--spans", help="file for the spans, or URL of a collector (OTLP); else none are kept")
    parser.add_argument("--print-token", action="store_true", help="print an access token for curl, and do no more")
    return parser.parse_args(argv)


async def _ask() -> bool:
    try:
        answer = await asyncio.to_thread(input, "\nBook it? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in {"y", "yes"}


async def _agreed() -> bool:
    return True


async def _open(url: str) -> None:
    await asyncio.to_thread(webbrowser.open, url)


async def _nowhere(_: str) -> None:
    """A made-up person has no browser of this program's: it waits for whoever opens the page."""


def opener(client: httpx.AsyncClient, person: str | None) -> Callable[[str], Awaitable[None]]:
    """What shows the sign-in page: the person's browser, or one without a person before it."""

    async def in_browser(url: str) -> None:
        print(f"Sign in with your browser. If it does not open: {url}", file=sys.stderr)
        await asyncio.to_thread(webbrowser.open, url)

    async def without(url: str) -> None:
        back = await browser.sign_in(url, str(person), world.password(str(person)))
        await client.get(back)

    return without if person else in_browser


async def run(arguments: argparse.Namespace) -> None:
    """Sign in, then do what was asked for. Raises `Refused`, `SignInRefused` and `NarrowsError`."""
    spans = spans_to(arguments.spans, "copilot") if arguments.spans else NoOpTracerProvider()
    tracer = spans.get_tracer("examples.where2eat.copilot")
    async with httpx.AsyncClient(trust_env=False, timeout=20.0) as client:
        show = opener(client, arguments.person)
        token = await sign_in(client, arguments.server, world.COPILOT_CLIENT, world.SCOPES, show)
        if arguments.print_token:
            print(token.access_token)
            return
        print(f"Signed in for {token.expires_in // 60} minutes; the token stays in memory.")
        bff = Bff(client, arguments.server, token.access_token, tracer)
        with tracer.start_as_current_span("copilot lunch", context=Context()):
            await lunch(bff, arguments, _agreed if arguments.yes else _ask, _nowhere if arguments.person else _open)


def main(argv: Sequence[str] | None = None) -> None:
    """Run once; exits with 1 and the reason if it is refused."""
    try:
        asyncio.run(run(_arguments(argv)))
    except (Refused, SignInRefused, NarrowsError) as error:
        raise SystemExit(str(error)) from None
    except httpx.TransportError:
        raise SystemExit("The server cannot be reached. Is `make dev` running?") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
