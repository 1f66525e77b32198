"""Case 86: the pages of `narrows dev`, attacked by other pages, by rebound names and without the secret."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.unit.devkit.dev.trial import Visitor, make_run, make_stage, visiting

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATHS = [
    "/dev", "/dev/", "/dev/endpoints/trial.book", "/dev/page/app.js", "/dev/page/index.html", "/dev/api/state",
    "/dev/api/board", "/dev/api/endpoints/trial.book", "/dev/api/traces/x", "/dev/nothing",
]  # fmt: skip
WANTED = {"person": "member", "program": "dev-partner"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def visitor(tmp_path_factory: Any) -> AsyncIterator[Visitor]:
    """Somebody who holds the secret."""
    async with visiting(make_stage(tmp_path_factory.mktemp("dev"))) as made:
        yield made


def gives_nothing(answer: httpx.Response) -> None:
    """A refusal shows no person, no password, no token and no script, and lets no other origin read it."""
    assert 400 <= answer.status_code < 500, answer.status_code
    for secret in ("password", "member-", "eyJ", "import {", "trial.book", "refusals"):
        assert secret not in answer.text
    assert "set-cookie" not in answer.headers
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("path", PATHS)
async def test_case_86_without_the_secret_there_is_nothing(visitor: Visitor, path: str) -> None:
    """Neither pages nor scripts nor data are shown to who has not opened the link."""
    for cookie in ("", "x=y", f"{visitor.cookie}x", visitor.cookie[:-1], visitor.cookie.replace("8000", "8001")):
        answer = await visitor.http.get(path, headers={"cookie": cookie})
        assert answer.status_code == 403
        gives_nothing(answer)


@pytest.mark.parametrize("secret", ["", "x", "..", "%00", "\u00fc"])
async def test_case_86_a_guessed_link_brings_no_cookie(visitor: Visitor, secret: str) -> None:
    """Only the whole secret does, and the cookie is not the secret."""
    gives_nothing(await visitor.http.get(f"/dev/enter/{secret}"))
    gives_nothing(await visitor.http.get(visitor.run.link[:-1]))
    gives_nothing(await visitor.http.get(f"{visitor.run.link}/more"))
    gives_nothing(await visitor.http.get(f"/dev/enter/{visitor.cookie.partition('=')[2]}"))


async def test_case_86_the_secret_of_another_start_is_none(visitor: Visitor, tmp_path: Path) -> None:
    """An old link or cookie opens nothing."""
    other = make_run(tmp_path)
    gives_nothing(await visitor.http.get(other.link))
    name = visitor.cookie.partition("=")[0]
    gives_nothing(await visitor.http.get("/dev/", headers={"cookie": f"{name}={other.derive('session')}"}))


@pytest.mark.parametrize(
    "host",
    ["evil.test", "evil.test:8000", "localhost:8000", "127.0.0.1", "127.0.0.1:80", "127.0.0.1.evil.test:8000",
     "[::1]:8000", "127.1:8000", "0.0.0.0:8000", "", "127.0.0.1:8000.evil.test", "127.0.0.1:8000,evil.test"],
)  # fmt: skip
async def test_case_86_a_rebound_name_reaches_nothing(visitor: Visitor, host: str) -> None:
    """A page whose name was made to point here is refused even with the secret, on every path."""
    for path in (*PATHS, visitor.run.link.removeprefix(visitor.run.origin)):
        answer = await visitor.get(path, host=host)
        assert answer.status_code == 421
        gives_nothing(answer)
    answer = await visitor.post(WANTED, host=host)
    assert answer.status_code == 421


CROSS: list[dict[str, str]] = [
    {"origin": "https://evil.test"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:8001"},
    {"origin": "http://127.0.0.1"},
    {"origin": "http://localhost:8000"},
    {"origin": "https://127.0.0.1:8000"},
    {"origin": "http://127.0.0.1:8000.evil.test"},
    {"origin": ""},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "anything"},
]


@pytest.mark.parametrize("headers", CROSS)
async def test_case_86_another_origin_gets_no_token(visitor: Visitor, headers: dict[str, str]) -> None:
    """A cross-origin POST is refused although the browser might send the cookie with it."""
    answer = await visitor.post(WANTED, **headers)
    assert answer.status_code == 403
    gives_nothing(answer)
    assert (await visitor.get("/dev/api/board", **headers)).status_code == 403


async def test_case_86_a_post_without_an_origin_is_refused(visitor: Visitor) -> None:
    """Every browser names its origin when it posts."""
    answer = await visitor.http.post("/dev/api/token", json=WANTED, headers={"cookie": visitor.cookie})
    assert answer.status_code == 403


async def test_case_86_a_header_that_decides_comes_once(visitor: Visitor) -> None:
    """Two hosts, origins or cookies are not resolved in somebody's favour."""
    for name, value in (("host", "evil.test"), ("origin", "https://evil.test"), ("cookie", "a=b")):
        own = {"host": "127.0.0.1:8000", "origin": visitor.run.origin, "cookie": visitor.cookie}
        headers = [*own.items(), (name, value)]
        gives_nothing(await visitor.http.get("/dev/api/board", headers=headers))


@pytest.mark.parametrize(
    "name",
    ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-anything", "forwarded", "via",
     "x-real-ip", "x-original-url", "x-original-host", "x-rewrite-url", "x-host"],
)  # fmt: skip
async def test_case_86_a_forwarded_request_is_refused(visitor: Visitor, name: str) -> None:
    """No proxy makes the pages of one machine reachable for others."""
    for answer in (await visitor.get("/dev/", **{name: "127.0.0.1"}), await visitor.post(WANTED, **{name: "x"})):
        assert answer.status_code == 400
        gives_nothing(answer)


async def test_case_86_a_preflight_allows_nothing(visitor: Visitor) -> None:
    """No answer lets another origin send or read."""
    asked = {"origin": "https://evil.test", "access-control-request-method": "POST", "cookie": visitor.cookie}
    gives_nothing(await visitor.http.options("/dev/api/token", headers=asked))


async def test_case_86_a_made_up_person_is_no_way_around_the_guards(visitor: Visitor) -> None:
    """The pages give tokens; what these may do is decided by the BFF as for anybody."""
    assert (await visitor.call("stranger", "GET", "/teams/7/bookings")).status_code == 403
    assert (await visitor.get("/teams/7/bookings")).status_code == 401


async def test_case_86_the_own_page_is_served(visitor: Visitor) -> None:
    """What the refused requests differ from is answered."""
    own = {"origin": visitor.run.origin, "sec-fetch-site": "same-origin"}
    assert (await visitor.get("/dev/api/board", **own)).status_code == 200
    assert (await visitor.post(WANTED, **own)).status_code == 200
