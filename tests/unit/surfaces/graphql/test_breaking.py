"""What a change of the schema breaks: documents that do not fit, and those that would be answered otherwise."""

import pytest

from narrows.surfaces.graphql.breaking import broken, changes, schema_of
from narrows.surfaces.graphql.manifest import ManifestError

BEFORE = """
type Query { team(id: Int!, size: Size = small, filter: Filter): Team! plain: Int teams: [Team!]! }
type Mutation { order(order: Order!): Team! }
type Team { name: String! size: Size! members(first: Int): [Member!]! }
type Member { name: String! }
enum Size { small large }
input Filter { sizes: [Size!], within: Filter, day: String }
input Order { name: String!, lines: [Line!]! }
input Line { dish: Int! }
"""
TEAM = """query Team($id: Int!, $filter: Filter) {
  team(id: $id, filter: $filter) {
    ...names
    members(first: 3) @include(if: true) {
      name
    }
  }
}
fragment names on Team {
  name
}
"""
ORDER = "mutation Order($order: Order!) {\n  order(order: $order) { name }\n}"


def found(document, *replaced):
    """The lines of a document that break, and what is said."""
    text = BEFORE
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new, 1)
    before, after = schema_of(BEFORE, "before"), schema_of(text, "after")
    return [(one.line, one.said) for one in broken(document, after, before, changes(before, after))]


def test_a_document_that_nothing_changed_for_holds():
    """Whatever else was added, removed or renamed."""
    assert found(TEAM) == []
    assert found(TEAM, ("plain: Int", "plain: String"), ("size: Size!", "other: Size!")) == []
    assert found(ORDER, ("members(first: Int)", "members(first: String!)")) == []


@pytest.mark.parametrize(
    ("document", "old", "new", "line", "said"),
    [
        (TEAM, "name: String! size", "size", 10, "Cannot query field 'name' on type 'Team'."),
        (TEAM, "name: String! size", "name: Int! size", 10, "Field Team.name changed type from String! to Int!."),
        (TEAM, "name: String! size", "name: String size", 10, "Field Team.name changed type from String! to String."),
        (TEAM, "members(first: Int)", "members", 4, "Unknown argument 'first' on field 'Team.members'."),
        (TEAM, "id: Int!,", "id: Int!, more: Int!,", 2, "more"),
        (TEAM, "first: Int)", "first: Float)", 4, "Argument Team.members(first:) has changed type from Int to Float."),
        (TEAM, "day: String", "day: Int", 1, "Field Filter.day changed type from String to Int."),
        (TEAM, "day: String", "day: String, more: Int!", 1, "A required field Filter.more was added."),
        (TEAM, "enum Size { small large", "enum Size { small", 1, "Enum value Size.large was removed."),
        (ORDER, "input Line { dish: Int!", "input Line { dish: Float!", 1, "Field Line.dish changed type"),
        (ORDER, "type Mutation { order(", "type Mutation { other(", 2, "Cannot query field 'order'"),
    ],
)
def test_a_document_that_a_change_breaks_is_told_with_its_line(document, old, new, line, said):
    """One that does not fit any more, one whose answers change their type, and one whose variables are refused."""
    told = [one for one in found(document, (old, new)) if said in one[1]]
    assert [one[0] for one in told] == [line]


def test_what_is_new_and_may_be_left_out_breaks_nobody():
    """It is told as a change all the same."""
    text = BEFORE.replace("day: String", "day: String, more: Int")
    before, after = schema_of(BEFORE, ""), schema_of(text, "")
    changed = changes(before, after)
    assert [(one.said, one.breaking) for one in changed] == [("An optional field Filter.more was added.", False)]
    assert broken(TEAM, after, before, changed) == []


def test_a_type_that_is_gone_breaks_what_selects_it():
    """A change that names no field is told by what does not fit."""
    [(line, said)] = found(
        "query A {\n  teams { members { name } }\n}",
        ("members(first: Int): [Member!]!", "x: Int"),
        ("type Member { name: String! }", ""),
    )
    assert (line, said) == (2, "Cannot query field 'members' on type 'Team'.")


def test_without_a_schema_before_only_what_does_not_fit_is_told():
    """And so for a document that did not fit before, and for one that is none."""
    after = schema_of(BEFORE, "")
    assert broken(TEAM, after, None, []) == []
    assert [one.line for one in broken("query A {\n nothing\n}", after, after, [])] == [2]
    assert [one.said for one in broken("query A {\n", after, after, [])] == [
        "Syntax Error: Expected Name, found <EOF>."
    ]


@pytest.mark.parametrize(
    "text", ["", "type", "type A { a: Int }", "type Query { a: Nope }", "type Query { a(b: Query): Int }", "[" * 9000]
)
def test_a_saved_schema_that_is_none_is_refused(text):
    """With the file, the rule and the remedy."""
    with pytest.raises(ManifestError, match=r"^old.graphql: no schema \(.*\)\. Remedy: "):
        schema_of(text, "old.graphql")
