"""The parameters of a GraphQL request (GraphQL over HTTP, with its appendix on persisted documents), read strictly.

What is said twice, unknown or of another form is refused. Null and an empty `operationName` are as if not sent.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from narrows.errors import DocumentRequired, FieldError, InvalidInput, MalformedRequest
from narrows.pipeline.fields import CAP, collect, escape, unknown
from narrows.pipeline.strictjson import parse

ID = re.compile(r"sha256:[0-9a-f]{64}|[A-Za-z0-9._~-]{1,128}")
"""The forms of an id: the hash of a document's source, or a name. Others of the draft (`x-…:`) lead to nothing here."""

_ID_RULE = "It must be `sha256:` and 64 lower-case hexadecimal digits, or the name of a document."
_VARIABLES_RULE = "It must be a JSON object: names of variables, and their values."
_ONE_ID = FieldError(
    "", "The request names its document twice.", "Send one of: `documentId`, the Apollo hash, a path with the name."
)
_KNOWN = ("documentId", "extensions", "operationName", "query", "variables")


class PersistedQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The hash of a document's source as clients of Apollo send it."""

    version: Literal[1]
    sha256Hash: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}(?!\n)$")]  # noqa: N815  (the name on the wire)


class Extensions(msgspec.Struct, frozen=True):
    """The extensions of the protocol that are known here.

    Others are passed over: the draft lets clients add some (Apollo's say which library asks), and nothing follows.
    """

    persistedQuery: PersistedQuery | None = None  # noqa: N815  (the name on the wire)


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The body of a request, in the order of the draft; its variables are read by the document that they are for."""

    documentId: str | None = None  # noqa: N815  (the name on the wire)
    query: str | None = None
    operationName: str | None = None  # noqa: N815  (the name on the wire)
    variables: msgspec.Raw = msgspec.Raw(b"null")
    extensions: Extensions | None = None


class _Shown(msgspec.Struct, forbid_unknown_fields=True):
    """The same, for naming what is wrong."""

    documentId: str | None = None  # noqa: N815  (the name on the wire)
    query: str | None = None
    operationName: str | None = None  # noqa: N815  (the name on the wire)
    variables: dict[str, Any] | None = None
    extensions: Extensions | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a request wants to be run: by `id`, or `text`; `place` is where it says so (`/query` or `/body`)."""

    place: str
    id: str | None
    text: str | None
    operation: str | None
    variables: bytes | None


_body = msgspec.json.Decoder(_Envelope)
_encoder = msgspec.json.Encoder()
_extensions = msgspec.json.Decoder(Extensions | None)


def from_body(body: bytes, depth: int, name: str | None) -> Wanted:
    """Read the JSON of a POST, nested `depth` deep at the most; `name` is the document that the path names.

    Raises `MalformedRequest`, `InvalidInput` and `DocumentRequired`.
    """
    try:
        envelope = _body.decode(body)
    except (ValueError, RecursionError):
        raise _refused(body, depth) from None
    variables = bytes(envelope.variables)
    # What comes as we would write it has no key twice; most clients send that, and parsing it again costs ten times it.
    if _encoder.encode(envelope) != body:
        found: list[FieldError] = []
        # The document reads its variables as strictly, later, and once.
        parse(body.replace(variables, b"null", 1), depth, found)
        if found:
            raise InvalidInput(errors=found[:CAP])
    return _wanted("/body", envelope, variables, name)


def _refused(body: bytes, depth: int) -> MalformedRequest | InvalidInput:
    """What is wrong with a body that could not be decoded. Raises it, if JSON itself is."""
    found: list[FieldError] = []
    plain = parse(body, depth, found)
    if isinstance(plain, list):
        return MalformedRequest("Several requests came at once.", remedy="Send one request, as a JSON object.")
    if isinstance(plain, dict) and "extensions" in plain:
        plain["extensions"] = _known(plain["extensions"])
    asides: list[FieldError] = []
    if isinstance(plain, dict):
        asides = [_aside(f"/body/{escape(key)}") for key in plain if key not in _KNOWN]
        plain = {key: value for key, value in plain.items() if key in _KNOWN}
    return InvalidInput(errors=(found + asides + collect(plain, _Shown, "/body"))[:CAP])


def _aside(pointer: str) -> FieldError:
    """What stands beside the members of a request: as a rule a variable, or the id under the name of another server."""
    error = unknown(pointer, _KNOWN)
    means = "A variable goes into `variables`, the id into `documentId`; anything else: remove it."
    return msgspec.structs.replace(error, remedy=f"{means} Known are: {', '.join(_KNOWN)}.")


def from_query(sent: Iterable[tuple[str, str]], depth: int, name: str | None) -> Wanted:
    """Read the query of a GET, each parameter once. Raises `InvalidInput` and `DocumentRequired`."""
    texts: dict[str, str] = {}
    found: list[FieldError] = []
    for key, text in sent:
        if key not in _KNOWN:
            found.append(_aside(f"/query/{escape(key)}"))
        elif key in texts:
            found.append(FieldError(f"/query/{key}", "It came more than once.", "Send it once."))
        else:
            texts[key] = text
    extensions = _extensions_of(texts, depth, found)
    if found:
        raise InvalidInput(errors=found[:CAP])
    envelope = _Envelope(
        documentId=texts.get("documentId"),
        query=texts.get("query"),
        operationName=texts.get("operationName"),
        extensions=extensions,
    )
    return _wanted("/query", envelope, texts.get("variables", "null").encode(), name)


def _extensions_of(texts: Mapping[str, str], depth: int, found: list[FieldError]) -> Extensions | None:
    """The extensions in a query, as strict as those in a body."""
    raw = texts.get("extensions")
    if raw is None:
        return None
    try:
        plain = parse(raw.encode(), depth, found, "/query/extensions")
    except MalformedRequest:
        found.append(FieldError("/query/extensions", "It is not valid JSON (RFC 8259).", "Send a JSON object."))
        return None
    if found:
        return None
    try:
        decoded: Extensions | None = _extensions.decode(raw)
    except ValueError:
        found += collect(_known(plain), Extensions | None, "/query/extensions")
        return None
    return decoded


def _known(extensions: Any) -> Any:
    """Extensions without those that are passed over."""
    if not isinstance(extensions, dict):
        return extensions
    return {name: value for name, value in extensions.items() if name in Extensions.__struct_fields__}


def _wanted(place: str, envelope: _Envelope, variables: bytes, name: str | None) -> Wanted:
    apollo = envelope.extensions.persistedQuery if envelope.extensions else None
    text = envelope.query
    if text is not None and apollo is not None:
        _check_hash(text, apollo.sha256Hash, place)
        apollo = None
    hashed = f"sha256:{apollo.sha256Hash}" if apollo else None
    ids = [one for one in (name, envelope.documentId, hashed, text) if one is not None]
    if variables != b"null" and not variables.lstrip().startswith(b"{"):
        raise InvalidInput(errors=[FieldError(f"{place}/variables", _VARIABLES_RULE, "Send `{}` for none.")])
    pointer = f"{place}/documentId"
    if len(ids) > 1:
        raise InvalidInput(errors=[msgspec.structs.replace(_ONE_ID, pointer=pointer)])
    if not ids:
        raise DocumentRequired("The request names no document.")
    if text is None and not ID.fullmatch(ids[0]):
        raise InvalidInput(errors=[FieldError(pointer, _ID_RULE, "Send the id as /openapi.json has it.")])
    return Wanted(
        place=place,
        id=ids[0] if text is None else None,
        text=text,
        operation=envelope.operationName or None,
        variables=None if variables == b"null" else variables,
    )


def _check_hash(text: str, said: str, place: str) -> None:
    """A hash that came beside a text is that of the text, or the client is wrong about what it sends."""
    if hashlib.sha256(text.encode()).hexdigest() != said:
        pointer = f"{place}/extensions/persistedQuery/sha256Hash"
        raise InvalidInput(errors=[FieldError(pointer, "It is not the SHA-256 of `query`.", "Send the hash alone.")])


def other_operation(place: str) -> FieldError:
    """What is wrong with the name of an operation that the document does not have."""
    rule, remedy = "The document has no operation of this name.", "Send the name of its one operation, or leave it out."
    return FieldError(f"{place}/operationName", rule, remedy)
