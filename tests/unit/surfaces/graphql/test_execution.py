"""Documents carried out: what is asked with which arguments, what is answered, and which failure ends it."""

import asyncio
import gc
from datetime import UTC, datetime

import msgspec
import pytest
from graphql import execute, parse, validate
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from narrows.errors import AlreadyAttempted, Forbidden, InvalidInput, NotFound
from narrows.surfaces.graphql.execution import execution
from tests.unit.surfaces.graphql.asking import (
    JOINED,
    Answering,
    Cat,
    Dog,
    Enemy,
    Group,
    Person,
    Seat,
    calling,
    carried_out,
    schema_of,
    wait_for,
)

ANNA, NOBODY = Person(id=1, name="anna"), Person(id=2)
GROUP = Group(
    id="g",
    name="Platform",
    since=datetime(2026, 1, 2, tzinfo=UTC),
    chair=NOBODY,
    rows=[[Seat(row=1, person=ANNA), Seat(row=2)], []],
    pets=[Cat(name="Mia", owner=ANNA), Dog(name="Rex", age=3)],
)
ALL = {"group": GROUP, "person": ANNA, "order": ANNA, "cancel": NOBODY}


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    """The schema of the BFF."""
    return schema_of(tmp_path_factory.mktemp("queries"))


@pytest.mark.parametrize(
    ("written", "given", "variables"),
    [
        ("group(group_id: 7)", {"group_id": 7}, {}),
        ("group(group_id: $n)", {"group_id": 8}, {"n": 8}),
        ("group(group_id: $n, limit: $other)", {"group_id": 8}, {"n": 8}),
        ("group(group_id: $n, limit: $some)", {"group_id": 8, "limit": 3}, {"n": 8}),
        ("group(group_id: $n, limit: $some)", {"group_id": 8, "limit": 9}, {"n": 8, "some": 9}),
        ("group(group_id: 7, note: null)", {"group_id": 7, "note": None}, {}),
        ("group(group_id: 7, note: $note)", {"group_id": 7, "note": None}, {"note": None}),
    ],
)
def test_arguments_of_reads(schema, written, given, variables):
    """Literals, variables and their defaults; what is not sent is not there, and null is."""
    answering = Answering(ALL)
    source = f"query Q($n: Long! = 1, $other: Long, $some: Long = 3, $note: String) {{ {written} {{ id }} }}"
    carried_out(schema, source, answering, variables)
    assert answering.asked == [("group", given)]


@pytest.mark.parametrize(
    ("written", "given"),
    [
        ('{wishes: [{dish: "soup"}]}', {"wishes": [{"dish": "soup", "seats": []}], "note": "-"}),
        ('{wishes: {dish: "soup", seats: 1}}', {"wishes": [{"dish": "soup", "seats": [1]}], "note": "-"}),
        ("{wishes: [{dish: $dish}]}", {"wishes": [{"dish": "rice"}]}),
        ("{wishes: {dish: $dish, seats: $seats}}", {"wishes": [{"dish": "rice", "seats": [4]}]}),
        ("{wishes: [{dish: $dish, seats: [1, $seat]}]}", {"wishes": [{"dish": "rice", "seats": [1, 5]}]}),
        ("{wishes: [$wish], note: $note}", {"wishes": [{"dish": "bread"}]}),
        ("{wishes: [$wish, $none], note: $said}", {"wishes": [{"dish": "bread"}, None], "note": "so"}),
    ],
)
def test_arguments_within_objects_and_lists(schema, written, given):
    """A variable may stand anywhere in a literal: one that is not sent is left out of an object, and null in a list."""
    answering = Answering(ALL)
    source = (
        "mutation M($dish: String!, $seats: [Long!]!, $seat: Long!, $wish: WishInput!, $none: WishInput,"
        ' $note: String, $said: String = "so") { order(order: ' + written + ") { id } }"
    )
    carried_out(schema, source, answering, {"dish": "rice", "seats": [4], "seat": 5, "wish": {"dish": "bread"}})
    assert answering.asked == [("order", {"order": given})]


def test_what_keeps_its_names_is_not_touched(schema):
    """An answer that a document takes under its own names is handed on as it is."""
    execute_it = execution(schema, parse("{ group(group_id: 7) { name rows { rowNumber } } }"))
    call = calling(Answering(ALL))
    assert asyncio.run(wait_for(execute_it(call, {})))["group"] is GROUP


@pytest.mark.parametrize(
    ("selected", "answered"),
    [
        ("chair { id name }", {"chair": {"id": 2, "name": "nobody"}}),
        ("boss: chair { number: id }", {"boss": {"number": 2}}),
        (
            "rows { line: rowNumber person { id } }",
            {"rows": [[{"line": 1, "person": {"id": 1}}, {"line": 2, "person": None}], []]},
        ),
        ("__typename chair { kind: __typename }", {"__typename": "Group", "chair": {"kind": "Person"}}),
        ("... on Group { a: name } ...F", {"a": "Platform", "b": "g"}),
        ("x: tags", {"x": None}),
        ("a: chair { id } a: chair { name }", {"a": {"id": 2, "name": "nobody"}}),
    ],
)
def test_other_names(schema, selected, answered):
    """Keys of a document stand in the place of the names of fields, in their order, at any depth."""
    found = carried_out(schema, f"{{ group(group_id: 7) {{ {selected} }} }} {_fragment(selected)}", Answering(ALL))
    assert found == {"group": answered}


def _fragment(selected):
    return "fragment F on Group { b: id }" if "...F" in selected else ""


def test_an_answer_that_is_not_of_its_type_is_read_by_it(schema):
    """A function may answer plain objects, which are read as REST reads them; what does not hold is a fault."""
    source = "{ person { who: name } }"
    assert carried_out(schema, source, Answering({"person": {"id": 1, "name": "x"}})) == {"person": {"who": "x"}}
    with pytest.raises(msgspec.ValidationError):
        carried_out(schema, source, Answering({"person": {"id": "?"}}))


def test_the_root_has_a_name(schema):
    """`__typename` of the root is asked of nobody."""
    answering = Answering(ALL)
    assert carried_out(schema, "{ kind: __typename }", answering) == {"kind": "Query"}
    assert answering.asked == []


def test_the_first_failure_in_the_order_of_the_selection_counts(schema):
    """Whichever upstream is faster: the later field's failure waits for the one before it."""
    is_first = asyncio.Event

    async def run():
        told = is_first()

        async def late():
            await told.wait()
            return Forbidden("first")

        async def early():
            told.set()
            return NotFound("second")

        answering = Answering({"group": late, "person": early})
        execute_it = execution(schema, parse("{ group(group_id: 7) { id } person { id } }"))
        await execute_it(calling(answering), {})

    with pytest.raises(Forbidden):
        asyncio.run(run())


def test_a_failure_ends_what_is_asked_beside_it(schema):
    """Fields behind one that failed are cancelled, and have ended before the failure is raised."""

    async def run():
        ended = []

        async def forever():
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended.append("person")

        async def fails():
            await asyncio.sleep(0)
            return NotFound()

        execute_it = execution(schema, parse("{ group(group_id: 7) { id } person { id } }"))
        with pytest.raises(NotFound):
            await execute_it(calling(Answering({"group": fails, "person": forever})), {})
        return ended

    assert asyncio.run(run()) == ["person"]


def test_failures_that_nobody_is_told_of_are_not_complained_about(schema):
    """Two fields fail: one failure is raised, and asyncio says nothing of the other."""
    complaints = []

    async def run():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

        async def fails():
            await asyncio.sleep(0)
            return NotFound()

        execute_it = execution(schema, parse("{ person { id } group(group_id: 7) { id } more: person { id } }"))
        with pytest.raises(NotFound):
            await execute_it(calling(Answering({"group": fails, "person": fails})), {})

    asyncio.run(run())
    gc.collect()
    assert complaints == []


def test_mutations_are_asked_in_turn(schema):
    """A mutation's fields run one after the other; behind one that fails none is asked."""
    order = '(order: {wishes: [{dish: "soup"}]})'
    source = f"mutation {{ order{order} {{ id }} cancel{order} {{ id }} }}"
    answering = Answering(ALL)
    assert carried_out(schema, source, answering) == {"order": {"id": 1}, "cancel": {"id": 2}}
    assert [name for name, _ in answering.asked] == ["order", "cancel"]
    failing = Answering({**ALL, "order": AlreadyAttempted()})
    with pytest.raises(AlreadyAttempted):
        carried_out(schema, source, failing)
    assert [name for name, _ in failing.asked] == ["order"]


@pytest.mark.parametrize("count", [1, 5])
def test_conditions(schema, count):
    """What `@skip` and `@include` leave out is not asked for, by one variable or by many."""
    declared = "".join(f", $v{number}: Boolean = false" for number in range(count - 1))
    skipped = "".join(f" x{number}: id @skip(if: $v{number})" for number in range(count - 1))
    source = (
        f"query Q($yes: Boolean!{declared}) {{ person {{ id name @include(if: $yes) }} "
        f"... on Query @skip(if: $yes) {{ group(group_id: 7) {{ n: id name @skip(if: true){skipped} }} }} }}"
    )
    person, group = {"id": 1, "name": "anna"}, {"n": "g"} | {f"x{number}": "g" for number in range(count - 1)}
    assert carried_out(schema, source, Answering(ALL), {"yes": True}) == {"person": person}
    found = carried_out(schema, source, Answering(ALL), {"yes": False})
    assert found == {"person": {"id": 1}, "group": group}


def test_a_condition_that_is_null(schema):
    """It is neither true nor false, which its problem says."""
    source = "query Q($yes: Boolean = true) { person { id @include(if: $yes) name } }"
    with pytest.raises(InvalidInput) as raised:
        carried_out(schema, source, Answering(ALL), {"yes": None})
    assert [error.pointer for error in raised.value.errors] == ["/variables/yes"]


def test_a_join_is_asked_once_for_all_parents_at_its_place(schema):
    """Whatever number of parents there is, at any depth; below it the next level is one call again."""
    rows = [[Seat(row=number, person=Person(id=number, name="x")) for number in (1, 2, 3)], [Seat(row=4)]]
    group = msgspec.structs.replace(GROUP, rows=rows)
    source = """{ group(group_id: 7) {
        chair { friend { id } }
        rows { person { id friend { id nobody: friend(after: 1) { id } greeting } } }
    } }"""
    JOINED.clear()
    found = carried_out(schema, source, Answering({"group": group}))["group"]
    assert JOINED == [[2], [1, 2, 3], [2, 3]]
    assert found["chair"] == {"friend": {"id": 3}}
    assert found["rows"][1] == [{"person": None}]
    assert [seat["person"]["friend"] for seat in found["rows"][0]] == [
        {"id": 2, "nobody": {"id": 4}, "greeting": "Hello, friend of x!"},
        {"id": 3, "nobody": None, "greeting": "Hello, friend of x!"},
        None,
    ]


def test_arguments_of_what_is_added(schema):
    """Variables and literals, as strictly as any other argument."""
    source = "query Q($word: String!) { person { a: greeting b: greeting(word: $word) later } }"
    said = {"a": "Hello, anna!", "b": "Hi, anna!", "later": "Goodbye, anna!"}
    assert carried_out(schema, source, Answering(ALL), {"word": "Hi"}) == {"person": said}
    with pytest.raises(InvalidInput):
        carried_out(schema, source, Answering(ALL), {"word": ""})


def test_the_problem_of_a_join_ends_the_document(schema):
    """It is told at the field of the document that it stands in, and goes before those behind it."""
    answering = Answering({"group": GROUP, "person": Person(id=1, name="enemy")})
    execute_it = execution(schema, parse("{ group(group_id: 7) { id } foe: person { friend { id } } }"))
    call = calling(answering)
    with pytest.raises(Enemy):
        asyncio.run(wait_for(execute_it(call, {})))
    assert call.at == ("foe",)


def test_one_of_several_types(schema):
    """What is selected of an object depends on which one it is, and nothing of another form goes out."""
    selected = "pets { __typename ... on Cat { name owner { id } } ...Old ... on CatOrDog { __typename } }"
    source = f"{{ group(group_id: 7) {{ {selected} }} }} fragment Old on Dog {{ age }}"
    wanted = [
        {"__typename": "Cat", "name": "Mia", "owner": {"id": 1}},
        {"__typename": "Dog", "age": 3},
    ]
    assert carried_out(schema, source, Answering(ALL)) == {"group": {"pets": wanted}}
    plain = msgspec.structs.replace(GROUP, pets=msgspec.to_builtins(GROUP.pets))
    assert carried_out(schema, source, Answering({"group": plain})) == {"group": {"pets": wanted}}


KEYS = st.sampled_from(["", "", "a: ", "b: ", "name: ", "id: "])
_LEAVES = {
    "Person": ["id", "name", "greeting", "later"],
    "Seat": ["rowNumber"],
    "Group": ["id", "name", "since", "tags"],
}
_OBJECTS = {"Person": {"friend": "Person"}, "Seat": {"person": "Person"}, "Group": {"chair": "Person", "rows": "Seat"}}


@st.composite
def selections(draw, kind, depth=3):
    """Any selection of a type, with other names, fragments and the names of types."""
    parts = []
    for _ in range(draw(st.integers(1, 5))):
        names = ["__typename", *_LEAVES[kind], *(_OBJECTS[kind] if depth else ())]
        name, key = draw(st.sampled_from(names)), draw(KEYS)
        inner = _OBJECTS[kind].get(name)
        parts.append(f"{key}{name}" + (f" {draw(selections(inner, depth - 1))}" if inner else ""))
    if depth and draw(st.booleans()):
        parts.append(f"... on {kind} {draw(selections(kind, 0))}")
    return "{ " + " ".join(parts) + " }"


SEATS = st.builds(Seat, row=st.integers(1, 99), person=st.none() | st.builds(Person, id=st.integers(1, 9)))
GROUPS = st.builds(
    Group,
    id=st.just("g"),
    name=st.text(min_size=1, max_size=5, alphabet='aé"\\'),
    since=st.just(GROUP.since),
    chair=st.builds(Person, id=st.integers(1, 9), name=st.sampled_from(["nobody", "x"])),
    rows=st.lists(st.lists(SEATS, max_size=2), max_size=2),
    tags=st.none() | st.lists(st.just("t"), max_size=2),
    pets=st.lists(st.sampled_from(GROUP.pets), max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(selected=selections("Group"), person=selections("Person", 0), group=GROUPS)
def test_the_same_as_graphql_core(schema, selected, person, group):
    """For any document and answer: what it selects is what a plain execution by graphql-core answers, to the byte."""
    pets = "pets { __typename ... on Dog { years: age } ... on Cat { name also: name boss: owner { friend { id } } } }"
    source = f"{{ one: group(group_id: 7) {selected} person {person} pets: group(group_id: 7) {{ {pets} }} }}"
    assume(not validate(schema.core, parse(source)))  # two fields under one key
    answers = {"group": group, "person": ANNA}
    give_resolvers(schema)
    plain = asyncio.run(carried_out_by_core(schema, source, answers))
    assert plain.errors is None
    found = carried_out(schema, source, Answering(answers))
    assert msgspec.json.encode(narrowed(found, plain.data)) == msgspec.json.encode(plain.data)


async def carried_out_by_core(schema, source, answers):
    """A plain execution, field by field; joins are asked for each parent."""
    result = execute(schema.core, parse(source), context_value=answers)
    return await result if hasattr(result, "__await__") else result


def give_resolvers(schema):
    """What graphql-core needs to carry a document out itself: answers by field, attributes by their names in JSON."""
    for field in schema.core.query_type.fields.values():
        field.resolve = lambda _, info, **__: info.context[info.field_name]
    for name, struct in schema.structs.items():
        for known in msgspec.structs.fields(struct):
            schema.core.type_map[name].fields[known.encode_name].resolve = reader(known.name)
    for (kind, name), added in schema.added.items():
        schema.core.type_map[kind].fields[name].resolve = adder(added)
    for name in schema.unions:
        schema.core.type_map[name].resolve_type = lambda value, *_: type(value).__name__


def adder(added):
    """What resolves a field that was added, for one parent."""

    async def joined(parent, _, **arguments):
        (answer,) = await added.function([parent], **arguments)
        return answer

    return joined if added.uses is not None else lambda parent, _, **arguments: added.function(parent, **arguments)


def reader(attribute):
    """What reads an attribute."""
    return lambda parent, _: getattr(parent, attribute)


def narrowed(found, plain):
    """What the type of the answer leaves, with which this file has nothing to do: the keys that are selected."""
    match plain:
        case dict():
            return {key: narrowed(found[key], value) for key, value in plain.items()}
        case list():
            return [narrowed(*pair) for pair in zip(found, plain, strict=True)]
    return found
