"""The form of a policy: Rego v1, self-contained and closed, so that two engines read it alike.

regopy takes much that OPA refuses: the syntax of v0, variables that nobody declared, built-ins that reach out. What
`opa check --strict` would refuse is refused here, and a little more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from narrows.governance.rego.text import Statement, Token, names_of, reference, statements, written

FILE_BYTES = 64 * 1024

_KEYWORDS = frozenset(
    [
        "as",
        "contains",
        "default",
        "every",
        "false",
        "if",
        "import",
        "in",
        "not",
        "null",
        "package",
        "some",
        "true",
        "with",
    ]
)
# Built-ins that are in both engines and depend on their arguments alone; none reads the clock, chance, the environment
# or the network, and none makes much out of little.
_BUILTINS = frozenset(
    [
        "abs",
        "array.concat",
        "array.slice",
        "ceil",
        "concat",
        "contains",
        "count",
        "endswith",
        "floor",
        "format_int",
        "indexof",
        "intersection",
        "is_array",
        "is_boolean",
        "is_null",
        "is_number",
        "is_object",
        "is_set",
        "is_string",
        "lower",
        "max",
        "min",
        "object.get",
        "object.keys",
        "object.remove",
        "object.union",
        "regex.match",
        "replace",
        "round",
        "sort",
        "split",
        "sprintf",
        "startswith",
        "strings.any_prefix_match",
        "strings.any_suffix_match",
        "substring",
        "sum",
        "to_number",
        "trim",
        "trim_left",
        "trim_prefix",
        "trim_right",
        "trim_space",
        "trim_suffix",
        "type_name",
        "union",
        "upper",
    ]
)


# A control, and what is invisible or turns the writing: an engine ends a comment at some that no editor shows.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\r(?!\n)"
)


class Fault(NamedTuple):
    """What does not hold in a policy: the line, the rule and the remedy."""

    line: int
    rule: str
    remedy: str


class Module(NamedTuple):
    """A module whose form holds: its rules, each by name and statement, in their order."""

    package: str
    rules: tuple[tuple[str, Statement], ...]


def read_module(text: str, package: str, imports: tuple[str, ...] = (), *, tests: bool = False) -> Module | list[Fault]:
    """Read a module of the package `narrows.<package>`, or tell every fault.

    `imports` are those beside `rego.v1` that it may have; with `tests`, `with input as <name>` may stand in it.
    """
    if len(text.encode()) > FILE_BYTES:
        return [Fault(1, f"it has more than {FILE_BYTES} bytes", "split it")]
    hidden = _HIDDEN.search(text)
    if hidden is not None:
        line = text.count("\n", 0, hidden.start()) + 1
        return [Fault(line, f"it holds {hidden[0]!a}, which hides what follows", "take it out")]
    listed = statements(text)
    heads = [s for s in listed if s[0].text in ("package", "import")]
    rules = tuple((_name(s), s) for s in listed if s[0].text not in ("package", "import"))
    faults = [*_heads(listed, heads, package, imports), *_imports_used(heads, rules)]
    known = {name for name, _ in rules}
    aliases = {s[-1].text for s in heads if s[0].text == "import" and s[1].text == "data"}
    for _, statement in rules:
        faults += _rule(statement, known, aliases, tests)
    return sorted(faults) or Module(package, rules)


def policy_faults(module: Module) -> list[Fault]:
    """What a policy lacks that the gate asks for: `default allow := false`, and reasons in `deny`."""
    faults = []
    if not any(written(s) == "default allow := false" for _, s in module.rules):
        faults.append(Fault(1, "without a default, `allow` can be undefined", "add a line default allow := false"))
    if not any(name == "deny" for name, _ in module.rules):
        faults.append(Fault(1, "it says no reason", 'add deny contains {"rule": …, "message": …, "remedy": …} if …'))
    for name, s in module.rules:
        if name == "deny" and s[1].text != "contains":
            faults.append(Fault(s[0].line, "`deny` is no set of reasons", "write deny contains {…} if …"))
    return faults


def _name(statement: Statement) -> str:
    """The name of a rule; that of a `default` stands behind the word."""
    first = statement[0].text
    return statement[1].text if first == "default" and len(statement) > 1 else first


def _heads(listed: list[Statement], heads: list[Statement], package: str, imports: tuple[str, ...]) -> Iterator[Fault]:
    wanted = f"package narrows . {package}"
    if not listed or written(listed[0]) != wanted:
        yield Fault(1, "its package is not that of its file", f"begin with package narrows.{package}")
    allowed = {"import rego . v1", *(f"import {name}" for name in imports), wanted}
    for head in heads:
        if written(head) not in allowed:
            named = written(head).replace(" . ", ".")
            yield Fault(head[0].line, f"a policy stands alone, without `{named}`", "take the line out")
    said = [written(head) for head in heads]
    if "import rego . v1" not in said:
        yield Fault(1, "it does not say that it is Rego v1", "add a line import rego.v1")
    for index, head in enumerate(heads):
        if said[index] in said[:index]:
            yield Fault(head[0].line, "it stands there twice", "take the line out")


def _imports_used(heads: list[Statement], rules: tuple[tuple[str, Statement], ...]) -> Iterator[Fault]:
    used = {token.text for _, statement in rules for _, token in names_of(statement)}
    for head in heads:
        if head[0].text == "import" and head[1].text == "data" and head[-1].text not in used:
            yield Fault(head[0].line, f"`{head[-1].text}` is imported and not used", "use it, or take the line out")


def _rule(statement: Statement, rules: set[str], aliases: set[str], tests: bool) -> Iterator[Fault]:
    """Every fault of one rule."""
    first = statement[0]
    if any(token.kind == "other" for token in statement) or first.kind != "name" or len(statement) == 1:
        yield Fault(first.line, "it is no rule", "begin a rule on a line of its own, and put long bodies in { }")
        return
    if _name(statement) in ("input", "data"):
        yield Fault(first.line, f"`{_name(statement)}` cannot be a rule", "give it another name")
    yield from _syntax(statement)
    yield from _withs(statement, tests)
    yield from _names(statement, rules | aliases)


def _syntax(statement: Statement) -> Iterator[Fault]:
    """The syntax of v0, and what means one thing in one engine and another in the next."""
    body = _if(statement)
    for index, token in enumerate(statement):
        before = statement[index - 1].text
        if token.text == "=":
            yield Fault(token.line, "`=` compares or assigns", "write := or ==")
        elif token.text == "else" and token.kind == "name":
            yield Fault(token.line, "`else` hides the order of rules", "write rules whose bodies exclude each other")
        elif token.text == "{" and token.depth == 0 and before not in (":=", "contains") and index < body:
            yield Fault(token.line, "a body without `if` is Rego v0", "write … if { … }")
        elif token.text == "{" and token.depth == 0 and before == "}":
            yield Fault(token.line, "a second body is Rego v0", "write the rule twice")
        elif index == 1 and token.text == "[":
            yield Fault(token.line, "a rule with `[` is Rego v0, or an object", "write … contains … if …")


def _if(statement: Statement) -> int:
    """Where the head of a rule ends."""
    return next((i for i, t in enumerate(statement) if t.text == "if" and t.depth == 0), len(statement))


def _withs(statement: Statement, tests: bool) -> Iterator[Fault]:
    for index, token in enumerate(statement):
        if token.kind != "name" or token.text != "with":
            continue
        if not tests:
            yield Fault(token.line, "`with` stands in tests alone", "take it out")
        elif [t.text for t in statement[index + 1 : index + 3]] != ["input", "as"] or not _is_case(
            statement, index + 3
        ):
            remedy = "write with input as asking, and a rule asking := {…}"
            yield Fault(token.line, "a test gives one input, by its name", remedy)


def _is_case(statement: Statement, index: int) -> bool:
    if index >= len(statement) or statement[index].kind != "name":
        return False
    return reference(statement, index)[1] == index + 1 and (
        index + 1 == len(statement) or statement[index + 1].text not in ("(", "[", ".")
    )


def _names(statement: Statement, rules: set[str]) -> Iterator[Fault]:
    """Names that nobody declared, those that nobody uses, and functions beyond the closed list."""
    own = {token.text: token for token in _locals(statement)}
    counted: dict[str, int] = {}
    for index, token in names_of(statement):
        counted[token.text] = counted.get(token.text, 0) + 1
        called, behind = reference(statement, index)
        is_call = behind < len(statement) and statement[behind].text == "("
        if is_call and index > 0 and called not in _BUILTINS and token.text not in rules:
            yield Fault(token.line, f"`{called}` is no function that a policy may call", "see docs/guide/policies.md")
        elif not is_call and token.text not in {*_KEYWORDS, "input", "_", *rules, *own}:
            yield Fault(token.line, f"`{token.text}` is declared nowhere", "declare it with := or some … in")
    for name, token in own.items():
        if name in ("input", "data"):
            yield Fault(token.line, f"`{name}` is hidden by a variable", "give the variable another name")
        elif counted.get(name) == 1:
            yield Fault(token.line, f"`{name}` is declared and not used", "use it, or write _")


def _locals(statement: Statement) -> Iterator[Token]:
    """What a rule declares itself: its arguments, `:=` in its body, and the variables of `some` and `every`."""
    head = _if(statement)
    if len(statement) > 1 and statement[1].text == "(":
        yield from _until(statement, 2, ")")
    for index, token in enumerate(statement):
        if token.text == ":=" and (index > head or token.depth > 0) and statement[index - 1].kind == "name":
            yield statement[index - 1]
        elif token.kind == "name" and token.text in ("some", "every"):
            yield from _until(statement, index + 1, "in")


def _until(statement: Statement, index: int, end: str) -> Iterator[Token]:
    """The names from here to a word, commas between them."""
    for token in statement[index:]:
        if token.text == end or not (token.kind == "name" or token.text == ","):
            return
        if token.kind == "name" and token.text != "_":
            yield token
