"""An operation made ready at start: everything about sending it that does not depend on the call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import msgspec

from narrows.declare.shape import REQUIRED, Shape, leaves, operation_shape, placeholders
from narrows.declare.types import PREVIEW, Money
from narrows.declare.upstream import Operation
from narrows.errors import FieldError, InvalidInput, OperationRefused
from narrows.settings import UpstreamSettings
from narrows.transport import new_request
from narrows.upstreams.examples import Pinned, pin
from narrows.upstreams.synthetic import ANSWER_BYTES, Generator


class Sendable(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One operation with its upstream's settings, its decoder, and its path cut into pieces."""

    operation: Operation[..., Any]
    upstream: str
    settings: UpstreamSettings
    shape: Shape
    base: httpx.URL
    pieces: tuple[tuple[str, str | None], ...]
    query: tuple[tuple[str, str], ...]
    body: str | None
    decoder: msgspec.json.Decoder[Any] | None
    price: Money | None
    generator: Generator | None
    examples: tuple[Pinned, ...]
    previews: frozenset[str]

    @classmethod
    def prepare(
        cls,
        operation: Operation[..., Any],
        upstream: str,
        settings: UpstreamSettings,
        sandbox_bytes: int = ANSWER_BYTES,
    ) -> Sendable:
        """Make an operation ready; `sandbox_bytes` is the cap of what the sandbox makes up.

        Raises `ShapeError`, `ValueError` (price), `CannotMake` and `ExampleInvalid` (sandbox).
        """
        shape = operation_shape(operation)
        body = shape.body
        return cls(
            operation=operation,
            upstream=upstream,
            settings=settings,
            shape=shape,
            base=httpx.URL(settings.url),
            pieces=_cut(urlsplit(settings.url).path.rstrip("/") + operation.path),
            query=tuple((p.name, operation.names.get(p.name, p.name)) for p in shape.of("query")),
            body=body.name if body else None,
            decoder=None if shape.answer is type(None) else msgspec.json.Decoder(shape.answer),
            price=Money.parse(operation.price) if operation.price else None,
            generator=None if shape.answer is type(None) else Generator.build(shape.answer, sandbox_bytes),
            examples=pin(operation, shape, sandbox_bytes),
            previews=_previews(shape),
        )

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Name the arguments of one use. Raises `OperationRefused` when they do not fit the declaration."""
        names = self.shape.parameters
        values = dict(zip(names, args, strict=False))
        if len(args) > len(names) or not kwargs.keys() <= names.keys() - values.keys():
            raise OperationRefused(f"{self.operation.id} was given arguments that it does not declare, or one twice")
        values.update(kwargs)
        for name, parameter in names.items():
            if name not in values:
                if parameter.default is REQUIRED:
                    raise OperationRefused(f"{self.operation.id} was not given `{name}`")
                values[name] = parameter.default
        return values

    def request(self, values: Mapping[str, Any], headers: Mapping[str, str]) -> httpx.Request:
        """Build the request: each path value is exactly one segment, and the host is that of the settings."""
        target = "".join(piece if name is None else segment(name, values[name]) for piece, name in self.pieces)
        query = urlencode(_pairs(self.query, values), quote_via=quote)
        url = self.base.copy_with(raw_path=f"{target}?{query}".encode() if query else target.encode())
        content = None
        if self.body is not None and values[self.body] is not None:
            content = msgspec.json.encode(values[self.body])
            headers = {**headers, "Content-Type": "application/json"}
        request = new_request(self.operation.method, str(url), {**headers, "Accept": "application/json"}, content)
        request.extensions["narrows.template"] = self.operation.path
        return request


def _cut(template: str) -> tuple[tuple[str, str | None], ...]:
    """Cut a path template into literal pieces and names."""
    pieces: list[tuple[str, str | None]] = []
    rest = template
    for name in placeholders(template):
        literal, _, rest = rest.partition("{" + name + "}")
        pieces += [(literal, None), ("", name)]
    return (*pieces, (rest, None))


def _previews(shape: Shape) -> frozenset[str]:
    """The pointers of arguments marked to be shown in a rehearsal's effects; in a list, such as `/lines[]/note`."""
    return frozenset(
        "/" + leaf.path.replace(".", "/")
        for parameter in shape.parameters.values()
        for leaf in leaves(parameter.type, parameter.name)
        if isinstance(leaf.info, msgspec.inspect.Metadata) and (leaf.info.extra or {}).items() >= PREVIEW.items()
    )


def segment(name: str, value: Any) -> str:
    """Encode a value as exactly one path segment (RFC 3986, 3.3).

    Dot segments cannot be encoded, and an empty segment would be another path: both are refused with `InvalidInput`.
    """
    text = "" if value is None else plain(value)
    if text in ("", ".", ".."):
        raise InvalidInput(
            errors=[FieldError(f"/{name}", "It must not be empty, `.` or `..`.", f"Send a real {name}.")],
        )
    return quote(text, safe="")


def plain(value: Any) -> str:
    """A value as text for a path or query: as JSON would write it, without quotes."""
    if isinstance(value, str):
        return value
    made = msgspec.to_builtins(value)
    return made if isinstance(made, str) else msgspec.json.encode(made).decode()


def _pairs(names: Sequence[tuple[str, str]], values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The query of one use, with the upstream's own names: None is left out, a list repeats its name."""
    pairs: list[tuple[str, str]] = []
    for own, name in names:
        value = values[own]
        if isinstance(value, list | tuple | set | frozenset):
            pairs += [(name, plain(item)) for item in value]
        elif value is not None:
            pairs.append((name, plain(value)))
    return pairs
