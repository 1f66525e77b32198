"""Every problem that Narrows answers with has a page, and the page says what the class says."""

import json
import re
from pathlib import Path

import pytest

from narrows.errors import FieldError, Problem, problem_classes

PAGES = Path(__file__).parents[2] / "docs" / "errors"
SECTIONS = ["What happened", "Why", "What the client does", "What the BFF team does", "Example"]


def page(problem: type[Problem]) -> str:
    """The text of a problem's page."""
    return (PAGES / f"{problem.slug}.md").read_text(encoding="utf-8")


def framework_problems() -> set[type[Problem]]:
    """The whole tree below `Problem`, as far as the framework makes it."""
    found, rest = set(), [Problem]
    while rest:
        below = rest.pop().__subclasses__()
        rest += below
        found |= {problem for problem in below if problem.__module__.startswith("narrows.")}
    return found


def test_no_problem_of_the_framework_is_left_out():
    """Walking the tree finds what `problem_classes` lists, so that a deeper class cannot go without a page."""
    assert framework_problems() == set(problem_classes())


def test_there_is_a_page_for_each_problem_and_no_other():
    """A page that nobody leads to is out of date."""
    assert {path.stem for path in PAGES.glob("*.md")} == {problem.slug for problem in problem_classes()} | {"README"}


@pytest.mark.parametrize("problem", problem_classes(), ids=lambda problem: problem.slug)
def test_the_page_says_what_the_class_says(problem):
    """Status, type, title and remedy are those that a client reads."""
    facts = dict(re.findall(r"^\| (status|type|title|remedy) \| (.*) \|$", page(problem), re.MULTILINE))
    wanted = {"status": str(problem.status), "type": f"`{problem.type}`", "title": problem.title}
    assert facts == {**wanted, "remedy": problem.remedy}


@pytest.mark.parametrize("problem", problem_classes(), ids=lambda problem: problem.slug)
def test_the_page_has_every_section(problem):
    """What happened, why, and what the client and the team do: none is left out or empty."""
    parts = re.split(r"^## (.+)$", page(problem), flags=re.MULTILINE)[1:]
    assert parts[::2] == SECTIONS
    assert all(text.strip() for text in parts[1::2])


@pytest.mark.parametrize("problem", problem_classes(), ids=lambda problem: problem.slug)
def test_the_example_is_what_the_class_would_write(problem):
    """The example is a document of this class, with its members in the order of a real answer."""
    (text,) = re.findall(r"```json\n(.*?)```", page(problem), re.DOTALL)
    example = json.loads(text)
    known = {"type", "title", "status", "detail", "remedy", "errors", "trace_id"}
    made = problem(example.get("detail"))
    made.said_remedy = example["remedy"]
    made.errors = tuple(FieldError(**error) for error in example.get("errors", ()))
    made.members = {name: value for name, value in example.items() if name not in known}
    assert list(made.body(example["trace_id"]).items()) == list(example.items())


def test_the_index_links_each_page_with_its_status():
    """The list of all problems is complete."""
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| (\d+) \| \[([a-z-]+)\]\(\2\.md\) \| (.+) \|$", index, re.MULTILINE))
    assert rows == {(str(problem.status), problem.slug, problem.title) for problem in problem_classes()}
