"""The form of a policy: what regopy would take and OPA would not, or what reaches out, is refused with its line."""

import pytest

from narrows.governance.policy import SHIPPED
from narrows.governance.rego.form import FILE_BYTES, Module, policy_faults, read_module
from narrows.governance.rego.text import statements, tokens
from tests.unit.governance.policies import POLICY, TESTS

HEAD = "package narrows.p\n\nimport rego.v1\n\n"


def faults(rule, head=HEAD, **options):
    """The rules that a module with one rule breaks, on which lines."""
    found = read_module(head + rule, "p", **options)
    return [] if isinstance(found, Module) else [(fault.line, fault.rule) for fault in found]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("allow { input.x }", "a body without `if` is Rego v0"),
        ("allow[x] { x := input.y }", "a rule with `[` is Rego v0, or an object"),
        ("allow[x] if x := input.y", "a rule with `[` is Rego v0, or an object"),
        ("f(x) = y { y := x }", "`=` compares or assigns"),
        ("allow if { input.x = 1 }", "`=` compares or assigns"),
        ("allow if { input.x } { input.y }", "a second body is Rego v0"),
        ("allow if { input.x } else := false", "`else` hides the order of rules"),
        ("allow if y == 1", "`y` is declared nowhere"),
        ("allow if not y == 1", "`y` is declared nowhere"),
        ("allow if data.other.allow", "`data` is declared nowhere"),
        ("allow if {\n\tx := 1\n\ttrue\n}", "`x` is declared and not used"),
        ("allow if { some x, y in input.xs; y == 1 }", "`x` is declared and not used"),
        ("allow if { every x in input.xs { true } }", "`x` is declared and not used"),
        ("f(x) if true", "`x` is declared and not used"),
        ("allow if { input := {}; input.x }", "`input` is hidden by a variable"),
        ("input := 1", "`input` cannot be a rule"),
        ("default data := 1", "`data` cannot be a rule"),
        ('allow if http.send({"url": "https://x.test"}).status == 200', "`http.send` is no function that a policy may"),
        ("allow if opa.runtime().env.PATH", "`opa.runtime` is no function"),
        ("allow if time.now_ns() > 0", "`time.now_ns` is no function"),
        ('allow if rand.intn("x", 5) > 0', "`rand.intn` is no function"),
        ('allow if print("x")', "`print` is no function"),
        ('allow if trace("x")', "`trace` is no function"),
        ("allow if count(numbers.range(1, 100000000)) > 0", "`numbers.range` is no function"),
        ("allow if net.cidr_contains(input.a, input.b)", "`net.cidr_contains` is no function"),
        ("allow if unheard(1)", "`unheard` is no function"),
        ("allow if input.x with input as {}", "`with` stands in tests alone"),
        ("input.x == 1", "`input` cannot be a rule"),
        ("allow if some x", "`x` is declared and not used"),
        ("allow", "it is no rule"),
        ("allow if\n  {input.x}", "it is no rule"),
        ("allow if input.x ~ 1", "it is no rule"),
        ('"allow" if true', "it is no rule"),
        ("import data.other\nallow if other.x", "a policy stands alone, without `import data.other`"),
        ("import rego.v1\nallow if true", "it stands there twice"),
    ],
)
def test_what_two_engines_read_differently_is_refused(rule, said):
    """Each is taken by regopy alone, refused by `opa check --strict`, or reaches beyond the policy's arguments."""
    found = faults(rule)
    assert any(told.startswith(said) for _, told in found), found
    assert all(line >= 5 for line, _ in found)


@pytest.mark.parametrize(
    "hidden", ["\r", "\x0b", "\x1b[2K", "\x7f", "\x85", "\u200b", "\u2028", "\u202e", "\u2066", "\ufeff"]
)
def test_what_no_editor_shows_is_refused(hidden):
    """Some end a comment for an engine, some show another text than stands there; in comments and texts too."""
    for rule in (f"# x{hidden}allow if true", f'allow if input.x == "a{hidden}b"', f"allow if{hidden} true"):
        (fault,) = faults(rule)
        assert fault == (5, f"it holds {hidden[0]!a}, which hides what follows")
    assert faults("allow if true # \t\r\n") == []


@pytest.mark.parametrize(
    "rule",
    [
        "allow if true",
        "allow if input.x == 1",
        'allow if { some x in input.xs; x in {"a", "b"} }',
        "allow if { every x in input.xs { x > 1 } }",
        "allow if { some _, x in input.xs; x.y }",
        "names := {x | some x in input.xs}",
        'names contains x if { some x in input.xs; contains(x, "`not { a comment") } # allow { x }',
        "f(x, _) := y if { y := object.get(x, `a`, 1.5e3) }\n\nallow if f(input, 2) == -1",
        'f(x) := {"y": x}',
        "default allow := false",
    ],
)
def test_rego_v1_is_taken(rule):
    """What the guide shows can be written."""
    assert faults(rule) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", {"its package is not that of its file", "it does not say that it is Rego v1"}),
        ("import rego.v1\npackage narrows.p\n", {"its package is not that of its file"}),
        ("package narrows.other\nimport rego.v1\n", {"its package is not that of its file"}),
        ("package narrows.p\nallow if true\n", {"it does not say that it is Rego v1"}),
    ],
)
def test_a_module_says_what_it_is(text, said):
    """The package is that of the file, so that a policy cannot pass for another; and Rego v1 is said."""
    assert {fault.rule for fault in read_module(text, "p")} >= said


def test_a_file_has_a_bound():
    """A policy of a megabyte is not read by any engine."""
    assert faults("#" * FILE_BYTES) == [(1, f"it has more than {FILE_BYTES} bytes")]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("test_a if input.x with input.x as 1", "a test gives one input, by its name"),
        ('test_a if input.x with input as {"x": 1}', "a test gives one input, by its name"),
        ("test_a if input.x with input as", "a test gives one input, by its name"),
        ("c := {}\ntest_a if input.x with input as c.d", "a test gives one input, by its name"),
        ("c := {}\ntest_a if { input.x with input as c }", None),
        ("c := {}\ntest_a if input.x with input as c", None),
        ("c := {}\ntest_a if input.x with data.y as c", "a test gives one input, by its name"),
    ],
)
def test_a_test_gives_its_input_by_name(rule, said):
    """So that Narrows can hand it to an engine that cannot run `with`."""
    told = [one for _, one in faults(rule, tests=True)]
    assert (said in told) if said else (told == [])


def test_an_import_that_is_not_used_is_refused():
    """As `opa check --strict` does."""
    head = "package narrows.p\nimport rego.v1\nimport data.narrows.q\n"
    allowed = ("data . narrows . q",)
    assert faults("t if true", head, imports=allowed) == [(3, "`q` is imported and not used")]
    assert faults("t if q.allow", head, imports=allowed) == []


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("default allow := false\n", "without a default, `allow` can be undefined"),
        ("deny contains", "it says no reason"),
    ],
)
def test_the_gate_needs_a_default_and_reasons(lost, said):
    """A policy that can be silent is refused."""
    module = read_module(
        POLICY.replace(lost, "x contains" if "deny" in lost else "").replace("count(deny)", "1"), "named"
    )
    assert said in [fault.rule for fault in policy_faults(module)]


def test_deny_is_a_set():
    """One value would hide every other reason."""
    module = read_module(POLICY.replace("deny contains {", "deny := {"), "named")
    assert [fault.rule for fault in policy_faults(module)] == ["`deny` is no set of reasons"]


def test_the_shipped_policies_hold():
    """Narrows keeps its own rules."""
    for file in sorted(SHIPPED.glob("*.rego")):
        imports = (f"data . narrows . {file.stem.removesuffix('_test')}",)
        assert isinstance(read_module(file.read_text(), file.stem, imports, tests=True), Module)
    assert policy_faults(read_module(POLICY, "named")) == []
    assert isinstance(read_module(TESTS, "named_test", ("data . narrows . named",), tests=True), Module)


def test_places_are_those_of_the_text():
    """A token knows its line and its place, over strings and comments with line breaks and brackets in them."""
    text = 'a := `{\n` # {\nb := "}\\"" + 1'
    assert [(t.text, t.line, t.depth) for t in tokens(text) if t.kind == "name"] == [("a", 1, 0), ("b", 3, 0)]
    assert all(text[t.start : t.end] == t.text for t in tokens(text))
    assert [s[0].text for s in statements(text)] == ["a", "b"]
