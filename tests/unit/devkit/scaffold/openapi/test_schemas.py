"""What each form of a schema becomes, in every dialect; what cannot be expressed is a hole with its place."""

from typing import Any

import pytest

from narrows.devkit.scaffold.openapi import schemas as module
from narrows.devkit.scaffold.openapi.kinds import (
    Choice,
    Either,
    Flag,
    Keyed,
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
from tests.unit.devkit.scaffold.openapi.documents import kind, schemas_of

HERE = "#/components/schemas/It"
A = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
B = {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]}


def tagged(value: str, **properties: Any) -> dict[str, Any]:
    """An object whose field `kind` has one value."""
    held = {"kind": {"type": "string", "enum": [value]}, **properties}
    return {"type": "object", "properties": held, "required": ["kind"]}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, Text()),
        ({"type": "string", "minLength": 1, "maxLength": 9}, Text(1, 9)),
        ({"minLength": 0, "maxLength": 9.0}, Text(None, 9)),
        ({"type": "string", "pattern": "^a$"}, Text(pattern=r"^a(?!\n)$")),
        ({"type": "string", "format": "date-time"}, Text(form="moment")),
        ({"type": "string", "format": "date"}, Text(form="date")),
        ({"type": "string", "format": "uuid"}, Text(form="uuid")),
        ({"type": "string", "format": "date", "maxLength": 9}, Text(None, 9)),
        ({"type": "string", "format": "email"}, Text()),
        ({"type": "integer", "minimum": 1, "maximum": 9}, Whole(1, 9)),
        (
            {"type": "integer", "minimum": 1, "exclusiveMinimum": True, "maximum": 9, "exclusiveMaximum": True},
            Whole(2, 8),
        ),
        ({"type": "integer", "minimum": 0.5, "multipleOf": 5}, Whole(1, None, 5)),
        ({"type": "integer", "minimum": -1e30, "maximum": 1e30, "multipleOf": 1}, Whole()),
        ({"type": "integer", "maximum": 2**63}, Whole()),
        ({"type": "number", "minimum": 0, "maximum": 1}, Real(0, 1)),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, Real(above=0)),
        (
            {"multipleOf": 0.5, "type": "number"},
            Loose(Real(), "what it is a multiple of is not kept", f"{HERE}/multipleOf"),
        ),
        (
            {"type": "integer", "multipleOf": 0.5},
            Loose(Whole(), "what it is a multiple of is not kept", f"{HERE}/multipleOf"),
        ),
        ({"type": "boolean"}, Flag()),
        ({"type": "boolean", "enum": [True]}, Flag()),
        ({"enum": ["a", "b", "a"]}, Choice(("a", "b"))),
        ({"enum": ["a", 1]}, Choice(("a", 1))),
        ({"enum": ["a", None]}, Maybe(Choice(("a",)))),
        ({"enum": [None]}, Nothing()),
        ({"enum": [True, False]}, Flag()),
        ({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3}, Many(Text(), 1, 3)),
        ({"items": {"type": "string"}, "uniqueItems": True}, Many(Text())),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, Keyed(Whole())),
        ({"type": "string", "nullable": True}, Maybe(Text())),
        ({"type": "string", "x-nullable": True}, Maybe(Text())),
        ({"allOf": [{"type": "string"}], "nullable": True}, Text()),
        ({"allOf": [{"type": "string", "maxLength": 9}, {"minLength": 2, "maxLength": 5}]}, Text(2, 5)),
        ({"allOf": [{"type": "integer"}, {"type": "number", "maximum": 5}]}, Whole(None, 5)),
        ({"allOf": [{"enum": ["a", "b"]}, {"enum": ["b", "c"]}]}, Choice(("b",))),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, Either((Text(), Whole()))),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, Maybe(Text())),
        ({"oneOf": [{"type": "string", "nullable": True}, {"type": "boolean"}]}, Maybe(Either((Text(), Flag())))),
        ({"oneOf": [{"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["b"]}]}, Choice(("a", "b"))),
        ({"oneOf": [{"enum": ["a"]}, {"type": "string"}]}, Text()),
        ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, Real()),
        ({"oneOf": [{"type": "null"}]}, Nothing()),
        ({"oneOf": [{"oneOf": [{"type": "string"}]}, {"anyOf": [{"type": "boolean"}]}]}, Either((Text(), Flag()))),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "oneOf": [{"required": ["a"]}]}, Ref("It")),
        ({"not": {"type": "string"}, "type": "integer"}, Loose(Whole(), "`not` is not kept", f"{HERE}/not")),
        (
            {"type": "string", "nullable": True, "not": {"enum": ["a"]}},
            Maybe(Loose(Text(), "`not` is not kept", f"{HERE}/not")),
        ),
        (
            {"type": "string", "pattern": "^(a+)+$"},
            Loose(Text(), "its pattern is not kept: a text can be read in more than one way", f"{HERE}/pattern"),
        ),
        (
            {"type": "string", "pattern": "^abc$", "maxLength": 1},
            Loose(Text(None, 1), "its pattern is not kept: the sandbox finds no text for it", f"{HERE}/pattern"),
        ),
        (
            {"allOf": [{"type": "string", "pattern": "^a"}, {"pattern": "b$"}]},
            Loose(Text(), "that two patterns hold at once is not kept", f"{HERE}/pattern"),
        ),
    ],
)
def test_a_schema_and_its_kind(schema, expected):
    """With the constraints that a type can keep; what it cannot keep stands beside it as a hole."""
    assert kind(schema) == expected


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({}, "says nothing of its type"),
        (True, "says nothing of its type"),
        ({"type": "object"}, "object without named fields"),
        ({"type": "object", "additionalProperties": True}, "object without named fields"),
        ({"type": "object", "additionalProperties": {}}, "object without named fields"),
        ({"type": "object", "patternProperties": {"^a": {"type": "string"}}}, "keys follow patterns"),
        ({"type": "object", "additionalProperties": {"type": "object"}}, "object without named fields"),
        ({"type": "array"}, "items have no common type"),
        ({"type": "array", "items": [{"type": "string"}]}, "items have no common type"),
        ({"type": "array", "items": {}}, "says nothing of its type"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 1}, "no list is as long"),
        ({"type": "string", "format": "binary"}, "it is binary"),
        ({"type": "file"}, "a type that JSON does not have"),
        ({"type": "string", "minLength": 3, "maxLength": 1}, "no text is as long"),
        ({"type": "integer", "minimum": 3, "maximum": 1}, "no number lies between"),
        ({"type": "number", "minimum": 3, "maximum": 1}, "no number lies between"),
        ({"type": "number", "minimum": 3, "exclusiveMinimum": True, "maximum": 3}, "no number lies between"),
        ({"enum": ["a", 1.5]}, "kinds that cannot be listed together"),
        ({"enum": [True, "a"]}, "kinds that cannot be listed together"),
        ({"enum": [2**70]}, "kinds that cannot be listed together"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "different types"),
        (
            {
                "oneOf": [
                    {"type": "array", "items": {"type": "string"}},
                    {"type": "array", "items": {"type": "integer"}},
                ]
            },
            "cannot be told apart",
        ),
        ({"oneOf": [{"type": "string"}, {}]}, "says nothing of its type"),
        ({"oneOf": [{"type": "string", "pattern": "^(a+)+$"}, {"type": "integer"}]}, "cannot be kept whole"),
        ({"oneOf": [True, {"type": "string"}]}, "choices say nothing of their types"),
        ({"oneOf": [{"type": "string"}], "anyOf": [{"type": "string"}]}, "several choices must hold at once"),
        ({"oneOf": [A, B]}, "nothing tells its choices apart"),
        ({"$ref": "other.yaml#/A"}, "refers to other.yaml#/A, which is not in this document"),
        ({"$ref": "file:///etc/passwd"}, "not in this document"),
        ({"$ref": "https://example.com/a.json"}, "not in this document"),
        ({"$ref": 7}, "not in this document"),
        ({"$ref": "#/components/schemas/Away"}, "which is not there"),
        ({"$ref": "#/components/schemas/It"}, "in a circle"),
        ({"oneOf": [{"$ref": "#/components/schemas/It"}]}, "too many choices"),
        ({"allOf": [{"type": "string", "maxLength": n} for n in range(99)]}, "too many schemas must hold at once"),
    ],
)
def test_what_cannot_be_expressed_is_a_hole(schema, said):
    """Never a guess; the pointer leads to the place."""
    found = kind(schema)
    assert isinstance(found, Missing)
    assert said in found.said
    assert found.pointer.startswith("#/")


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": ["string", "null"]}, Maybe(Text())),
        ({"type": ["string", "integer"]}, Either((Text(), Whole()))),
        ({"type": "null"}, Nothing()),
        ({"const": "a"}, Choice(("a",))),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 5}, Real(above=0, under=5)),
        ({"type": "number", "minimum": 1, "exclusiveMinimum": 0}, Real(low=1)),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": 0}, Real(above=0)),
        ({"type": "integer", "exclusiveMinimum": 0}, Whole(1)),
        ({"$ref": "#/components/schemas/Name", "maxLength": 3}, Text(None, 3)),
    ],
)
def test_what_is_new_in_3_1(schema, expected):
    """Lists of types, `const`, bounds of their own, and words beside a reference."""
    assert kind(schema, {"Name": {"type": "string", "maxLength": 9}}, "3.1") == expected


def test_words_beside_a_reference_count_for_nothing_before_3_1():
    """So OpenAPI 3.0 says."""
    schema = {"$ref": "#/components/schemas/Name", "maxLength": 3}
    assert kind(schema, {"Name": {"type": "string", "maxLength": 9}}) == Text(None, 9)
    assert kind({"type": "string"}, None, "2.0") == Text()


def test_a_type_may_contain_itself():
    """The class is made once, and named in itself."""
    node = {
        "type": "object",
        "properties": {
            "next": {"$ref": "#/components/schemas/It"},
            "all": {"type": "array", "items": {"$ref": "#/components/schemas/It"}},
        },
    }
    found, named = schemas_of(node)
    assert found == Ref("It")
    assert [field.kind for field in named.models["It"].fields] == [Ref("It"), Many(Ref("It"))]


def test_objects_are_told_apart_by_a_value():
    """With a discriminator or without one, if each requires a value of its own."""
    options = [tagged("cat", lives={"type": "integer"}), tagged("dog", bark={"type": "string"})]
    for extra in ({}, {"discriminator": {"propertyName": "kind"}}, {"discriminator": "kind"}):
        found, named = schemas_of({"oneOf": options, **extra})
        assert found == Either((Ref("ItCat"), Ref("ItDog")))
        assert [named.models[name].tag for name in ("ItCat", "ItDog")] == [("kind", "cat"), ("kind", "dog")]
        assert [field.wire for field in named.models["ItCat"].fields] == ["lives"]


@pytest.mark.parametrize(
    ("mapping", "tags"),
    [({"c": "#/components/schemas/Cat", "d": "Dog"}, ["c", "d"]), ({}, ["Cat", "Dog"])],
)
def test_a_discriminator_may_name_the_schemas(mapping, tags):
    """By its mapping, or by their own names."""
    own = {"type": "object", "properties": {"kind": {"type": "string"}, "x": {"type": "string"}}, "required": ["kind"]}
    schema = {
        "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
        "discriminator": {"propertyName": "kind", "mapping": mapping},
    }
    found, named = schemas_of(schema, {"Cat": own, "Dog": own})
    assert isinstance(found, Either)
    assert [model.tag for model in named.models.values()] == [("kind", tag) for tag in tags]


def test_a_discriminator_that_proves_nothing_is_not_believed():
    """A schema that its mapping does not name, one without a name, or a field that may be missing."""
    own = {"type": "object", "properties": {"kind": {"type": "string"}, "x": {"type": "string"}}, "required": ["kind"]}
    base = {"propertyName": "kind", "mapping": {"c": "#/components/schemas/Cat"}}
    loose = {"type": "object", "properties": {"kind": {"type": "string"}}}
    options = [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}]
    found, named = schemas_of({"oneOf": options, "discriminator": base}, {"Cat": own, "Dog": own})
    assert [field.wire for field in named.models[core(found).name].fields] == ["kind", "x"]
    for odd in (
        {"oneOf": [own, loose], "discriminator": {"propertyName": "kind"}},
        {"oneOf": [own, own], "discriminator": {"propertyName": "kind"}},
        {"oneOf": [own, loose], "discriminator": {"propertyName": 7}},
    ):
        assert "nothing tells its choices apart" in schemas_of(odd)[1].remarks[-1].said


def test_without_a_sign_only_the_common_fields_are_read():
    """Narrower than each of the choices, with all the values that they have between them."""
    one = {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "state": {"enum": ["a"]}, "x": {"type": "string"}, "odd": {}},
        "required": ["id"],
    }
    two = {
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "state": {"enum": ["b"]},
            "x": {"type": "boolean"},
            "odd": {},
            "more": {"type": "string"},
        },
    }
    found, named = schemas_of({"oneOf": [one, two, {"type": "string"}]})
    assert found == Either((Text(), Ref("It")))
    fields = {field.wire: (field.kind, field.required) for field in named.models["It"].fields}
    assert fields == {
        "id": (Whole(), False),
        "state": (Choice(("a", "b")), False),
        "x": (Either((Text(), Flag())), False),
    }


def test_what_is_sent_takes_one_form_of_several():
    """An object if one is there: fewer forms are never wrong."""
    found, named = schemas_of({"oneOf": [{"type": "string"}, A, B]}, direction="in")
    assert found == Ref("ItInput")
    assert [field.wire for field in named.models["ItInput"].fields] == ["a"]
    assert kind({"oneOf": [{"type": "string"}, {"type": "integer"}]}, direction="in") == Text(None, 2000)
    assert kind({"oneOf": [{"type": "string"}, {"type": "null"}]}, direction="in") == Maybe(Text(None, 2000))
    assert isinstance(kind({"oneOf": [{}, {"type": "object"}]}, direction="in"), Missing)
    assert kind({"oneOf": [tagged("a", x={}), tagged("b")]}, direction="in") == Either(
        (Ref("ItAInput"), Ref("ItBInput"))
    )


def test_what_is_sent_has_bounds():
    """Texts, lists and keys without one get one, which is told."""
    given = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 200},
            "long": {"type": "string", "minLength": 3000},
            "all": {"type": "object", "additionalProperties": {"type": "string"}},
            "set": {"type": "boolean", "enum": [True]},
            "made": {"type": "string", "readOnly": True},
            "away": {"$ref": "#/nowhere"},
            "note": {"type": "string", "nullable": True},
            "owner_id": {"type": "string"},
            "team_ids": {"type": "array", "items": {"type": "integer"}},
            "other_id": {"type": "string", "nullable": True},
            "odd_id": {"type": "string", "pattern": "^(a+)+$"},
            "date_id": {"type": "string", "format": "date"},
        },
    }
    _, named = schemas_of(given, direction="in")
    kinds = {field.name: field.kind for field in named.models["ItInput"].fields}
    assert kinds["name"] == Text(None, 2000)
    assert kinds["tags"] == Many(Text(None, 2000), 200, 200)
    assert kinds["long"] == Text(3000, 3000)
    assert kinds["all"] == Keyed(Text(None, 2000), 100)
    assert isinstance(kinds["set"], Loose)
    assert isinstance(kinds["away"], Missing)
    assert "made" not in kinds
    assert kinds["owner_id"] == Marked(Text(None, 2000))
    assert kinds["team_ids"] == Many(Marked(Whole()), None, 100)
    assert kinds["other_id"] == Maybe(Marked(Text(None, 2000)))
    assert isinstance(kinds["odd_id"], Loose)
    assert isinstance(kinds["odd_id"].inner, Marked)
    assert kinds["date_id"] == Text(form="date")
    assert any("null and absent are one" in remark.said for remark in named.remarks)
    assert sum("texts without a bound" in remark.said for remark in named.remarks) == 1


def test_what_is_only_written_is_not_read():
    """`writeOnly` never comes back."""
    _, named = schemas_of(
        {"type": "object", "properties": {"a": {"type": "string", "writeOnly": True}, "b": {"type": "string"}}}
    )
    assert [field.wire for field in named.models["It"].fields] == ["b"]


def test_parts_are_merged_and_each_property_must_hold_for_all():
    """`allOf` over references: properties and requirements of all of them."""
    base = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string", "maxLength": 9}},
        "required": ["a"],
    }
    whole = {
        "allOf": [
            {"$ref": "#/components/schemas/Base"},
            {"$ref": "#/components/schemas/Base"},
            {"properties": {"b": {"minLength": 2}}, "required": ["b"]},
        ]
    }
    found, named = schemas_of(whole, {"Base": base})
    fields = {field.wire: (field.kind, field.required) for field in named.models[found.name].fields}
    assert fields == {"a": (Text(), True), "b": (Text(2, 9), True)}


def test_what_is_reached_is_bounded(monkeypatch):
    """Depth, places and classes: what lies beyond is a hole."""
    deep: Any = {"type": "string"}
    for _ in range(60):
        deep = {"type": "array", "items": deep}
    assert kind(deep).said == "it is nested too deeply"
    monkeypatch.setattr(module, "MOST_PLACES", 3)
    wide = {"type": "object", "properties": {f"a{n}": {"type": "string"} for n in range(9)}}
    _, named = schemas_of(wide)
    assert [isinstance(field.kind, Missing) for field in named.models["It"].fields] == [False] * 2 + [True] * 7
    monkeypatch.undo()
    monkeypatch.setattr(module, "MOST_MODELS", 1)
    _, named = schemas_of({"type": "object", "properties": {"a": A}})
    assert named.models["It"].fields[0].kind == Missing("more than 1 classes are reached", f"{HERE}/properties/a")


def test_titles_come_from_the_document():
    """The last part of a dotted name; a place without a name takes that of its parent."""
    _, named = schemas_of(
        {"type": "object", "properties": {"pod": {"$ref": "#/components/schemas/io.k8s.Pod"}, "in": A}},
        {"io.k8s.Pod": A},
    )
    assert list(named.models) == ["It", "Pod", "ItIn"]
