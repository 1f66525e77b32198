import hashlib
from typing import Any

import msgspec
import pytest

from narrows.errors import DocumentRequired, InvalidInput, MalformedRequest
from narrows.surfaces.graphql.protocol import Wanted, from_body, from_query

TEXT = "{ menu { dishes } }"
HASH = hashlib.sha256(TEXT.encode()).hexdigest()
OTHER = "0" * 64


def apollo(sha256: Any = HASH, **over: Any) -> dict[str, Any]:
    """The extension of Apollo's clients."""
    return {"persistedQuery": {"version": 1, "sha256Hash": sha256, **over}}


def posted(body: Any, name: str | None = None) -> Wanted:
    """What a body wants."""
    return from_body(body if isinstance(body, bytes) else msgspec.json.encode(body), 8, name)


def got(name: str | None = None, **sent: str) -> Wanted:
    """What a query wants."""
    return from_query(list(sent.items()), 8, name)


def pointers(body: Any, name: str | None = None) -> list[str]:
    """Where a body does not hold."""
    with pytest.raises(InvalidInput) as caught:
        posted(body, name)
    return [error.pointer for error in caught.value.errors]


def pointers_in_query(sent: list[tuple[str, str]], name: str | None = None) -> list[str]:
    """Where a query does not hold."""
    with pytest.raises(InvalidInput) as caught:
        from_query(sent, 8, name)
    return [error.pointer for error in caught.value.errors]


@pytest.mark.parametrize("name", ["soup", "Soup_2", "a.b-c~d", "x" * 128, "d41d8cd98f00b204e9800998ecf8427e"])
def test_a_name_is_an_id(name: str) -> None:
    """An id without a colon, in a body, a query or the path."""
    assert posted({"documentId": name}).id == name
    assert got(documentId=name).id == name
    assert posted({}, name).id == name
    assert got(name).id == name


def test_a_hash_is_an_id_in_the_form_of_the_draft_and_of_apollo() -> None:
    """Both lead to the same document."""
    assert posted({"documentId": f"sha256:{HASH}"}).id == f"sha256:{HASH}"
    assert posted({"extensions": apollo()}).id == f"sha256:{HASH}"
    assert got(extensions=msgspec.json.encode(apollo()).decode()).id == f"sha256:{HASH}"


@pytest.mark.parametrize(
    "name",
    [
        *(f"sha256:{HASH.upper()}", f"SHA256:{HASH}", f"sha256:{HASH[1:]}", f"sha256:{HASH}0", "sha256:", HASH + ":"),
        *("x-apollo:1", "md5:d41d8cd98f00b204e9800998ecf8427e", "", "a b", "soup\n", "../soup", "söup", "x" * 129),
    ],
)
def test_another_form_of_id_is_refused(name: str) -> None:
    """Upper-case digits, other schemes and what is no id at all; nothing is guessed."""
    assert pointers({"documentId": name}) == ["/body/documentId"]
    assert pointers_in_query([("documentId", name)]) == ["/query/documentId"]


@pytest.mark.parametrize(
    "body",
    [
        {"documentId": "soup", "query": TEXT},
        {"documentId": "soup", "extensions": apollo()},
        {"documentId": "soup", "query": TEXT, "extensions": apollo()},
    ],
)
def test_two_names_of_a_document_are_refused(body: dict[str, Any]) -> None:
    """Which of both is meant is nobody's guess."""
    assert pointers(body) == ["/body/documentId"]


@pytest.mark.parametrize("body", [{"documentId": "soup"}, {"query": TEXT}, {"extensions": apollo()}])
def test_a_path_that_names_the_document_is_enough(body: dict[str, Any]) -> None:
    """Even the same id is not sent beside it."""
    assert pointers(body, "soup") == ["/body/documentId"]


def test_text_is_told_apart_from_an_id() -> None:
    """It is no id, whatever it looks like."""
    wanted = posted({"query": "soup"})
    assert (wanted.id, wanted.text) == (None, "soup")
    assert got(query=TEXT).text == TEXT


def test_a_hash_beside_its_text_is_text_that_was_checked() -> None:
    """Clients of Apollo send both when they are told that the hash is not known."""
    wanted = posted({"query": TEXT, "extensions": apollo()})
    assert (wanted.id, wanted.text) == (None, TEXT)
    assert pointers({"query": TEXT, "extensions": apollo(OTHER)}) == ["/body/extensions/persistedQuery/sha256Hash"]


@pytest.mark.parametrize(
    ("extensions", "pointer"),
    [
        (apollo(HASH.upper()), "/persistedQuery/sha256Hash"),
        (apollo(HASH + "\n"), "/persistedQuery/sha256Hash"),
        (apollo(7), "/persistedQuery/sha256Hash"),
        (apollo(version=2), "/persistedQuery/version"),
        (apollo(more=1), "/persistedQuery/more"),
        ([], ""),
    ],
)
def test_an_extension_of_another_form_is_refused(extensions: Any, pointer: str) -> None:
    """In a body and in a query, at its own place."""
    assert pointers({"extensions": extensions}) == [f"/body/extensions{pointer}"]
    text = msgspec.json.encode(extensions).decode()
    assert pointers_in_query([("extensions", text)]) == [f"/query/extensions{pointer}"]


def test_an_extension_that_is_not_known_is_passed_over() -> None:
    """Clients of Apollo say there which library asks; the draft lets them, and nothing follows of it."""
    extensions = {"clientLibrary": {"name": "@apollo/client"}, **apollo()}
    assert posted({"extensions": extensions}).id == f"sha256:{HASH}"
    assert got(extensions=msgspec.json.encode(extensions).decode()).id == f"sha256:{HASH}"
    extensions |= apollo(7)
    assert pointers({"extensions": extensions}) == ["/body/extensions/persistedQuery/sha256Hash"]


@pytest.mark.parametrize("text", ["{", "", "{}{}", "[" * 9 + "]" * 9, '{"a":"\\ud800"}'])
def test_extensions_in_a_query_are_json_as_strict_as_in_a_body(text: str) -> None:
    """What is no JSON is refused at the parameter."""
    assert pointers_in_query([("documentId", "soup"), ("extensions", text)]) == ["/query/extensions"]


def test_a_key_that_stands_twice_in_the_extensions_of_a_query_is_refused() -> None:
    """The last one does not win."""
    twice = '{"persistedQuery":{"version":1,"version":1,"sha256Hash":"' + HASH + '"}}'
    assert pointers_in_query([("extensions", twice)]) == ["/query/extensions/persistedQuery/version"]


def test_null_and_an_empty_operation_name_are_as_if_not_sent() -> None:
    """As the draft says of each optional parameter."""
    nothing = posted(
        {"documentId": "soup", "operationName": None, "variables": None, "extensions": None, "query": None}
    )
    assert nothing == Wanted(place="/body", id="soup", text=None, operation=None, variables=None)
    assert posted({"documentId": "soup", "operationName": ""}).operation is None
    assert got(documentId="soup", operationName="").operation is None
    assert posted({"documentId": "soup", "extensions": {"persistedQuery": None}}).id == "soup"
    assert got(documentId="soup", extensions="null", variables="null").variables is None
    assert got(documentId="soup", operationName="null").operation == "null"


def test_variables_stay_as_they_came() -> None:
    """The document reads them, once, by its own types."""
    assert posted(b'{"documentId":"soup","variables": {"a" : 1} }').variables == b'{"a" : 1}'
    assert got(documentId="soup", variables=' {"a":1}').variables == b' {"a":1}'


@pytest.mark.parametrize("variables", ["[]", "7", '"x"', "true"])
def test_variables_are_an_object(variables: str) -> None:
    """No other JSON has names."""
    assert pointers(b'{"documentId":"soup","variables":' + variables.encode() + b"}") == ["/body/variables"]
    assert pointers_in_query([("documentId", "soup"), ("variables", variables)]) == ["/query/variables"]


def test_variables_that_are_empty_are_none() -> None:
    """An empty text is no JSON."""
    assert pointers_in_query([("documentId", "soup"), ("variables", "")]) == ["/query/variables"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"documentId":"soup","documentId":"lunch"}', ["/body/documentId"]),
        (b'{"documentId":"soup","variables":{},"variables":{"a":1}}', ["/body/variables"]),
        (b'{"documentId":"soup","variables":{"a":1},"variables":{}}', ["/body/variables"]),
        (b'{"query":"{}","variables":{},"query":"{}"}', ["/body/query"]),
    ],
)
def test_a_key_that_stands_twice_is_refused(body: bytes, expected: list[str]) -> None:
    """Two readers of one request could else mean two documents by it."""
    assert pointers(body) == expected


def test_what_is_unknown_or_of_another_type_is_named_at_once() -> None:
    """Each at its place."""
    body = {"id": 1, "documentId": 7, "operationName": [], "variables": 1}
    assert pointers(body) == ["/body/id", "/body/documentId", "/body/operationName", "/body/variables"]


def test_a_parameter_of_a_query_stands_once_and_is_known() -> None:
    """Each stranger and each second one is named."""
    sent = [("documentId", "soup"), ("documentId", "soup"), ("a/b", "1"), ("operationname", "")]
    assert pointers_in_query(sent) == ["/query/documentId", "/query/a~1b", "/query/operationname"]


def test_a_variable_beside_variables_is_told_where_it_goes() -> None:
    """And so is an id under the name that another server gave it."""
    for ask in (lambda: posted({"id": "soup", "team_id": 7}), lambda: got(id="soup", team_id="7")):
        with pytest.raises(InvalidInput) as caught:
            ask()
        place = caught.value.errors[0].pointer.partition("/id")[0]
        assert [one.pointer for one in caught.value.errors] == [f"{place}/id", f"{place}/team_id"]
        for one in caught.value.errors:
            assert one.remedy.startswith("A variable goes into `variables`, the id into `documentId`; ")


@pytest.mark.parametrize("body", [[], [{"documentId": "soup"}], [{"query": TEXT}] * 1000])
def test_a_batch_is_refused_as_one_request(body: Any) -> None:
    """One answer for all of them, and nothing runs."""
    with pytest.raises(MalformedRequest, match="Several requests"):
        posted(body)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"NONSENSE", b"\xef\xbb\xbf{}", b'{"documentId":"\xff"}', b'{"documentId":"\\ud800"}', b"{} {}"),
        b'{"variables":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"documentId":"soup","operationName":NaN}',
    ],
)
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    """Cut, encoded otherwise, or nested without end."""
    with pytest.raises(MalformedRequest):
        posted(body)


@pytest.mark.parametrize("body", [b"7", b'"soup"', b"null", b"true"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    """It has no parameters."""
    assert pointers(body) == ["/body"]


def test_a_request_that_names_nothing_is_told_what_to_send() -> None:
    """The id of a document."""
    for ask in (lambda: posted({}), got):
        with pytest.raises(DocumentRequired, match="names no document"):
            ask()
