"""`narrows dev` within the process: people, upstreams and data are made up, and every call takes the one pipeline."""

from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from bffs.where2eat.app import bff as where2eat
from narrows.devkit.browser import SignInFailed, sign_in
from narrows.devkit.dev.arrange import arrange
from narrows.devkit.dev.stage import Stage
from narrows.devkit.pkce import challenge, new_verifier
from narrows.errors import ConnectorError, Refusal
from tests.unit.devkit.dev.trial import NOTHING_THERE, filled, make_run, make_stage, make_trial, visiting

SEATS = {"seats": 2, "starts_at": "2027-01-01T12:00:00Z", "contact": {"name": "Ann"}}


async def test_the_link_leads_to_the_pages(tmp_path):
    """The secret of the link becomes a cookie for this origin alone, which no script reads."""
    async with visiting(make_stage(tmp_path)) as visitor:
        entered = await visitor.http.get(visitor.run.link)
        assert (entered.status_code, entered.headers["location"]) == (303, "/dev/")
        assert entered.headers["set-cookie"].startswith("__Host-Http-narrows-dev-8000=")
        assert entered.headers["set-cookie"].endswith("; Path=/; Secure; HttpOnly; SameSite=Strict")
        assert (await visitor.get("/dev/")).text.startswith("<!doctype html>")
        assert (await visitor.get("/dev/endpoints/trial.book")).text == (await visitor.get("/dev/")).text
        assert (await visitor.get("/dev")).headers["location"] == "/dev/"
        assert (await visitor.get("/dev/page/app.js")).headers["content-type"] == "text/javascript; charset=utf-8"


async def test_the_index_tells_what_is_made_up(tmp_path):
    """Facts, endpoints, upstreams, programs and people are those of the declarations."""
    async with visiting(make_stage(tmp_path)) as visitor:
        board = (await visitor.get("/dev/api/board")).json()
    assert board["facts"]["name"] == "trial"
    assert board["has_page"] is False
    assert [one["id"] for one in board["endpoints"]] == [
        "trial.bookings", "trial.book", "trial.cancel", "trial.chairs", "trial.about", "trial.everything",
    ]  # fmt: skip
    assert [(one["name"], one["real"]) for one in board["upstreams"]] == [
        ("Tables", False), ("Directory", False), ("Weather", True),
    ]  # fmt: skip
    assert {one["kind"] for one in board["programs"]} == {"low-code", "copilot", "partner", "service"}
    assert {one["name"]: one["holds"] for one in board["people"]} == {
        "the-chair": ["The Chair in team:7"],
        "chair": ["chair in team:7"],
        "member": ["member in bff:trial", "member in team:7"],
        "neighbour": ["The Chair in team:8", "chair in team:8", "member in bff:trial", "member in team:8"],
        "stranger": [],
    }
    assert board["issuers"] == ["development"]


@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
async def test_who_holds_the_role_is_answered_in_every_mode_and_a_stranger_in_none(tmp_path, base):
    """The made-up people meet the real guards, live too."""
    async with visiting(make_stage(tmp_path)) as visitor:
        asked = [
            ("member", "GET", f"{base}/teams/7/bookings"),
            ("member", "GET", f"{base}/about"),
            ("chair", "GET", f"{base}/chairs/7"),
            ("the-chair", "DELETE", f"{base}/bookings/b-1/lines/l-1"),
        ]
        for person, method, path in asked:
            assert (await visitor.call(person, method, path)).status_code in (200, 204), (person, path)
            if path != "/sandbox/chairs/7":  # the sandbox has no directory of roles to ask
                assert (await visitor.call("stranger", method, path)).status_code == 403, path
        assert (await visitor.call("neighbour", "GET", f"{base}/teams/8/bookings")).status_code == 200
        assert (await visitor.call("neighbour", "GET", f"{base}/teams/7/bookings")).status_code == 403


async def test_what_is_written_is_remembered(tmp_path):
    """A live booking stands in the list of its team and can be read; a cancelled one is gone from then on."""
    async with visiting(make_stage(tmp_path)) as visitor:
        before = (await visitor.call("member", "GET", "/teams/7/bookings")).json()
        made = await visitor.call("member", "POST", "/teams/7/bookings", json=SEATS)
        assert made.status_code == 201, made.text
        booking = made.json()
        assert (booking["team_id"], booking["seats"], booking["starts_at"]) == (7, 2, "2027-01-01T12:00:00Z")
        after = (await visitor.call("member", "GET", "/teams/7/bookings")).json()
        assert [one for one in after if one not in before] == [booking]
        path = f"/bookings/{booking['id']}/lines/l-1"
        assert (await visitor.call("the-chair", "DELETE", path)).status_code == 204
        assert (await visitor.call("member", "GET", "/teams/7/bookings")).json() == before
        assert (await visitor.call("the-chair", "DELETE", path)).status_code == 403


async def test_a_rehearsal_tells_effects_price_rate_and_trace(tmp_path):
    """What the page shows of a rehearsal comes from the rehearsal itself and from the trace of the call."""
    records = []
    async with visiting(make_stage(tmp_path, records=records)) as visitor:
        trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
        headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
        answer = await visitor.call(
            "member", "POST", "/rehearse/teams/7/bookings", "dev-low-code", json=SEATS, headers=headers
        )
        assert answer.status_code == 201
        link = answer.headers["link"].partition("<")[2].partition(">")[0]
        told = (await visitor.call("member", "GET", link, "dev-low-code")).json()
        assert [effect["operation"] for effect in told["effects"]] == ["Tables.book"]
        assert told["price"]["asked"] == "0.05 EUR"
        assert told["rates"] == [{"rate": "60/minute per caller", "remaining": 59}]
        trace = (await visitor.get(f"/dev/api/traces/{trace_id}")).json()
        assert [line["name"] for line in trace["lines"] if line["kind"] == "step"] == [
            "receive", "authenticate", "admit", "rate", "decode", "budget", "decide", "claim", "handle", "narrow",
            "volume",
        ]  # fmt: skip
        assert trace["lines"][0]["name"] == "POST /teams/{team_id}/bookings"
        assert trace["rates"] == told["rates"]
        assert any(b'"mode":"rehearse"' in line for line in records)


async def test_a_live_read_shows_its_operations_and_requests(tmp_path):
    """The waterfall has a line for each operation and for each request that it sent."""
    async with visiting(make_stage(tmp_path)) as visitor:
        trace_id = "4bf92f3577b34da6a3ce929d0e0e4737"
        headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
        assert (await visitor.call("member", "GET", "/teams/7/bookings", headers=headers)).status_code == 200
        trace = (await visitor.get(f"/dev/api/traces/{trace_id}")).json()
        found = {(line["kind"], line["name"]) for line in trace["lines"]}
        assert {("operation", "Tables.of_team"), ("request", "GET /teams/{team_id}/bookings")} <= found
        assert trace["price"] == "0.01 EUR"


async def test_the_form_of_an_endpoint_sends_what_the_endpoint_takes(tmp_path):
    """Every endpoint answers the example that its own form begins with."""
    stage = make_stage(tmp_path)
    async with visiting(stage) as visitor:
        for name in ("bookings", "book", "cancel", "chairs", "about"):
            view = (await visitor.get(f"/dev/api/endpoints/trial.{name}")).json()
            path, query, body = filled(view)
            more = {"params": query, **({"json": body} if body else {})}
            role = view["facts"]["roles"][0].lower().replace(" ", "-")
            answer = await visitor.call(role, view["brief"]["method"], f"/sandbox{path}", **more)
            assert answer.status_code < 300, (name, answer.text)
            assert view["live"] is True


async def test_the_people_sign_in_where_the_metadata_leads(tmp_path):
    """A page of the BFF finds the embedded issuer by the BFF's own metadata, as it finds a real one."""
    async with visiting(make_stage(tmp_path)) as visitor:
        resource = (await visitor.http.get("/.well-known/oauth-protected-resource")).json()
        assert resource["authorization_servers"] == ["http://127.0.0.1:8000/dev/as"]
        metadata = await visitor.http.get("/.well-known/oauth-authorization-server/dev/as")
        assert metadata.json()["token_endpoint"] == "http://127.0.0.1:8000/dev/as/token"
        assert (await visitor.http.get("/dev/as/jwks")).json()["keys"][0]["alg"] == "ES256"
        assert (await visitor.http.get("/.well-known/oauth-authorization-server/other")).status_code == 404


async def test_a_token_holds_after_a_reload(tmp_path):
    """A second start of the same run knows the tokens and the cookie of the first."""
    first = make_stage(tmp_path)
    async with visiting(first) as visitor:
        token, cookie = await visitor.token("member"), visitor.cookie
    run, bff = first.run, first.bff
    again = Stage(bff, arrange(bff, run, NOTHING_THERE, {}), run, [].append)
    async with visiting(again, generation=2) as visitor:
        assert visitor.cookie == cookie
        state = (await visitor.get("/dev/api/state")).json()
        assert state == {"generation": 2, "refusals": []}
        answer = await visitor.http.get("/teams/7/bookings", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 200


async def test_a_refused_start_is_shown_and_nothing_else_is_served(tmp_path):
    """The page tells every reason with its place and remedy, while the BFF's own paths answer 503."""
    reasons = [
        Refusal(code="rate-missing", subject="trial.a", where="app.py:7", rule="it has no rate", remedy="add it")
    ]
    heard = []
    async with visiting(None, make_run(tmp_path), reasons, started=heard.append) as visitor:
        state = (await visitor.get("/dev/api/state")).json()
        assert state["refusals"] == [
            {
                "code": "rate-missing",
                "subject": "trial.a",
                "where": "app.py:7",
                "rule": "it has no rate",
                "remedy": "add it",
            }
        ]
        assert (await visitor.http.get("/teams/7/bookings")).status_code == 503
        assert (await visitor.get("/dev/api/board")).status_code == 503
        assert (await visitor.post({"person": "member", "program": "dev-partner"})).status_code == 415
        assert (await visitor.get("/dev/")).status_code == 200
    assert heard == [reasons]


WHERE2EAT = Path(__file__).parents[2] / "bffs" / "where2eat" / "narrows.toml"


async def test_the_connectors_beside_the_bff_are_registered_and_can_be_tried(tmp_path):
    """Their records hold: what a record does not name is refused to its program."""
    async with visiting(make_stage(tmp_path, where2eat, settings=str(WHERE2EAT))) as visitor:
        programs = {one["name"]: one for one in (await visitor.get("/dev/api/board")).json()["programs"]}
        assert programs["page"] == {"name": "page", "kind": "low-code", "state": "live"}
        assert list(programs)[:2] == ["copilot", "page"]
        for program in ("page", "copilot", "dev-low-code"):
            answer = await visitor.call("member", "GET", "/teams/7/dining-suggestions", program)
            assert answer.status_code == 200, answer.text


async def test_a_record_that_its_template_does_not_allow_is_told_with_its_line(tmp_path):
    """As `narrows connector apply` would tell it: file, line, rule and remedy, on the page."""
    bff = make_trial()
    bff.folder = tmp_path
    (tmp_path / "connectors").mkdir()
    good = (WHERE2EAT.parent / "connectors" / "page.toml").read_text()
    (tmp_path / "connectors" / "page.toml").write_text(good.replace('issuer = "corp"', 'issuer = "development"'))
    stage = make_stage(tmp_path, bff)
    async with visiting(stage) as visitor:
        refusals = (await visitor.get("/dev/api/state")).json()["refusals"]
        assert len(refusals) > 1
        assert all("connectors/page.toml:" in one["where"] for one in refusals)
        assert all(one["remedy"] for one in refusals)
    (tmp_path / "connectors" / "page.toml").write_text("version = 1")
    with pytest.raises(ConnectorError):
        make_stage(tmp_path, bff)


async def test_a_made_up_person_signs_in_on_the_page_of_the_bff(tmp_path):
    """Name and password of the banner, at the embedded issuer, for the program that the files register."""
    async with visiting(make_stage(tmp_path, where2eat, settings=str(WHERE2EAT))) as visitor:
        people = {one["name"]: one["password"] for one in (await visitor.get("/dev/api/board")).json()["people"]}
        verifier, issuer = new_verifier(), f"{visitor.run.origin}/dev/as"
        asked = {
            "response_type": "code", "client_id": "where2eat-page", "redirect_uri": f"{visitor.run.origin}/",
            "scope": "dining:read", "state": "s",
            "code_challenge": challenge(verifier), "code_challenge_method": "S256",
        }  # fmt: skip
        transport = visitor.http._transport
        came = await sign_in(f"{issuer}/authorize?{urlencode(asked)}", "organiser", people["organiser"], transport)
        form = {
            "grant_type": "authorization_code", "client_id": "where2eat-page", "code_verifier": verifier,
            "redirect_uri": f"{visitor.run.origin}/", "code": parse_qs(urlsplit(came).query)["code"][0],
        }  # fmt: skip
        token = (await visitor.http.post(f"{issuer}/token", data=form)).json()["access_token"]
        headers = {"authorization": f"Bearer {token}"}
        assert (await visitor.http.get("/sandbox/teams/7/bookings", headers=headers)).status_code == 403  # organiser
        with pytest.raises(SignInFailed):
            await sign_in(f"{issuer}/authorize?{urlencode(asked)}", "organiser", "lunch-organiser", transport)


@pytest.mark.parametrize(("program", "status"), [("dev-partner", 201), ("dev-low-code", 428), ("dev-copilot", 428)])
async def test_a_live_write_must_do_what_the_kind_of_its_program_must(tmp_path, program, status):
    """What a low-code tool or a copilot sends without a receipt is refused here as anywhere."""
    async with visiting(make_stage(tmp_path)) as visitor:
        answer = await visitor.call("member", "POST", "/teams/7/bookings", program, json=SEATS)
        assert answer.status_code == status, answer.text
