"""Every reason for which a start is refused stands in the reference, and the reference lists no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "refusals.md"
CODE = re.compile(r"[a-z]+(-[a-z]+)*")

# Where the code stands among the arguments of what makes a refusal.
MAKERS = {"refuse": 0, "_refusal": 0, "ShapeError": 0, "MetadataRefused": 0, "_refuse": 1, "_at": 1, "_set": 2}
# These pass on a code that was given to them, or yield codes as the first of three texts.
PASSING = {*MAKERS, "refusals", "_refusal"}
YIELDING = {"_lacks"}


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of the framework; a method counts, a function within another counts twice."""
    for path in sorted((ROOT / "framework" / "narrows").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def codes_in_source() -> set[str]:
    """The codes that are written anywhere in the source."""
    return {
        code
        for _, function in functions()
        for node in ast.walk(function)
        for code in (*called(node), *yielded(function, node))
        if CODE.fullmatch(code)
    }


def called(node: ast.AST) -> Iterator[str]:
    """The code in a call that makes a refusal."""
    if isinstance(node, ast.Call):
        position = MAKERS.get(name_of(node))
        if position is not None and len(node.args) > position:
            yield from text(node.args[position])
        if name_of(node) == "Refusal":
            yield from (code for word in node.keywords if word.arg == "code" for code in text(word.value))


def yielded(function: ast.FunctionDef | ast.AsyncFunctionDef, node: ast.AST) -> Iterator[str]:
    """The code in a tuple of code, rule and remedy."""
    if function.name in YIELDING and isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
        yield from text(node.value.elts[0])


def text(node: ast.AST) -> Iterator[str]:
    """A text that is written there."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def name_of(call: ast.Call) -> str:
    """The last part of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def codes_in_page() -> list[str]:
    """The codes that the page explains, in its order."""
    return re.findall(r"^### `(.+)`$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_refusal_is_explained_and_no_other():
    """Whoever reads a code in the terminal finds it here."""
    assert set(codes_in_page()) == codes_in_source()


def test_each_code_stands_once():
    """One place to link to."""
    assert len(codes_in_page()) == len(set(codes_in_page()))


def test_each_refusal_says_what_why_and_which_line_to_add():
    """A reader gets along without the source."""
    parts = re.split(r"^### `(.+)`$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    for code, body in zip(parts[::2], parts[1::2], strict=True):
        said = re.findall(r"^- (What|Why|Remedy): \S", body, re.MULTILINE)
        assert said == ["What", "Why", "Remedy"], code


def test_no_refusal_is_made_where_this_test_does_not_look():
    """A refusal whose code is worked out elsewhere would not be found, so only the known makers may pass one on."""
    hidden = [
        f"{path.name}: {function.name}"
        for path, function in functions()
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and name_of(node) == "Refusal" and not list(called(node))
        if function.name not in PASSING
    ]
    assert hidden == []
