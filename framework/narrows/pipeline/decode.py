"""Step 5: text becomes typed values, strictly; every field that does not hold is named at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import inspect as mi

from narrows.call import Call
from narrows.declare.shape import Parameter, bare, leaves
from narrows.errors import FieldError, InvalidInput
from narrows.pipeline.differing import differing, shared_names
from narrows.pipeline.fields import CAP, collect, escape, unknown, wrong
from narrows.pipeline.finite import odd_decimals
from narrows.pipeline.inputs import refuse_unsafe
from narrows.pipeline.scenario import read_scenario
from narrows.pipeline.step import Preparing, Step
from narrows.pipeline.strictjson import parse
from narrows.pipeline.textfield import TextField
from narrows.pipeline.variables import variables_reader

ReadBody = Callable[[Call, list[FieldError]], Awaitable[None]]


def prepare(preparing: Preparing) -> Step:
    """Make the step for one endpoint, and refuse inputs without type or bound."""
    shape = preparing.shape
    refuse_unsafe(preparing)
    in_path = {p.name: TextField.prepare(p) for p in shape.of("path")}
    in_query = {p.name: TextField.prepare(p) for p in shape.of("query")}
    read_body = _body_reader(preparing, shape.body) if shape.body is not None else None
    read_variables = variables_reader(preparing)
    has_scenarios = not preparing.endpoint.builtin

    async def decode(call: Call) -> None:
        found: list[FieldError] = []
        arguments = call.arguments
        for name, field in in_path.items():
            arguments[name] = field.read((call.raw.path[name],), found)
        if in_query or call.raw.query:
            _read_query(call.raw.query, in_query, arguments, found)
        if read_body is not None:
            await read_body(call, found)
        if read_variables is not None:
            read_variables(call, found)
        if has_scenarios and call.mode == "sandbox":
            read_scenario(call, found)
        if found:
            raise InvalidInput(errors=found[:CAP])
        call.decoded = True

    return decode


def _read_query(
    sent: Sequence[tuple[str, str]],
    fields: Mapping[str, TextField],
    arguments: dict[str, Any],
    found: list[FieldError],
) -> None:
    """Read the query: each declared name, and nothing else."""
    texts: dict[str, list[str]] = {name: [] for name in fields}
    strangers: dict[str, None] = {}
    for name, text in sent:
        if name in texts:
            texts[name].append(text)
        else:
            strangers[name] = None
    for name, field in fields.items():
        arguments[name] = field.read(texts[name], found)
    found += [unknown(f"/query/{escape(name)}", fields) for name in list(strangers)[:CAP]]


def _body_reader(preparing: Preparing, body: Parameter) -> ReadBody:
    """What reads the body of one endpoint."""
    limits = preparing.ground.settings.limits
    decoder = msgspec.json.Decoder(body.type)
    shared = shared_names(preparing.shape, body)
    has_decimals = any(isinstance(bare(leaf.info), mi.DecimalType) for leaf in leaves(body.type))

    async def read(call: Call, found: list[FieldError]) -> None:
        raw = await call.raw.read_body(limits.body_bytes)
        plain = parse(raw, limits.json_depth, found)
        try:
            value = decoder.decode(raw)
        except (ValueError, OverflowError, RecursionError):
            found += collect(plain, body.type, "/body") or [wrong(body.type, "/body")]
            return
        call.arguments[body.name] = value
        found += differing(value, call.arguments, shared)
        if has_decimals:
            found += [FieldError(p, "It must be finite.", "Send 12.50.") for p in odd_decimals(value, "/body")]

    return read
