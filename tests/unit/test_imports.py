"""Imports run one way: what decides never depends on what serves, and no step of the pipeline on another."""

import ast
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parents[2] / "framework" / "narrows"
LAYERS = (
    (
        *("addresses", "errors", "settings", "tracecontext"),
        *(
            "telemetry",
            "telemetry_client",
            "telemetry_export",
            "telemetry_metrics",
            "telemetry_names",
            "telemetry_scrape",
            "telemetry_spans",
        ),
    ),
    ("declare", "call", "child", "current", "gathering"),
    ("transport", "stores"),
    ("identity", "audit"),
    ("upstreams",),
    ("pipeline",),
    ("plan", "checks"),
    ("sdk",),
    ("surfaces", "governance", "alerts"),
    ("testing", "devkit", "console", "cli"),
)
STEPS = (
    "receive",
    "authenticate",
    "admit",
    "rate",
    "decode",
    "budget",
    "decide",
    "claim",
    "handle",
    "narrow",
    "volume",
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}


class Import(NamedTuple):
    """One import: from which module, of which, and where it stands."""

    source: str
    target: str
    line: int

    def __str__(self):
        return f"{self.source}:{self.line} imports {self.target}"


def modules() -> dict[str, Path]:
    """Every module of the package by its name without the package's own: `pipeline.decide.binding`."""
    return {name_of(path): path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"}


def name_of(path: Path) -> str:
    """The name of a file as a module."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imports(walk: Callable[[ast.AST], Iterable[ast.AST]] | None = None) -> Iterator[Import]:
    """Every import within the package, those inside functions included; those for type checkers alone by `ast.walk`."""
    known = modules()
    for source, path in known.items():
        for node in (walk or running)(ast.parse(path.read_text(encoding="utf-8"))):
            for target in targets(node):
                yield Import(source, resolve(target, known), node.lineno)


def running(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk what runs: the body of `if TYPE_CHECKING:` does not."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for other in node.orelse:
                yield from (other, *running(other))
        else:
            yield from (node, *running(node))


def targets(node: ast.AST) -> list[str]:
    """What one statement imports of the package, as `narrows.…`."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: imports are written in full"
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        names = []
    return [name for name in names if name == "narrows" or name.startswith("narrows.")]


def resolve(target: str, known: dict[str, Path]) -> str:
    """The module that holds an imported name; "" for the package itself."""
    name = target.removeprefix("narrows").removeprefix(".")
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def room(module: str) -> str:
    """The first part of a module's name."""
    return module.partition(".")[0]


def test_every_room_has_its_place():
    """A new room is put into the order when it is built, or this fails."""
    assert {room(name) for name in modules()} <= LEVEL.keys()


def test_nothing_imports_to_the_right():
    """Each room imports what stands left of it, or beside it, and nothing else."""
    assert [str(found) for found in imports() if LEVEL.get(room(found.target), 99) > LEVEL[room(found.source)]] == []


def test_nothing_inside_imports_the_public_names():
    """The package's own list is for teams; inside, a name is imported from its home."""
    assert [str(found) for found in imports() if not found.target] == []


def test_no_step_imports_another():
    """A step can be read, tested and replaced alone."""
    found = [
        str(one)
        for one in imports()
        if (step := step_of(one.source)) and (other := step_of(one.target)) and step != other
    ]
    assert found == []


def step_of(module: str) -> str | None:
    """The step that a module belongs to."""
    parts = module.split(".")
    return parts[1] if parts[0] == "pipeline" and len(parts) > 1 and parts[1] in STEPS else None


def test_every_step_of_the_order_is_looked_at():
    """The steps of this test are those of the pipeline."""
    from narrows.pipeline import ORDER

    assert [step.__name__.rpartition(".")[2] for step in ORDER] == list(STEPS)


def test_no_modules_import_each_other_in_a_circle():
    """A circle would mean that two files are one; so would one of types, which only a type checker reads."""
    edges: dict[str, set[str]] = {}
    for found in imports(ast.walk):
        edges.setdefault(found.source, set()).add(found.target)
    assert circle(edges) == []


def circle(edges: dict[str, set[str]]) -> list[str]:
    """One circle, or nothing."""
    done: set[str] = set()

    def walk(module: str, way: list[str]) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        if module in done:
            return []
        for other in sorted(edges.get(module, ())):
            if found := walk(other, [*way, module]):
                return found
        done.add(module)
        return []

    return next(filter(None, (walk(module, []) for module in sorted(edges))), [])


def test_a_circle_would_be_found():
    """The search itself works: it names the circle, not the way to it."""
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}}) == []


def test_what_only_a_type_checker_reads_is_exempt():
    """Annotations may name what must not be imported."""
    tree = ast.parse(
        "if TYPE_CHECKING:\n    import narrows.cli\nelse:\n    import narrows.errors\ndef f():\n    import narrows.call"
    )
    assert [name for node in running(tree) for name in targets(node)] == ["narrows.errors", "narrows.call"]


def test_what_narrows_run_reaches_has_no_development_kit():
    """Whatever `narrows run` imports, now or later, by any way, none of it is a tool of development."""
    edges: dict[str, set[str]] = {}
    for found in imports():
        edges.setdefault(found.source, set()).add(found.target)
    reached, waiting = set(), ["cli.run"]
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += edges.get(module, ())
    assert "surfaces.http" in reached
    assert sorted(name for name in reached if room(name) in ("devkit", "testing", "console")) == []
