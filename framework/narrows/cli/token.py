"""`narrows token`: an access token of a running `narrows dev`, for curl."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import click

from narrows.cli.saying import say


@click.command("token", short_help="Print a token of a running narrows dev, for curl.")
@click.argument("person")
@click.option("--program", default="dev-low-code", show_default=True, help="The program that the token is given to.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8000, show_default=True, help="That of narrows dev.")
def command(person: str, program: str, port: int) -> None:
    """Print an access token of PERSON, one of the made-up people of a `narrows dev` that you have running.

    \b
    Examples:
      narrows token member
      narrows token member --program desks-page --port 8001

    \b
    TOKEN=$(narrows token member --program desks-page)
    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/sandbox/teams/7/items
    """
    from narrows.devkit.dev.running import link_of

    say(token_of(link_of(port), person, program))


def token_of(link: str, person: str, program: str, transport: Any = None) -> str:
    """Ask the running pages for a token, as their own script does.

    `transport` is httpx's, for tests. Raises `NarrowsError` for a person or program that is not there, and when
    nothing answers.
    """
    import httpx

    from narrows.errors import NarrowsError

    origin = "http://" + urlsplit(link).netloc
    try:
        # No proxy of the environment: what is asked for here never leaves the machine.
        with httpx.Client(base_url=origin, trust_env=False, transport=transport) as client:
            cookie = client.get(link).headers.get("set-cookie", "").partition(";")[0]
            known = {"cookie": cookie, "origin": origin}
            client.cookies.clear()
            answer = client.post("/dev/api/token", json={"person": person, "program": program}, headers=known)
            if answer.is_success:
                return str(answer.json()["token"])
            board = client.get("/dev/api/board", headers=known)
    except httpx.TransportError:
        raise NarrowsError(f"nothing answers on {origin}. Remedy: start `narrows dev` again.") from None
    if not board.is_success:
        raise NarrowsError(f"the BFF on {origin} did not start. Remedy: see in its terminal why.")
    people, programs = (", ".join(one["name"] for one in board.json()[what]) for what in ("people", "programs"))
    raise NarrowsError(
        f"there is no {person!r} with {program!r}. Remedy: people are {people}; programs are {programs}."
    )
