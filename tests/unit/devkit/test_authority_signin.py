import re

import pytest

from narrows.devkit.authority import Client, Person
from narrows.devkit.browser import SignInFailed
from narrows.devkit.pkce import challenge, new_verifier
from tests.unit.devkit.world import (
    BFF,
    CLIENTS,
    ISSUER,
    PEOPLE,
    World,
    authorize_url,
    claims,
    code_form,
    parameters,
)  # fmt: skip


def proof(page):
    """The anti-forgery value of a page."""
    return re.search(r'name="proof" value="([^"]+)"', page.text)[1]


async def answer(world, url=None, **fields):
    """Open the page and send its form with these fields."""
    url = url or authorize_url()
    page = await world.http.get(url)
    return await world.http.post(url, data={"proof": proof(page), "decision": "allow", **fields})


async def test_a_person_signs_in_and_the_program_gets_a_token(world):
    """Sign-in, code, proof key and token fit together, and the token is the person's for the one audience."""
    verifier, came = await world.code()
    assert came["state"] == "st ate"
    assert came["iss"] == ISSUER
    answered = await world.post("/token", code_form(came["code"], verifier))
    assert answered.status_code == 200
    assert answered.headers["cache-control"] == "no-store"
    body = answered.json()
    found = claims(body.pop("access_token"))
    assert body == {"token_type": "Bearer", "expires_in": 300, "scope": "dining:read"}
    assert (found["sub"], found["aud"], found["client_id"]) == ("ann-1", BFF, "copilot")
    assert (found["roles"], found["auth_time"]) == (["member"], 1_800_000_000)


async def test_the_page_says_who_asks_for_what_and_works_from_the_keyboard(world):
    """Labels, order, focus, the scopes with their descriptions, and every text escaped."""
    page = (await world.http.get(authorize_url(scope="dining:read dining:book"))).text
    assert "Sign in to Lunch &lt;Copilot&gt;" in page
    assert "<li><code>dining:book</code>: Book a table</li>" in page
    assert page.index('id="username"') < page.index('id="password"') < page.index('value="allow"')
    assert page.index('value="allow"') < page.index('value="refuse"')
    assert '<label for="username">' in page
    assert '<label for="password">' in page
    assert re.search(r'<input id="username"[^>]* autofocus>', page)
    assert "tabindex" not in page
    assert '<html lang="en">' in page


async def test_the_page_loads_nothing_and_is_framed_by_nobody(world):
    """The policy forbids all but the one style, the own form and its redirect; nothing is stored."""
    page = await world.http.get(authorize_url())
    policy = page.headers["content-security-policy"]
    style = re.search(r"<style>(.*)</style>", page.text, re.DOTALL)[1]
    import base64
    import hashlib

    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self' http://127.0.0.1:54321; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"src=|href=|<script|url\(|@import", page.text)


async def test_the_cookie_is_only_for_this_page(world):
    """It is not readable by scripts, goes with no foreign request, and stays below the endpoint's path."""
    cookie = (await world.http.get(authorize_url())).headers["set-cookie"]
    assert re.fullmatch(
        r"narrows_sign_in=[A-Za-z0-9_-]{43}; Path=/as/authorize; Max-Age=600; HttpOnly; SameSite=Strict", cookie
    )
    again = (await world.http.get(authorize_url())).headers["set-cookie"]
    assert again == cookie


async def test_behind_https_the_cookie_is_secure():
    """With an https issuer the cookie goes over TLS only."""
    world = World(issuer="https://as.example")
    page = await world.http.get(authorize_url().replace(ISSUER, "https://as.example"))
    assert page.headers["set-cookie"].endswith("SameSite=Strict; Secure")


async def test_a_planted_cookie_of_another_form_is_replaced(world):
    """A cookie value that this server would not make is not used."""
    world.http.cookies.set("narrows_sign_in", "planted", path="/as/authorize")
    page = await world.http.get(authorize_url())
    assert "narrows_sign_in=planted" not in page.headers["set-cookie"]


async def test_a_form_from_elsewhere_is_refused(world):
    """Without this browser's cookie, with another request's proof or with another start's, nothing is signed in."""
    page = await world.http.get(authorize_url())
    good = {"proof": proof(page), "decision": "allow", "username": "ann", "password": "apple-pie"}
    other_query = await world.http.post(authorize_url(state="other"), data=good)
    no_proof = await world.http.post(authorize_url(), data={**good, "proof": ""})
    odd_proof = await world.http.post(authorize_url(), data={**good, "proof": "ä"})
    other_start = await World().http.post(authorize_url(), data=good, headers={"Cookie": page.headers["set-cookie"]})
    world.http.cookies.clear()
    no_cookie = await world.http.post(authorize_url(), data=good)
    answers = [other_query, no_proof, odd_proof, other_start, no_cookie]
    assert [answer.status_code for answer in answers] == [403] * 5
    assert all("forged_form" in answer.text for answer in answers)


async def test_a_form_that_is_no_form_is_refused(world):
    """Another content type is answered with a page that says so."""
    answered = await world.http.post(authorize_url(), json={})
    assert answered.status_code == 400
    assert "Content-Type must be" in answered.text


@pytest.mark.parametrize(
    "given",
    [
        {"username": "ann", "password": "wrong"},
        {"username": "nobody", "password": "apple-pie"},
        {"username": "cara", "password": "no password is kept here"},
        {"username": "cara", "password": ""},
        {"username": "ann"},
        {},
    ],
)
async def test_without_the_persons_password_nobody_is_signed_in(world, given):
    """A wrong name, a wrong password and a person without one get the same page again, and it is written down."""
    answered = await answer(world, **given)
    assert answered.status_code == 403
    assert 'role="alert"' in answered.text
    assert re.search(r'<input id="password"[^>]* autofocus>', answered.text)
    assert "set-cookie" not in answered.headers
    [line] = world.events("sign_in_refused")
    assert line["client_id"] == "copilot"
    assert "apple-pie" not in "".join(world.lines)


async def test_the_name_is_kept_and_escaped_when_the_page_comes_again(world):
    """What was typed stands in the field as text, and a second try with the right password works."""
    page = await answer(world, username='"><script>', password="x")
    assert 'value="&quot;&gt;&lt;script&gt;"' in page.text
    right = {"proof": proof(page), "decision": "allow", "username": "ann", "password": "apple-pie"}
    assert (await world.http.post(authorize_url(), data=right)).status_code == 303


async def test_a_person_can_refuse(world):
    """Refusing needs no password and sends the program an access_denied."""
    answered = await answer(world, decision="refuse")
    came = parameters(answered.headers["location"])
    assert answered.status_code == 303
    assert (came["error"], came["state"], came["iss"]) == ("access_denied", "st ate", ISSUER)
    assert "code" not in came
    assert not world.events("signed_in")


async def test_a_scope_outside_the_clients_is_refused_and_written_down(world):
    """`data:export` sends the program an invalid_scope, and one JSON line says who asked for what."""
    answered = await world.http.get(authorize_url(scope="dining:read data:export"))
    came = parameters(answered.headers["location"])
    assert answered.status_code == 303
    assert (came["error"], came["state"], came["iss"]) == ("invalid_scope", "st ate", ISSUER)
    [line] = world.events("scope_refused")
    assert line == {
        "event": "scope_refused", "time": 1_800_000_000.0, "client_id": "copilot", "scope": "data:export",
        "audience": BFF, "subject": None,
    }  # fmt: skip


async def test_a_scope_that_the_person_may_not_give_is_refused(world):
    """What is open to the client but not to the person is an invalid_scope after the sign-in."""
    answered = await answer(world, authorize_url(scope="dining:book"), username="bob", password="blue-berry")
    assert parameters(answered.headers["location"])["error"] == "invalid_scope"
    [line] = world.events("scope_refused")
    assert (line["subject"], line["scope"]) == ("bob-2", "dining:book")
    fine = await answer(world, authorize_url(), username="bob", password="blue-berry")
    assert "code" in parameters(fine.headers["location"])


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"scope": None}, "invalid_scope"),
        ({"scope": "unknown"}, "invalid_scope"),
        ({"audience": "api://people"}, "invalid_target"),
        ({"resource": "api://none"}, "invalid_target"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
    ],
)
async def test_a_request_that_does_not_hold_goes_back_to_the_program(world, changed, error):
    """With a known client and redirect URI the error goes there, with state and issuer."""
    answered = await world.http.get(authorize_url(**changed))
    came = parameters(answered.headers["location"])
    assert answered.headers["location"].startswith("http://127.0.0.1:54321/done?")
    assert (answered.status_code, came["error"], came["iss"]) == (303, error, ISSUER)


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": None},
        {"client_id": "nobody"},
        {"client_id": 'qu"ote'},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example/done"},
        {"redirect_uri": "http://127.0.0.1:5000@evil.example/done"},
        {"redirect_uri": "http://127.0.0.1:54321/dön"},
        {"redirect_uri": ["http://127.0.0.1:1/done", "http://127.0.0.1:2/done"]},
        {"state": ["a", "b"]},
        {"state": "ä"},
        {"client_id": "bff", "redirect_uri": "https://bff.example/"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nobody_is_sent_where_nothing_is_registered(world, changed, method):
    """With an unknown client, an unknown redirect URI or doubled parameters a page says so, and no redirect is sent."""
    answered = await world.http.request(method, authorize_url(**changed))
    assert answered.status_code == 400
    assert "This sign-in cannot go on" in answered.text
    assert "location" not in answered.headers
    assert "form-action 'none'" in answered.headers["content-security-policy"]


async def test_a_client_without_the_code_grant_gets_no_page():
    """A client that may not use codes is sent back with an error even if it has a redirect URI."""
    other = Client("svc", "svc-secret", redirect_uris=["https://svc.example/"], grants={"client_credentials"})
    world = World(clients=[*CLIENTS, other])
    answered = await world.http.get(authorize_url(client_id="svc", redirect_uri="https://svc.example/"))
    assert parameters(answered.headers["location"])["error"] == "unauthorized_client"


async def test_a_client_with_two_audiences_names_one(world):
    """With more than one audience the request says which; its redirect URI keeps its own query."""
    page = {"client_id": "page", "redirect_uri": "https://lunch.example/done?x=1", "scope": "profiles:read"}
    unnamed = await world.http.get(authorize_url(**page))
    assert parameters(unnamed.headers["location"])["error"] == "invalid_request"
    assert parameters(unnamed.headers["location"])["x"] == "1"
    named = await world.http.get(authorize_url(**page, resource=PEOPLE))
    assert named.status_code == 200
    assert "form-action 'self' https://lunch.example;" in named.headers["content-security-policy"]
    both = await world.http.get(authorize_url(**page, resource=[PEOPLE, BFF]))
    assert parameters(both.headers["location"])["error"] == "invalid_target"


async def test_a_redirect_to_ipv6_is_in_the_policy_by_its_scheme():
    """A content security policy cannot name [::1], so the scheme stands for it."""
    desk = Client("desk", kind="desktop", redirect_uris=["http://[::1]/x"], scopes={"dining:read"}, audiences=[BFF])
    world = World(clients=[desk])
    page = await world.http.get(authorize_url(client_id="desk", redirect_uri="http://[::1]:7000/x"))
    assert "form-action 'self' http:;" in page.headers["content-security-policy"]


async def test_a_code_is_good_once_and_its_token_ends_with_the_second_use(world):
    """The second use is an invalid_grant and revokes what the first one brought (RFC 6749, 4.1.2)."""
    verifier, came = await world.code()
    first = await world.post("/token", code_form(came["code"], verifier))
    second = await world.post("/token", code_form(came["code"], verifier))
    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")
    told = await world.post("/introspect", {"token": first.json()["access_token"]}, "bff")
    assert told.json() == {"active": False}


async def test_a_code_is_good_for_a_minute(world):
    """After sixty seconds a code is an invalid_grant."""
    verifier, came = await world.code()
    world.clock.at += 60
    assert (await world.post("/token", code_form(came["code"], verifier))).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_request"),
        ({"redirect_uri": "http://127.0.0.1:1/done"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"code": None}, "invalid_request"),
        ({"code": "other"}, "invalid_grant"),
        ({"audience": "api://people"}, "invalid_grant"),
        ({"client_id": None}, "invalid_client"),
        ({"client_id": "page"}, "invalid_client"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_secret": "x"}, "invalid_client"),
    ],
)
async def test_a_code_needs_its_client_verifier_and_redirect_uri(world, changed, error):
    """Each part that is wrong alone gets no token; a wrong try uses the code up where it could be guessed at."""
    verifier, came = await world.code()
    answered = await world.post("/token", code_form(came["code"], verifier, **changed))
    assert answered.json()["error"] == error
    assert answered.status_code == (401 if error == "invalid_client" else 400)


async def test_the_token_request_may_name_the_audience_again(world):
    """The audience of the code, repeated with the code, is accepted (RFC 8707, 2.2)."""
    verifier, came = await world.code()
    assert (await world.post("/token", code_form(came["code"], verifier, resource=BFF))).status_code == 200


async def test_a_confidential_client_proves_itself_for_its_code():
    """A client with a secret needs secret and verifier both."""
    web = Client("web", "web-secret", redirect_uris=["https://w.example/"], scopes={"dining:read"}, audiences=[BFF])
    world = World(clients=[web])
    asked = {"client_id": "web", "redirect_uri": "https://w.example/"}
    verifier = new_verifier()
    url = authorize_url(**asked, code_challenge=challenge(verifier))
    code = parameters((await answer(world, url, username="ann", password="apple-pie")).headers["location"])["code"]
    form = code_form(code, verifier, redirect_uri="https://w.example/", client_id=None)
    assert (await world.post("/token", form)).status_code == 401
    assert (await world.post("/token", {**form, "client_id": "web"})).status_code == 401
    assert (await world.post("/token", form, "web")).status_code == 200


async def test_the_same_scope_twice_counts_once(world):
    """Repetition does not get into the token."""
    assert (await world.token(scope="dining:read dining:read")).json()["scope"] == "dining:read"


async def test_revoking_a_subject_ends_its_codes(world):
    """A code on its way when the subject is revoked brings no token."""
    verifier, came = await world.code()
    world.authority.revoke_subject("ann-1")
    assert (await world.post("/token", code_form(came["code"], verifier))).json()["error"] == "invalid_grant"


async def test_no_secret_reaches_any_log(world, caplog):
    """At the loudest level neither code, token, verifier, password nor secret is written, by Authlib either."""
    caplog.set_level("DEBUG")
    verifier, came = await world.code()
    token = (await world.post("/token", code_form(came["code"], verifier))).json()["access_token"]
    exchanged = await world.post("/token", world.exchange_form(subject_token=token), "bff")
    service = await world.post("/token", {"grant_type": "client_credentials", "scope": "bookings:read"}, "people")
    text = "\n".join([record.getMessage() for record in caplog.records if record.name != "httpx"] + world.lines)
    secrets = [verifier, came["code"], token, exchanged.json()["access_token"], service.json()["access_token"]]
    for secret in [*secrets, "apple-pie", "bff-secret", "people-secret"]:
        assert secret not in text


async def test_a_person_needs_no_claims():
    """A person with nothing but a name and a password signs in."""
    world = World(people=[Person("dan", "dan-4", password="dates")])
    came = (await world.code("dan", "dates"))[1]
    assert came["code"]


async def test_the_scripted_browser_says_what_was_refused(world):
    """With a wrong password, and with a refused scope, it fails with words."""
    with pytest.raises(SignInFailed, match="403 and no form"):
        await world.code("ann", "wrong")
    with pytest.raises(SignInFailed, match="invalid_scope"):
        await world.code(scope="data:export")
