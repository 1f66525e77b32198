"""Policy files: what loads is what Casbin loads, and where Casbin is silent a fault is named."""

from itertools import pairwise

import pytest

from narrows.errors import PolicyError
from narrows.identity.policy_files import PolicyText, load_model, read_policy, read_rules
from narrows.identity.roles import MODEL, Roles


def build(text: str) -> Roles:
    """One policy file."""
    return Roles.build([], [PolicyText("teams.csv", text)])


def refusal(text: str) -> str:
    """What the refused file is told."""
    with pytest.raises(PolicyError) as caught:
        build(text)
    return str(caught.value)


def test_comments_spaces_and_line_ends():
    """Comments, blank lines, spaces around fields and Windows line ends are read as Casbin reads them."""
    text = "# who\r\n\r\n  g ,user:corp|ann ,  role:member,team:7\r\n\t# indented\r\np, role:member, *, *, allow\r\n"
    rules = read_rules(load_model(PolicyText("built-in", MODEL)), [PolicyText("teams.csv", text)])
    assert [(rule.ptype, rule.fields, rule.source) for rule in rules] == [
        ("g", ("user:corp|ann", "role:member", "team:7"), "policy teams.csv:3"),
        ("p", ("role:member", "*", "*", "allow"), "policy teams.csv:5"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "q, a, b",
        "p2, role:a, *, *, allow",
        "g2, a, b",
        "m, x",
        "\ufeffp, role:a, *, *, allow",
        "P, role:a, *, *, allow",
    ],
)
def test_unknown_type(line: str):
    """A line of a type that the model does not have is refused; Casbin would drop it in silence."""
    assert "teams.csv:1: starts with a type that the model does not define" in refusal(line)


@pytest.mark.parametrize("line", ["p, role:a), *, *, allow", ", role:a, *, *, allow"])
def test_line_that_casbin_chokes_on(line: str):
    """A closing bracket without an opening one, or no type, is refused by name instead of an IndexError."""
    assert "teams.csv:1: cannot be parsed" in refusal(line)


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("p, role:a, *, where2eat.read", "p has 3 fields; write 4: p, sub, dom, obj, eft"),
        ("p, role:a, *, where2eat.read, allow, now", "p has 5 fields; write 4: p, sub, dom, obj, eft"),
        ("p, role:a, [*, *, allow", "p has 2 fields"),
        ("g, user:corp|ann, role:a", "g has 2 fields; write 3: g, name, role, domain"),
        ("g, user:corp|ann, role:a, team:7, x", "g has 4 fields; write 3"),
        ("p", "p has 0 fields"),
    ],
)
def test_number_of_fields(line: str, remedy: str):
    """Fields too few or too many are refused; Casbin would fail at every request, or cut them off."""
    assert remedy in refusal(line)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("p, *, team:7, *, deny", "sub"),
        ("p, ann, team:7, *, allow", "sub"),
        ("p, user:ann, team:7, *, allow", "sub"),
        ('p, "role:member", team:7, *, allow', "sub"),
        ("p, role:member, 7, *, allow", "dom"),
        ("p, role:member, team:*, *, allow", "dom"),
        ("p, role:member, team:7, where2eat.*, allow", "obj"),
        ("p, role:member, team:7, *, permit", "eft"),
        ("p, role:member, team:7, *, allow # why", "eft"),
        ("p, role:m%65mber, team:7, *, deny", "sub"),
        ("g, *, role:member, team:7", "name"),
        ("g, user:corp|ann, member, team:7", "role"),
        ("g, user:corp|ann, user:corp|bob, team:7", "role"),
        ("g, role:member, user:corp|ann, team:7", "role"),
        ("g, user:corp|ann, role:*, team:7", "role"),
        ("g, user:corp|ann, role:member, *", "domain"),
        ("g, user:corp|ann, role:member, team:%37", "domain"),
    ],
)
def test_fields_that_could_never_match_or_match_too_much(line: str, field: str):
    """A field that is not in the encoded form is refused by file, line and field, without its value."""
    message = refusal(f"# first line\n{line}")
    assert message.startswith(f"policy teams.csv:2: {field} is not of the form")
    assert "ann" not in message


@pytest.mark.parametrize("circle", [["a", "a"], ["a", "b", "a"], ["a", "b", "c", "a"]])
def test_roles_in_a_circle(circle: list[str]):
    """Roles that inherit each other are refused at one of the lines of the circle."""
    lines = [f"g, role:{low}, role:{high}, team:7" for low, high in pairwise(circle)]
    assert "the role inherits itself" in refusal("\n".join(["g, role:a, role:x, team:7", *lines]))


def test_links_across_domains_are_no_circle():
    """Two domains have two hierarchies."""
    build("g, role:a, role:b, team:7\ng, role:b, role:a, team:8")


def test_every_fault_is_told_but_not_endlessly():
    """All faults of all files are told at once, up to twenty."""
    with pytest.raises(PolicyError) as caught:
        Roles.build([], [PolicyText("one.csv", "x"), PolicyText("two.csv", "x\n" * 30)])
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("policy one.csv:1: starts")
    assert lines[1].startswith("policy two.csv:1: starts")
    assert lines[-1] == "and 11 more"
    assert len(lines) == 21


def test_reading_a_file(tmp_path):
    """A file is read as UTF-8; one that is absent or not UTF-8 is refused by name, without its folder."""
    path = tmp_path / "teams.csv"
    path.write_text("# ä", encoding="utf-8")
    assert read_policy(path) == PolicyText("teams.csv", "# ä")
    path.write_bytes(b"\xff")
    with pytest.raises(PolicyError, match=r"^teams\.csv: is not UTF-8"):
        read_policy(path)
    path.unlink()
    with pytest.raises(PolicyError, match=r"^teams\.csv: cannot be read \(No such file"):
        read_policy(path)
