import pytest

from narrows.identity.cookies import Cookie

TLS = Cookie("sid", "https://bff.test", same_site="Strict", seconds=60)
PLAIN = Cookie("sid", "http://127.0.0.1:8000", same_site="Lax", seconds=60)


def test_over_tls_a_cookie_has_prefix_and_every_flag():
    """A browser takes it by a header and over TLS alone, for this host and all of its paths, and no script reads it."""
    flags = "Path=/; HttpOnly; SameSite=Strict; Secure"
    assert TLS.set("abc") == ("set-cookie", f"__Host-Http-sid=abc; {flags}; Max-Age=60")
    assert TLS.clear() == ("set-cookie", f"__Host-Http-sid=; {flags}; Max-Age=0")


def test_plain_http_has_neither_prefix_nor_secure():
    """A browser would throw such a cookie away."""
    assert PLAIN.set("abc") == ("set-cookie", "sid=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=60")


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        (["sid=abc"], "abc"),
        (["a=1; sid=abc; b=2"], "abc"),
        (["a=1", "sid=abc"], "abc"),
        (["sid=abc;x"], "abc"),
        ([], None),
        (["a=1"], None),
        (["SID=abc"], None),
        (["sid=abc; sid=abd"], None),
        (["sid=abc", "sid=abc"], None),
        (["sid="], None),
        (["sid"], None),
        (['sid="abc"'], None),
        (["sid=a b"], None),
        (["sid=a%62"], None),
        ([f"sid={'a' * 4001}"], None),
    ],
)
def test_a_cookie_is_read_if_it_came_once(lines, value):
    """What came twice, or is not what was set, is nothing."""
    assert PLAIN.read({"cookie": lines} if lines else {}) == value
