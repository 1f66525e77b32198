import pytest
from joserfc.jwk import OctKey, RSAKey

from narrows.devkit.authority import Api, Authority, Client, Person
from narrows.errors import SettingsError
from tests.unit.devkit.world import APIS, BFF, CLIENTS, ISSUER, PEOPLE, WORKER_KEY

WEB = {"redirect_uris": ["https://lunch.example/done"]}


def build(**parts):
    """An authority of these parts."""
    chosen = {"issuer": ISSUER, "apis": APIS, "algorithm": "ES256", **parts}
    return Authority(chosen.pop("issuer"), **chosen)


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"issuer": "ftp://127.0.0.1/as"}, "issuer: must be an http"),
        ({"issuer": "http:///as"}, "issuer: must be an http"),
        ({"issuer": "http://127.0.0.1/as?x=1"}, "issuer: must be an http"),
        ({"issuer": "http://127.0.0.1/as#x"}, "issuer: must be an http"),
        ({"issuer": "http://me@127.0.0.1/as"}, "issuer: must be an http"),
        ({"issuer": "http://127.0.0.1/as/"}, "issuer: must not end in '/'"),
        ({"people": [Person("ann", "1"), Person("ann", "2")]}, "people.username: 'ann' stands twice"),
        ({"people": [Person("ann", "1"), Person("bob", "1")]}, "people.subject: '1' stands twice"),
        ({"clients": [Client("a", **WEB), Client("a", **WEB)]}, "clients.client_id: 'a' stands twice"),
        ({"apis": [Api("x", {}), Api("x", {})]}, "apis.audience: 'x' stands twice"),
        ({"apis": [Api("x", {"a b": ""})]}, r"apis\[x\].scopes: 'a b' is no scope"),
        ({"clients": [Client("a b", **WEB)]}, "client_id: must be 1 to 200"),
        ({"clients": [Client("a", **WEB, grants={"client_credentials"})]}, "a public client gets codes only"),
        ({"clients": [Client("a")]}, "redirect_uris: the code grant needs one"),
        ({"clients": [Client("a", redirect_uris=["http://lunch.example/"])]}, "must be https or loopback http"),
        ({"clients": [Client("a", redirect_uris=["https://lunch.example/#x"])]}, "must be https or loopback http"),
        ({"clients": [Client("a", redirect_uris=["https://me@lunch.example/"])]}, "must be https or loopback http"),
        ({"clients": [Client("a", **WEB, audiences=["api://none"])]}, "audience 'api://none' is no API here"),
        ({"clients": [Client("a", **WEB, scopes={"dining:read"})]}, "belong to none of its audiences"),
        (
            {"clients": [Client("a", "s", **WEB, may_exchange_to={PEOPLE: {"profiles:read"}})]},
            "needs the grant token_exchange",
        ),
        (
            {"clients": [Client("a", "s", grants={"token_exchange"}, may_exchange_to={PEOPLE: {"profiles:read"}})]},
            "and the client's own audience",
        ),
        (
            {"clients": [Client("a", "s", audience=BFF, grants={"token_exchange"}, may_exchange_to={PEOPLE: {"x"}})]},
            "are no scopes of that API",
        ),
        ({"clients": [Client("a", **WEB, public_keys=[{"kty": "XYZ"}])]}, "public_keys: each must be the public JWK"),
        ({"clients": [Client("a", **WEB, public_keys=[{"kty": "EC"}])]}, "public_keys: each must be the public JWK"),
        ({"clients": [Client("a", **WEB, public_keys=[WORKER_KEY.as_dict(private=True)])]}, "public_keys: each must"),
        ({"clients": [Client("a", **WEB, public_keys=[OctKey.generate_key().as_dict()])]}, "public_keys: each must"),
        (
            {"clients": [Client("a", **WEB, public_keys=[{"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}])]},
            "public_keys: each must",
        ),
    ],
)
def test_what_does_not_fit_together_does_not_start(parts, named):
    """A wrong configuration is refused with the field, the rule and the remedy."""
    with pytest.raises(SettingsError, match=named):
        build(**parts)


def test_every_fault_is_named_at_once():
    """One refusal lists all faults, so that nobody mends them one by one."""
    with pytest.raises(SettingsError) as caught:
        build(issuer="ftp://x/", people=[Person("ann", "1"), Person("ann", "1")])
    assert len(str(caught.value).splitlines()) == 5


def test_what_fits_together_starts():
    """Keys of RSA and EC, http on loopback and https elsewhere are accepted."""
    key = RSAKey.generate_key(2048).as_dict(private=False)
    on_loopback = [f"http://{host}:8000/done" for host in ("127.0.0.1", "[::1]", "localhost")]
    build(clients=[*CLIENTS, Client("more", public_keys=[key], redirect_uris=on_loopback)], issuer="https://as.example")


def test_secrets_are_in_no_repr():
    """Neither passwords nor client secrets show when a value is printed."""
    shown = repr([Person("ann", "1", {}, "hidden"), Client("a", "hidden")])
    assert "hidden" not in shown
    assert "Person('ann', '1')" in shown
    assert "Client('a', kind='web', public=False)" in shown


@pytest.mark.parametrize(
    ("kind", "known", "asked", "allowed"),
    [
        ("desktop", "http://127.0.0.1/done", "http://127.0.0.1:5000/done", True),
        ("desktop", "http://127.0.0.1:1/done", "http://127.0.0.1/done", True),
        ("desktop", "http://[::1]/done", "http://[::1]:5000/done", True),
        ("desktop", "http://127.0.0.1/done", "http://[::1]:5000/done", False),
        ("desktop", "http://127.0.0.1/done", "http://localhost:5000/done", False),
        ("desktop", "http://127.0.0.1/done", "http://127.0.0.1:5000/else", False),
        ("desktop", "http://127.0.0.1/done", "http://127.0.0.1:5000/done#x", False),
        ("desktop", "http://127.0.0.1/done", "http://127.0.0.1:5000@evil.example/done", False),
        ("desktop", "http://127.0.0.1/done", "http://127.0.0.1.evil.example/done", False),
        ("desktop", "https://lunch.example/done", "https://lunch.example:5000/done", False),
        ("web", "http://127.0.0.1/done", "http://127.0.0.1:5000/done", False),
        ("web", "https://lunch.example/done", "https://lunch.example/done", True),
        ("web", "https://lunch.example/done", "https://lunch.example/done/", False),
    ],
)
def test_only_a_desktop_program_may_choose_its_port(kind, known, asked, allowed):
    """Redirect URIs are met to the letter, but for the port of a desktop program's loopback URI (RFC 8252, 7.3)."""
    assert Client("a", kind=kind, redirect_uris=[known]).redirects_to(asked) is allowed
