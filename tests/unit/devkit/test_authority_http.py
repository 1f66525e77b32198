import pytest
from authlib.oauth2.rfc6749 import InvalidRequestError

from narrows.devkit.authority_http import FORM, AuthlibRequest, Inbound, Reply, checked, form, pairs


def inbound(body=b"", headers=None, query=""):
    """A form post."""
    return Inbound("POST", query, {"content-type": FORM, **(headers or {})}, {}, body)


def test_parameters_without_a_value_are_left_out():
    """An empty parameter counts as not sent (RFC 6749, 3.1)."""
    assert pairs("a=1&b=&c=%20x") == [("a", "1"), ("c", " x")]


@pytest.mark.parametrize("raw", ["a=%ff", "&".join(f"p{i}=1" for i in range(65))])
def test_undecodable_and_too_many_parameters_are_refused(raw):
    """Bytes that are no UTF-8, and more than 64 parameters, are an invalid request."""
    with pytest.raises(InvalidRequestError):
        pairs(raw)


@pytest.mark.parametrize(
    "bad",
    [
        inbound(b"a=1", {"content-type": "application/json"}),
        Inbound("POST", "", {}, {}, b"a=1"),
        inbound("a=ä".encode()),
    ],
)
def test_only_forms_are_read(bad):
    """Another content type and unencoded bytes are an invalid request."""
    with pytest.raises(InvalidRequestError):
        form(bad)


def test_a_form_may_name_its_charset():
    """Parameters of the content type and its case do not matter."""
    assert form(inbound(b"a=1", {"content-type": "Application/x-www-form-urlencoded; charset=utf-8"})) == [("a", "1")]


@pytest.mark.parametrize("found", [[("a", "1"), ("a", "1")], [("scope", 'a"b')], [("x\n", "1")], [("state", "ä")]])
def test_doubled_parameters_and_odd_characters_are_refused(found):
    """What RFC 6749 does not allow never reaches Authlib, which would fail on it."""
    with pytest.raises(InvalidRequestError):
        checked(found)


def test_free_texts_and_targets_have_more_room():
    """State and secret may hold quotes, audience and resource may come more than once."""
    found = [("state", '"\\'), ("client_secret", '"'), ("audience", "a"), ("audience", "b"), ("resource", "c")]
    request = AuthlibRequest(inbound(), checked(found))
    assert request.targets == ["a", "b", "c"]
    assert request.args == request.form == {"state": '"\\', "client_secret": '"', "audience": "a", "resource": "c"}


@pytest.mark.parametrize("value", ["Basic !", "basic /w==", "Basic é"])
def test_a_basic_header_that_cannot_be_decoded_is_none(value):
    """Authlib would fail with a server error on it."""
    assert "Authorization" not in AuthlibRequest(inbound(headers={"authorization": value}), []).headers


def test_header_names_are_in_the_case_that_authlib_looks_up():
    """A lower-case header from ASGI reaches Authlib under its usual name."""
    request = AuthlibRequest(inbound(headers={"authorization": "Basic YTpi"}), [])
    assert request.headers["Authorization"] == "Basic YTpi"


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"authorization": "Basic YTpi"}, [("client_secret", "b")]),
        ({"authorization": "Basic YTpi"}, [("client_assertion", "b")]),
        ({}, [("client_secret", "b"), ("client_assertion", "b")]),
    ],
)
def test_a_client_authenticates_itself_in_one_way(headers, found):
    """Two ways at once are an invalid request (RFC 6749, 2.3)."""
    with pytest.raises(InvalidRequestError):
        AuthlibRequest(inbound(headers=headers), found)


def test_requests_and_replies_hide_in_their_repr():
    """No body, cookie or header shows when they are printed."""
    assert repr(inbound(b"secret")) == "Inbound('POST')"
    assert repr(Reply(200, [], b"secret")) == "Reply(200)"
