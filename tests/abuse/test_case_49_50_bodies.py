"""Cases 49 and 50: bodies that break parsers, and properties that nobody declared."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
import pytest
import pytest_asyncio
from msgspec import Meta

from narrows import Answer, Bff, Input, Narrow, Upstream, write
from narrows.errors import StartRefused
from narrows.surfaces.http import Application
from tests.abuse.attack import Got, post, to_upstreams
from tests.abuse.victim import Host, attacked
from tests.flow.world import World, make_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Large enough that the depth itself is judged, and not only the size.
MILLION = {"limits": {"body_bytes": 4_000_000, "json_depth": 256}}
DEEP = 100_000
BASES = ["", "/rehearse", "/sandbox"]
GOOD = b'{"text":"x"}'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict() -> AsyncIterator[tuple[World, Host]]:
    """One world for all: nothing that is refused may leave a trace in it."""
    async with attacked() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wide() -> AsyncIterator[tuple[World, Host]]:
    """A world whose settings let in as much as settings can."""
    async with attacked(**MILLION) as made:
        yield made


async def send(world: World, body: bytes, base: str = "") -> Got:
    """Send a body, and see that whatever it does takes no long time."""
    began = time.perf_counter()
    got = await post(world.app, f"{base}/parcels", body, token=world.token())
    assert time.perf_counter() - began < 2
    return got


async def refused(world: World, body: bytes, base: str = "") -> Got:
    """Send a body that must be a 400: nothing goes upstream, and the next call is served."""
    before = len(to_upstreams(world))
    got = await send(world, body, base)
    assert (got.status, got.problem["status"]) == (400, 400), got.body[:300]
    assert got.header("cache-control") == "private, no-store"
    assert len(got.body) < 20_000
    assert len(to_upstreams(world)) == before
    assert (await send(world, GOOD, base)).status == 200
    return got


def around(inner: bytes, field: bytes = b"text") -> bytes:
    """A body with one value in it."""
    return b'{"text":"x","%b":%b}' % (field, inner) if field != b"text" else b'{"text":%b}' % inner


def nested(opening: bytes, closing: bytes, inner: bytes = b"") -> bytes:
    """A value in a hundred thousand others."""
    return opening * DEEP + inner + closing * DEEP


DEPTHS: dict[str, bytes] = {
    "the body itself": nested(b"[", b"]"),
    "objects": nested(b'{"a":', b"}", b"1"),
    "a text": around(nested(b"[", b"]")),
    "a whole number": around(nested(b"[", b"]"), b"count"),
    "a list": around(nested(b"[", b"]"), b"labels"),
    "objects of a list": around(nested(b'[{"name":', b"}]", b'"x"'), b"labels"),
    "a map": around(nested(b'{"a":', b"}", b'"x"'), b"extra"),
    "a map's value": around(b'{"a":' + nested(b"[", b"]") + b"}", b"extra"),
    "a type that holds itself": nested(b'{"text":"x","below":', b"}", b"null"),
    "an unknown field": around(nested(b"[", b"]"), b"nobody"),
    "an unknown field of objects": around(nested(b'{"a":', b"}", b"1"), b"nobody"),
    "an unknown field below": around(b'{"text":"y","nobody":' + nested(b"[", b"]") + b"}", b"below"),
    "never closed": around(b"[" * DEEP),
    "objects never closed": b'{"text":' * DEEP,
    "after a text full of quotes": around(b'"' + b'\\"' * DEEP + b'"') + b"[" * DEEP,
    "closed the wrong way": around(b"[" * DEEP + b"}" * DEEP),
}


@pytest.mark.parametrize("name", DEPTHS)
async def test_case_49_depth_is_a_400(wide: tuple[World, Host], name: str) -> None:
    """A hundred thousand levels are a 400 wherever they stand, and no recursion of ours ends in a 500."""
    await refused(wide[0], DEPTHS[name])


@pytest.mark.parametrize("base", BASES)
async def test_case_49_depth_is_a_400_under_every_base_path(wide: tuple[World, Host], base: str) -> None:
    """A rehearsal and the sandbox parse as strictly as a live call."""
    await refused(wide[0], DEPTHS["an unknown field"], base)


@pytest.mark.parametrize("depth", [32, 33])
async def test_case_49_the_depth_is_counted_exactly(strict: tuple[World, Host], depth: int) -> None:
    """The deepest body that is allowed is read, and one level more is refused."""
    body = b'{"text":"x","below":' * (depth - 1) + GOOD + b"}" * (depth - 1)
    got = await send(strict[0], body)
    assert got.status == (200 if depth == 32 else 400), got.body


async def test_case_49_brackets_in_a_text_are_no_depth(strict: tuple[World, Host]) -> None:
    """A text may hold what looks like a nesting, also behind escaped quotes."""
    text = '\\"[[{{' * 20
    got = await send(strict[0], msgspec.json.encode({"text": text[:100]}))
    assert got.status == 200


HANGS: dict[str, bytes] = {
    "escaped quotes in a text without end": b"[" * 40 + b'"' + b'\\"' * 30_000,
    "escaped quotes that end in a backslash": b"[" * 40 + b'"' + b'\\"' * 30_000 + b"\\",
    "backslashes": b"[" * 40 + b'"' + b"\\" * 60_000,
    "quotes": b"[" * 40 + b'"' * 60_001,
    "backslashes outside a text": b"[" * 40 + b"\\" * 60_000,
    "brackets": b"[]" * 32_000,
    "empty objects": b"[" + b"{}," * 21_000 + b"{}]",
    "the same key": b"{" + b",".join([b'"a":1'] * 9_000) + b"}",
    "as many keys": b"{" + b",".join(b'"a%d":1' % number for number in range(5_000)) + b"}",
    "as many keys below": around(b"[" + b",".join([b'{"a":1,"a":1}'] * 4_000) + b"]", b"labels"),
    "a long key": b'{"' + b"k" * 60_000 + b'":1}',
    "a long key of slashes": b'{"' + b"~/" * 30_000 + b'":1}',
    "many digits": around(b"1" * 60_000, b"count"),
    "many digits of a fraction": around(b"0." + b"1" * 60_000, b"weight"),
    "many digits in a text": around(b'"' + b"1" * 60_000 + b'"', b"price"),
    "white space": b"{" + b" " * 60_000 + b"]",
}


@pytest.mark.parametrize("name", HANGS)
async def test_case_49_no_body_costs_more_than_its_length(strict: tuple[World, Host], name: str) -> None:
    """A body within the cap is read in a time that grows with its length and not with the square of it."""
    await refused(strict[0], HANGS[name])


TEXTS: dict[str, bytes] = {
    "a byte that no UTF-8 has": around(b'"\xff"'),
    "half a character": around(b'"\xc3"'),
    "an overlong slash": around(b'"\xc0\xaf"'),
    "an overlong zero": around(b'"\xc0\x80"'),
    "a surrogate as UTF-8": around(b'"\xed\xa0\x80"'),
    "past the last character": around(b'"\xf4\x90\x80\x80"'),
    "invalid UTF-8 in a key": b'{"text":"x","\xff":1}',
    "invalid UTF-8 in an unknown field": around(b'"\xff"', b"nobody"),
    "invalid UTF-8 after the end": GOOD + b"\xff",
    "latin-1": '{"text":"ü"}'.encode("latin-1"),
    "a lone high surrogate": around(b'"\\ud800"'),
    "a lone low surrogate": around(b'"\\udc00"'),
    "surrogates the wrong way round": around(b'"\\udc00\\ud800"'),
    "a lone surrogate in capitals": around(b'"\\uDBFF"'),
    "a lone surrogate in a key": b'{"text":"x","\\ud800":1}',
    "a lone surrogate in a map's key": around(b'{"\\ud800":"x"}', b"extra"),
    "a lone surrogate in an unknown field": around(b'"\\ud800"', b"nobody"),
    "a lone surrogate in an unknown object": around(b'[{"a":"\\ud800"}]', b"nobody"),
    "a BOM": b"\xef\xbb\xbf" + GOOD,
    "two BOMs": b"\xef\xbb\xbf" * 2 + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "UTF-16 without BOM": GOOD.decode().encode("utf-16-le"),
    "UTF-32": GOOD.decode().encode("utf-32"),
    "UTF-7": b"+AHs-",
    "a raw zero": around(b'"\x00"'),
    "a raw line break": around(b'"\n"'),
    "an escape that there is not": around(b'"\\x41"'),
    "half an escape": around(b'"\\u12"'),
    "an escape that never ends": around(b'"\\'),
    "nothing": b"",
    "white space": b" \n\t ",
    "a form feed": b"\x0c" + GOOD,
    "a no-break space": b"\xc2\xa0" + GOOD,
    "a zero": b"\x00",
    "half a body": b'{"text":"x"',
    "two bodies": GOOD + GOOD,
    "a body and more": GOOD + b"]",
    "a comma too many": b'{"text":"x",}',
    "a comment": b'{"text":"x"/**/}',
    "a comment of a line": GOOD + b"//",
    "single quotes": b"{'text':'x'}",
    "a name without quotes": b'{text:"x"}',
    "JSON lines": GOOD + b"\n" + GOOD,
    "a callback": b'a({"text":"x"})',
    "a prefix against scripts": b")]}'," + GOOD,
    "a list": b'[{"text":"x"}]',
    "a text": b'"x"',
    "null": b"null",
    "true": b"true",
    "a number": b"1",
    "a form": b"text=x",
    "a literal in capitals": b'{"text":"x","below":NULL}',
}


@pytest.mark.parametrize("name", TEXTS)
async def test_case_49_what_is_no_json_in_utf_8_is_a_400(strict: tuple[World, Host], name: str) -> None:
    """Broken UTF-8, surrogates, marks of byte order and everything that only looks like JSON are refused."""
    got = await refused(strict[0], TEXTS[name])
    assert got.kind in {"malformed-request", "invalid-input"}


@pytest.mark.parametrize(
    "number",
    [
        *(b"NaN", b"-NaN", b"nan", b"Infinity", b"-Infinity", b"1e99999", b"-1e99999", b"1E+99999", b"1e309"),
        *(b"9" * 5_000, b"-" + b"9" * 5_000, b"0." + b"9" * 5_000, b"1" + b"0" * 5_000 + b"e-5000"),
        *(b"1e" + b"9" * 5_000, b"01", b"-01", b"+1", b".5", b"1.", b"1e", b"0x10", b"1_000", b"--1", b"1e5.5", b"1,5"),
    ],
    ids=lambda number: number[:24].decode(),
)
@pytest.mark.parametrize("field", [b"count", b"weight", b"price", b"nobody", b"below"])
async def test_case_49_a_number_that_is_none_is_a_400(strict: tuple[World, Host], field: bytes, number: bytes) -> None:
    """Numbers without an end, without a value or in a form that JSON does not have are refused in every field."""
    await refused(strict[0], around(number, field))


@pytest.mark.parametrize("number", [b"18446744073709551616", b"-9223372036854775809", b"9" * 64])
@pytest.mark.parametrize("field", [b"count", b"weight"])
async def test_case_49_a_number_past_its_bound_is_a_400(
    strict: tuple[World, Host], field: bytes, number: bytes
) -> None:
    """A number that no machine word holds is out of bounds, not an overflow."""
    await refused(strict[0], around(number, field))


@pytest.mark.parametrize(
    "text",
    ["NaN", "sNaN", "-sNaN123", "Infinity", "-Inf", "1e999999", "1e-999999", "1e9999999999999999999", "9" * 5_000],
    ids=lambda text: text[:12],
)
@pytest.mark.parametrize("base", BASES)
async def test_case_49_a_decimal_that_is_no_number_is_a_400(strict: tuple[World, Host], text: str, base: str) -> None:
    """What an exact decimal reads as text has no value that is not finite, and none that fills the memory."""
    body = msgspec.json.encode({"text": "x", "price": text})
    await refused(strict[0], body, base)
    await refused(strict[0], b'{"text":"x","below":%b}' % body, base)


@pytest.mark.parametrize("path", ["1", "2", "NaN", "sNaN", "Infinity"])
@pytest.mark.parametrize("text", ["1", "NaN", "sNaN", "-Infinity"])
async def test_case_49_numbers_that_cannot_be_compared_are_a_400(
    strict: tuple[World, Host], path: str, text: str
) -> None:
    """A body whose number must be that of the path: what is no number is no fault of ours either."""
    got = await post(strict[0].app, f"/prices/{path}", {"text": "x", "price": text}, token=strict[0].token())
    assert got.status == (200 if path == text == "1" else 400), got.body


TWICE: dict[str, tuple[bytes, str]] = {
    "the body": (b'{"text":"x","text":"y"}', "/body/text"),
    "the same value": (b'{"text":"x","text":"x"}', "/body/text"),
    "written otherwise": (b'{"text":"x","te\\u0078t":"y"}', "/body/text"),
    "an object below": (b'{"text":"x","below":{"text":"x","count":1,"count":2}}', "/body/below/count"),
    "an object of a list": (b'{"text":"x","labels":[{"name":"a"},{"name":"a","name":"b"}]}', "/body/labels/1/name"),
    "a map": (b'{"text":"x","extra":{"a":"b","a":"c"}}', "/body/extra/a"),
    "four levels below": (
        b'{"text":"x","below":{"text":"x","below":{"text":"x","below":{"text":"x","text":"y"}}}}',
        "/body/below/below/below/text",
    ),
    "an unknown field": (b'{"text":"x","nobody":{"a":1,"a":2}}', "/body/nobody/a"),
    "an unknown name": (b'{"text":"x","nobody":1,"nobody":2}', "/body/nobody"),
    "an object that is replaced": (
        b'{"text":"x","below":{"text":"x","text":"y"},"below":null}',
        "/body/below",
    ),
}


@pytest.mark.parametrize("name", TWICE)
async def test_case_49_a_key_that_stands_twice_is_refused(strict: tuple[World, Host], name: str) -> None:
    """Neither the first nor the last value wins: the key is named, at any depth."""
    body, pointer = TWICE[name]
    got = await refused(strict[0], body)
    assert (pointer, "The key stands twice.") in {(e["pointer"], e["detail"]) for e in got.problem["errors"]}


async def test_case_49_a_body_that_holds_everything_good_is_read(strict: tuple[World, Host]) -> None:
    """What the bad bodies differ from goes through, characters outside the first plane included."""
    world, host = strict
    body = (
        b'{"text":"\\ud83c\\udf72 \xf0\x9f\x8d\xb2 ","count":1000000,"weight":1e2,"price":"12.50",'
        b'"when":"2026-11-23T12:30:00+01:00","labels":[{"name":"a"}],"extra":{"a":"b"},"below":{"text":"y"}}'
    )
    assert (await send(world, body)).status == 200
    assert msgspec.json.decode(host.bodies[-1])["name"] == "\N{POT OF FOOD} \N{POT OF FOOD} "


@pytest.mark.parametrize("kind", [dict[str, Any], Any, msgspec.Raw, list[Any], dict[str, object]], ids=str)
async def test_case_49_a_field_that_takes_anything_does_not_start(kind: Any) -> None:
    """There is no field into which an undeclared nesting could be put."""

    class Anything(Input):
        free: Annotated[kind, Meta(description="anything")]  # type: ignore[valid-type]

    class Thing(Narrow):
        name: str = ""

    class Depot(Upstream):
        """An upstream."""

        @write("/things", asks="profiles:read")
        def put(self, thing: Thing) -> Answer[Thing]: ...

    bff = Bff(
        "free", version="1.0.0", owner="red@example.com", purpose="Take anything", exposure="internal",
        sensitivity="internal", importance="low", review_by="2027-05-01",
    )  # fmt: skip

    async def take(body: Anything) -> Thing:
        """Take it."""
        return Thing()

    take.__annotations__ = {"body": Anything, "return": Thing}
    bff.write("/things", roles={"member"}, scope="dining:read", uses=[Depot.put], rate="5/minute")(take)
    with pytest.raises(StartRefused, match=r"input-untyped|input-open|type-unknown"):
        Application(bff, make_settings(upstreams={"depot": {"url": "https://depot.test", "audience": "people-api"}}))


# --- case 50 --------------------------------------------------------------------------------------------------------

STRANGERS: dict[str, tuple[dict[str, Any], str]] = {
    "the body": ({"isAdmin": True}, "/body/isAdmin"),
    "null": ({"isAdmin": None}, "/body/isAdmin"),
    "another case": ({"Count": 2}, "/body/Count"),
    "white space": ({"count ": 2}, "/body/count "),
    "a zero-width space": ({"cou\u200bnt": 2}, "/body/cou\u200bnt"),
    "a look-alike": ({"\u0441ount": 2}, "/body/\u0441ount"),
    "a prototype": ({"__proto__": {"isAdmin": True}}, "/body/__proto__"),
    "a constructor": ({"constructor": {"prototype": {}}}, "/body/constructor"),
    "a class": ({"__class__": "x"}, "/body/__class__"),
    "a tag": ({"type": "Parcel"}, "/body/type"),
    "a schema": ({"$ref": "http://evil.test/"}, "/body/$ref"),
    "an empty name": ({"": 1}, "/body/"),
    "a pointer": ({"a/b~c": 1}, "/body/a~1b~0c"),
    "an object below": ({"below": {"text": "y", "isAdmin": True}}, "/body/below/isAdmin"),
    "an object of a list": ({"labels": [{"name": "a", "isAdmin": True}]}, "/body/labels/0/isAdmin"),
    "a long name": ({"n" * 5_000: 1}, "/body/" + "n" * 100),
}


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", STRANGERS)
async def test_case_50_an_unknown_property_is_named(strict: tuple[World, Host], name: str, base: str) -> None:
    """What nobody declared is a 400 that names it, at any depth, and its value is not repeated."""
    more, pointer = STRANGERS[name]
    got = await refused(strict[0], msgspec.json.encode({"text": "x", **more}), base)
    assert [error["pointer"] for error in got.problem["errors"]] == [pointer]


async def test_case_50_every_unknown_property_is_named_up_to_a_cap(strict: tuple[World, Host]) -> None:
    """Ten thousand of them are answered with fifty, and none of their values."""
    got = await refused(strict[0], msgspec.json.encode({f"k{n}": "canary-value" for n in range(2_000)}))
    assert len(got.problem["errors"]) == 50
    assert b"canary-value" not in got.body


@pytest.mark.parametrize("query", ["isAdmin=true", "ITEM_ID=1", "item_id=1", "=x", "a=1&a=2", "_method=DELETE"])
async def test_case_50_an_unknown_query_parameter_is_named(strict: tuple[World, Host], query: str) -> None:
    """A query holds what is declared and nothing else."""
    world, _ = strict
    before = len(to_upstreams(world))
    answer = await world.get(f"/items/1?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/query/" + query.partition("=")[0]
    assert len(to_upstreams(world)) == before


MORE = {
    "name": "good",
    "count": 1,
    "isAdmin": "canary-top",
    "inner": {"name": "inner", "secret": "canary-inner"},
    "more": [{"name": "one", "canary-name": "canary-list"}],
    "__proto__": {"a": "canary-proto"},
}


@pytest.mark.parametrize("base", ["", "/rehearse"])
async def test_case_50_an_unknown_property_of_an_answer_is_dropped(strict: tuple[World, Host], base: str) -> None:
    """What an upstream sends beside the declared fields reaches neither the client nor its rehearsal nor a log."""
    world, host = strict
    host.body = msgspec.json.encode(MORE)
    lines = len(world.records.lines)
    try:
        answer = await world.get(f"{base}/items/1")
    finally:
        host.reset()
    wanted = {"name": "good", "count": 1, "inner": {"name": "inner"}, "more": [{"name": "one"}]}
    assert (answer.status_code, answer.json()) == (200, wanted)
    seen = answer.content + repr(answer.headers).encode() + b"".join(world.records.lines[lines:])
    if base:
        listed = await world.get(f"{base}/rehearsals")
        assert listed.status_code == 200
        # A rehearsal tells the names of what was left out, and no value.
        seen += listed.content.replace(b"canary-name", b"")
    assert b"canary" not in seen


async def test_case_50_an_unknown_property_is_not_passed_on_to_the_next_upstream(strict: tuple[World, Host]) -> None:
    """What goes upstream is written from the declared type, whatever the client sent around it."""
    world, host = strict
    assert (await send(world, b'{"text":"x","extra":{"isAdmin":"true"}}')).status == 200
    assert msgspec.json.decode(host.bodies[-1]) == {"name": "x", "count": 1, "inner": None, "more": []}


async def test_case_50_a_deep_or_broken_part_that_is_dropped_is_a_502_or_dropped(wide: tuple[World, Host]) -> None:
    """An upstream's nonsense beside the declared fields never becomes a 500 here, live or rehearsed."""
    world, host = wide
    nonsense = [
        nested(b"[", b"]"), nested(b'{"a":', b"}", b"1"), b'"\xff"', b'"\\ud800"', b"NaN", b"1e99999", b"9" * 5_000,
    ]  # fmt: skip
    try:
        for base in ("", "/rehearse"):
            for value in nonsense:
                host.body = b'{"name":"x","ignored":' + value + b"}"
                answer = await world.get(f"{base}/items/1")
                assert answer.status_code in (200, 502), (base, value[:20], answer.text)
                assert b"ignored" not in answer.content
    finally:
        host.reset()
