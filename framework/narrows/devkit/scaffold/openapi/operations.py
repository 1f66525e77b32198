"""One operation of a document as Narrows declares it: path, parameters, body, answer, problems and scope."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Literal

import msgspec

from narrows.devkit.scaffold.openapi.bounds import NAME_BOUND, SEGMENT_BOUND
from narrows.devkit.scaffold.openapi.document import Document, Listed, Place
from narrows.devkit.scaffold.openapi.gaps import Gap, Remark, below, shown
from narrows.devkit.scaffold.openapi.kinds import (
    Choice,
    Flag,
    Kind,
    Loose,
    Many,
    Marked,
    Maybe,
    Missing,
    Nothing,
    Real,
    Ref,
    Text,
    Whole,
    core,
)
from narrows.devkit.scaffold.openapi.names import distinct, pascal, snake
from narrows.devkit.scaffold.openapi.schemas import Schemas, marked

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,80}")
_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+")
_PLACEHOLDER = re.compile(r"\{([^{}/]+)\}")
PATH_LEFT = "/hole-left"
# What HTTP or the framework says itself, whatever a document declares (OpenAPI 3.1, parameter object).
_SAID_BY_HTTP = ("accept", "content-type", "authorization")
KEPT_STATUSES = (400, 403, 404, 405, 406, 409, 410, 411, 412, 413, 415, 416, 422, 423, 424, 428)
_SUCCESSES = ("200", "201", "202", "203", "204", "205", "206", "207", "2XX", "2xx")


class Parameter(msgspec.Struct, frozen=True):
    """A value of path or query; `wire` is its name in the document."""

    name: str
    wire: str
    place: Literal["path", "query"]
    kind: Kind
    required: bool


class Made(msgspec.Struct):
    """An operation ready to be written. `holes` are its own; those of its types stand in them."""

    name: str
    method: str
    path: str
    id: str
    pointer: str
    summary: str
    parameters: list[Parameter]
    body: Kind | None
    answer: Kind
    statuses: list[int]
    asks: str
    holes: list[Remark]
    scopes: list[list[str]]

    @property
    def kind(self) -> Literal["read", "write"]:
        """A GET has no effect; all others may, whatever their words promise."""
        return "read" if self.method == "GET" else "write"


class Operations:
    """Makes operations of one document, for an upstream of a name (`github`)."""

    def __init__(self, document: Document, schemas: Schemas, key: str, taken: Iterable[str] = ()) -> None:
        self._document = document
        self._schemas = schemas
        self._key = key
        self._taken = set(taken)

    def make(self, listed: Listed) -> Made:
        """Make one operation; what cannot be expressed is in its `holes`."""
        self._schemas.refill()
        said = listed.place.get("operationId")
        name = distinct(snake(said if said == listed.id else f"{listed.method}-{listed.path}"), self._taken)
        made = Made(
            name,
            listed.method,
            "",
            listed.id,
            listed.place.pointer,
            listed.summary,
            [],
            None,
            Nothing(),
            [],
            "",
            [],
            [],
        )
        self._parameters(made, listed)
        made.path = self._path(made, listed)
        if listed.method != "GET":
            self._body(made, listed)
        self._answer(made, listed)
        self._asks(made, listed)
        return made

    # --- what it takes -------------------------------------------------------------------------------------------

    def _parameters(self, made: Made, listed: Listed) -> None:
        """Those of the path item first; the operation's own take their place (same name and `in`)."""
        found: dict[tuple[str, str], Place] = {}
        for given in (*listed.item.at("parameters").items(), *listed.place.at("parameters").items()):
            try:
                place = self._document.follow(given)
            except Gap as gap:
                made.holes.append(Remark("hole", f"a parameter cannot be read: {gap.said}", gap.pointer))
                continue
            found[str(place.get("in")), str(place.get("name"))] = place
        taken: set[str] = set()
        for (where, wire), place in found.items():
            if where in ("path", "query"):
                self._parameter(made, where, wire, place, taken)  # type: ignore[arg-type]  # one of the two, as asked
            elif where not in ("body", "formData") and not (where == "header" and wire.lower() in _SAID_BY_HTTP):
                self._elsewhere(made, where, wire, place)

    def _elsewhere(self, made: Made, where: str, wire: str, place: Place) -> None:
        """Headers and cookies are not sent: no inbound value may reach an upstream's header."""
        said = f"the {shown(where, 20)} {shown(wire, 60)} is not sent"
        if place.get("required") is True:
            made.holes.append(Remark("hole", f"{said}, and it is required", place.pointer))
        else:
            self._schemas.note(said, place.pointer)

    def _parameter(self, made: Made, where: Literal["path", "query"], wire: str, place: Place, taken: set[str]) -> None:
        required = where == "path" or place.get("required") is True
        schema = place if self._document.dialect == "2.0" else place.at("schema")
        kind: Kind
        if len(wire) > NAME_BOUND:
            kind = Missing("its name is too long", place.pointer)
        elif schema.value is None:
            kind = Missing("it is said in a form of its own", below(place.pointer, "content"))
        else:
            kind = self._schemas.kind(schema, "in", pascal(f"{made.name} {wire}"))
        kind = self._sendable(kind, where, place)
        if isinstance(core(kind), Missing):
            self._left_out(made, where, wire, kind, required)
            return
        if where == "path":
            kind = _segment(kind)
        made.parameters.append(Parameter(distinct(snake(wire), taken), wire, where, _named(kind, wire), required))

    def _left_out(self, made: Made, where: str, wire: str, kind: Kind, required: bool) -> None:
        missing = core(kind)
        assert isinstance(missing, Missing)  # noqa: S101 - for the type checker: the caller asked
        said = f"`{shown(wire, 60)}` of the {where} is not sent: {missing.said}"
        if required:
            made.holes.append(Remark("hole", said, missing.pointer))
        else:
            self._schemas.note(said, missing.pointer)

    def _sendable(self, kind: Kind, where: str, place: Place) -> Kind:
        """A path takes one value, a query one or a list whose name is repeated (`style: form`, exploded)."""
        inner = core(kind)
        if isinstance(inner, Many) and where == "query":
            repeats = place.get("collectionFormat") == "multi"
            if self._document.dialect != "2.0":
                repeats = place.get("style") in (None, "form") and place.get("explode") is not False
            if not repeats:
                return Missing("its list is written in another way than by repeating the name", place.pointer)
            inner = core(inner.item)
        if isinstance(inner, Missing | Text | Whole | Real | Flag | Choice):
            return kind
        return Missing("it is no single value", place.pointer)

    def _path(self, made: Made, listed: Listed) -> str:
        """The template with the names of the parameters; an odd one is a hole, and leads nowhere."""
        names = {parameter.wire: parameter.name for parameter in made.parameters if parameter.place == "path"}
        segments = []
        pointer = listed.place.pointer.rpartition("/")[0]
        used = []
        for segment in listed.path.split("/")[1:]:
            place = _PLACEHOLDER.fullmatch(segment)
            if place and place[1] in names:
                used.append(place[1])
                segments.append("{" + names[place[1]] + "}")
            elif _SEGMENT.fullmatch(segment) and segment not in (".", ".."):
                segments.append(segment)
            else:
                made.holes.append(Remark("hole", f"its path {shown(listed.path, 80)} has no plain form", pointer))
                break
        else:
            if listed.path.startswith("/") and len(used) == len(names) == len(set(used)):
                return "/" + "/".join(segments)
            made.holes.append(Remark("hole", f"its path {shown(listed.path, 80)} does not name its values", pointer))
        made.parameters = [parameter for parameter in made.parameters if parameter.place != "path"]
        return PATH_LEFT

    def _body(self, made: Made, listed: Listed) -> None:
        schema = self._body_of_2(made, listed) if self._document.dialect == "2.0" else self._body_of_3(made, listed)
        if schema is None:
            return
        kind = self._schemas.kind(schema, "in", pascal(made.name) + "Body")
        inner = core(kind)
        if isinstance(inner, Ref):
            made.body = inner
        else:
            said = inner.said if isinstance(inner, Missing) else "it is no object"
            pointer = inner.pointer if isinstance(inner, Missing) else schema.pointer
            made.holes.append(Remark("hole", f"its body is not sent: {said}", pointer))

    def _body_of_2(self, made: Made, listed: Listed) -> Place | None:
        body = None
        for given in (*listed.item.at("parameters").items(), *listed.place.at("parameters").items()):
            try:
                place = self._document.follow(given)
            except Gap:
                continue
            if place.get("in") == "formData":
                made.holes.append(Remark("hole", "its body is a form, and is not sent", place.pointer))
                return None
            body = place.at("schema") if place.get("in") == "body" else body
        consumes = listed.place.get("consumes") or self._document.root.get("consumes")
        if body is not None and consumes and not _json_of(consumes, ("application/json", "*/*")):
            made.holes.append(Remark("hole", "its body is not JSON, and is not sent", listed.place.pointer))
            return None
        return body

    def _body_of_3(self, made: Made, listed: Listed) -> Place | None:
        given = listed.place.at("requestBody")
        if given.value is None:
            return None
        try:
            content = self._document.follow(given).at("content")
        except Gap as gap:
            made.holes.append(Remark("hole", f"its body cannot be read: {gap.said}", gap.pointer))
            return None
        media = _json_of([name for name, _ in content.members()], ("application/json", "*/*"))
        if media is None:
            made.holes.append(Remark("hole", "its body is not JSON, and is not sent", content.pointer))
            return None
        return content.at(media, "schema")

    # --- what it gives -------------------------------------------------------------------------------------------

    def _answer(self, made: Made, listed: Listed) -> None:
        found: dict[str, Place] = {}
        for status, given in listed.place.at("responses").members():
            try:
                found[str(status)] = self._document.follow(given)
            except Gap as gap:
                made.holes.append(Remark("hole", f"its answer cannot be read: {gap.said}", gap.pointer))
        made.statuses = [status for status in KEPT_STATUSES if str(status) in found]
        successes = [status for status in _SUCCESSES if status in found]
        if not successes:
            made.holes.append(Remark("hole", "it declares no success", below(listed.place.pointer, "responses")))
            return
        schemas = {status: self._answered(found[status], listed) for status in successes}
        chosen = successes[0]
        others = [status for status in successes[1:] if _schema(schemas[status]) != _schema(schemas[chosen])]
        if others:
            said = f"besides {chosen} it answers {', '.join(others)} in another form"
            pointer = found[others[0]].pointer
            if made.kind == "write":
                made.holes.append(Remark("hole", said, pointer))
            else:
                self._schemas.note(f"{said}, which becomes a 502", pointer)
        answered = schemas[chosen]
        if isinstance(answered, Gap):
            made.holes.append(Remark("hole", f"its answer is not read: {answered.said}", answered.pointer))
        elif answered is not None:
            self._read(made, self._schemas.kind(answered, "out", pascal(made.name) + "Answer"))

    def _read(self, made: Made, kind: Kind) -> None:
        if isinstance(kind, Missing):
            made.holes.append(Remark("hole", f"its answer is not read: {kind.said}", kind.pointer))
        else:
            made.answer = kind

    def _answered(self, response: Place, listed: Listed) -> Place | Gap | None:
        """The schema of one answer; None for an answer without content."""
        if self._document.dialect == "2.0":
            produces = listed.place.get("produces") or self._document.root.get("produces")
            schema = response.at("schema")
            if schema.value is not None and produces and not _json_of(produces, ("application/json", "*/*")):
                return Gap("it is not JSON", response.pointer)
            return schema if schema.value is not None else None
        content = response.at("content")
        if not content.members():
            return None
        media = _json_of([name for name, _ in content.members()], ("application/json", "*/*"))
        media = media or next((name for name, _ in content.members() if _media(name).endswith("+json")), None)
        return Gap("it is not JSON", content.pointer) if media is None else content.at(media, "schema")

    # --- as whom -------------------------------------------------------------------------------------------------

    def _asks(self, made: Made, listed: Listed) -> None:
        """One scope for the token; where the document names none, one that nobody grants unless they mean it."""
        made.scopes = scopes_of(self._document, listed)
        pointer = below(listed.place.pointer, "security")
        fewest = min(made.scopes, key=len, default=[])
        made.asks = f"{self._key}:{made.kind}"
        if not fewest:
            self._schemas.note(f"the document names no scope, so `{made.asks}` is asked for", pointer)
        elif len(fewest) > 1 or not _SCOPE.fullmatch(fewest[0]):
            said = f"it needs {' and '.join(shown(one, 60) for one in fewest[:4])}, and `asks` takes one plain scope"
            made.holes.append(Remark("hole", said, pointer))
        else:
            made.asks = fewest[0]


def scopes_of(document: Document, listed: Listed) -> list[list[str]]:
    """The scopes of each way to be let in that has some; the operation's own ways stand for those of the document."""
    own = listed.place.get("security")
    ways = own if isinstance(own, list) else document.root.get("security")
    found = []
    for way in ways if isinstance(ways, list) else []:
        scopes = [scope for names in (way.values() if isinstance(way, dict) else ()) if isinstance(names, list)
                  for scope in names if isinstance(scope, str)]  # fmt: skip
        if scopes:
            found.append(list(dict.fromkeys(scopes)))
    return found


def problem_title(status: int) -> str:
    """What an expected status means, in HTTP's own words."""
    return HTTPStatus(status).phrase


def _media(name: object) -> str:
    return str(name).partition(";")[0].strip().lower()


def _json_of(names: object, accepted: tuple[str, ...]) -> str | None:
    """The first media type that is JSON, as the document writes it."""
    listed = names if isinstance(names, list) else []
    return next((name for name in listed if isinstance(name, str) and _media(name) in accepted), None)


def _schema(answered: Place | Gap | None) -> object:
    return answered.value if isinstance(answered, Place) else answered


def _segment(kind: Kind) -> Kind:
    """A value of a path is never null and never empty, and has a bound that fits a path."""
    if isinstance(kind, Maybe):
        return _segment(kind.inner)
    if isinstance(kind, Loose | Marked):
        return msgspec.structs.replace(kind, inner=_segment(kind.inner))
    if not isinstance(kind, Text) or kind.form != "text":
        return kind
    high = min(kind.high or SEGMENT_BOUND, max(SEGMENT_BOUND, kind.low or 0))
    return msgspec.structs.replace(kind, low=kind.low or 1, high=high)


def _named(kind: Kind, wire: str) -> Kind:
    """A query value that is named like an id is one; those of a path are all ids anyway."""
    return kind if isinstance(kind, Marked) else marked(kind, wire)
