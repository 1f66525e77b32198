"""What the README and the guides show is run: Python as it stands, settings as Narrows reads them, commands too."""

import asyncio
import base64
import inspect
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Container
from types import ModuleType

import msgspec
import pytest

from narrows.settings import Secret, merge, read_settings
from tests.docs.pages import Block, blocks, guides, name_of
from tests.docs.tutorial import Tutorial, tutorial_blocks

RUN = ("python", "toml", "sh")
SHOWN = ("mermaid", "json", "csv", "text")

# Commands that no test runs from a page, each with its reason.
NOT_RUN = {
    "make dev": "it runs until it is ended; the test keeps such a world running and sends the commands to it",
    "make demo": "tests/docs/test_demo.py runs it",
    "make test": "it is what runs this test",
}
# Pages whose commands are run by a test of their own, in a world of their own.
RUN_ELSEWHERE = {"first-micro-app.md": "tests/docs/test_first_micro_app.py, in an empty folder"}
PATIENCE_S = 60

# The least that settings need, for the parts of them that a page shows.
BARE = {
    "public_url": "https://bff.test",
    "issuers": {"corp": {"url": "https://issuer.test", "audience": "bff"}},
}


def pages_with(language: str, but: Container[str] = ()) -> list:
    """The pages that hold blocks of a language, as parameters of a test."""
    found = [page for page in guides() if blocks(page, language) and page.name not in but]
    return [pytest.param(page, id=name_of(page)) for page in found]


@pytest.fixture
def module():
    """An empty module, known by its name as types need it."""
    made = ModuleType("page")
    sys.modules["page"] = made
    yield made
    del sys.modules["page"]


@pytest.mark.parametrize("page", guides(), ids=name_of)
def test_every_block_is_of_a_kind_that_is_known(page):
    """A block in a language that nobody runs would rot unseen."""
    fences = re.findall(r"^```(\w*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert {fence for fence in fences if fence} <= {*RUN, *SHOWN}
    assert fences[1::2] == [""] * (len(fences) // 2)


@pytest.mark.parametrize("page", pages_with("python"))
def test_python_runs(page, module):
    """The blocks of a page build on each other; functions named test_… are tests, and hold.

    The blocks of the tutorial belong to files, and are run there (`tests/docs/test_readme.py`).
    """
    tutorial = tutorial_blocks()
    for block in (block for block in blocks(page, "python") if block not in tutorial):
        # Empty lines before it, so that an error names the line of the page.
        code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
        exec(code, module.__dict__)  # noqa: S102 - that is what is promised
    for name, function in list(vars(module).items()):
        if name.startswith("test_"):
            result = function()
            if inspect.isawaitable(result):
                asyncio.run(result)


@pytest.mark.parametrize("page", pages_with("toml"))
def test_settings_are_read(page):
    """Each block is laid over the least that settings need: no key of it is unknown or of a wrong type."""
    for block in blocks(page, "toml"):
        settings = read_settings(merge(BARE, told(tomllib.loads(block.text))), where=f"{page}:{block.line}", environ={})
        assert msgspec.structs.asdict(settings)


def told(value):
    """The same tables with a made-up secret where a file or a variable is named."""
    if isinstance(value, dict):
        if value.keys() in ({"file"}, {"env"}):
            return Secret("made-up")
        return {key: told(inner) for key, inner in value.items()}
    return [told(inner) for inner in value] if isinstance(value, list) else value


def commands(block: Block) -> list[str]:
    """The commands of a block; a line that ends with a backslash goes on."""
    joined = re.sub(r"\\\n\s*", "", block.text)
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("page", pages_with("sh", RUN_ELSEWHERE))
def test_each_command_is_run_or_has_its_reason(page):
    """No command is shown that neither runs here nor stands in the table above."""
    known = re.compile(r"\. build/dev/operator\.env$|curl |narrows |TOKEN=|\.venv/bin/(python|pytest|narrows) ")
    for block in blocks(page, "sh"):
        for command in commands(block):
            assert command.partition("  #")[0].strip() in NOT_RUN or known.match(command), command


def script(page, origin: str) -> str:
    """The commands of a page as one script; a curl must end with the status in its comment, else with a success."""
    lines = ["set -euo pipefail"]
    for block in blocks(page, "sh"):
        for command in commands(block):
            bare, _, comment = command.partition("  #")
            differs = "exits with 1" in comment
            if bare.strip() in NOT_RUN:
                continue
            bare = bare.replace("http://127.0.0.1:8000", origin).replace(".venv/bin/python", sys.executable)
            bare = bare.replace("examples.where2eat.copilot", f"examples.where2eat.copilot --server {origin}")
            bare = re.sub(r"(\.venv/bin/)?(narrows|pytest) ", rf"{os.path.dirname(sys.executable)}/\2 ", bare)
            bare = f"if {bare}; then exit 1; fi" if differs else bare
            lines.append(checked(bare, comment) if bare.startswith("curl ") else bare)
    return "\n".join(lines)


def checked(curl: str, comment: str) -> str:
    """A curl whose status is looked at."""
    wanted = re.search(r"\b[45]\d\d\b", comment)
    pattern = wanted[0] if wanted else "2??"
    asked = curl.replace("curl ", "curl --silent --show-error --output /dev/null --write-out '%{http_code}' ", 1)
    told = shlex.quote(f"{curl} answered")
    return f'status=$({asked})\ncase $status in {pattern}) ;; *) echo {told} "$status" >&2; exit 1;; esac'


@pytest.fixture(scope="module")
def where2eat(tmp_path_factory):
    """The world of `make dev`, on a free port, in a copy in which the tutorial was done."""
    tutorial = Tutorial(tmp_path_factory.mktemp("tree"))
    tutorial.until_refused()
    tutorial.until_it_starts()
    tutorial.until_tested()
    command = [sys.executable, "-m", "examples.where2eat.dev", "--port", "0", "--json"]
    with subprocess.Popen(command, cwd=tutorial.folder, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own module
        try:
            yield {**msgspec.json.decode(process.stdout.readline()), "tree": tutorial.folder}
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


@pytest.mark.parametrize("page", pages_with("sh", RUN_ELSEWHERE))
def test_commands_run(page, where2eat, tmp_path):
    """What a reader types works, in the order in which it stands there, and each curl ends as the page says.

    Each page has a registry of connectors and an audit log of its own.
    """
    key = tmp_path / "stores.key"
    key.write_text(base64.b64encode(bytes(32)).decode(), encoding="utf-8")
    environment = {
        **os.environ,
        "WHERE2EAT_CLIENT_SECRET": "made-up",
        "NARROWS_STORES__CONNECTORS": f"sqlite:{tmp_path / 'connectors.db'}",
        "NARROWS_STORES__AUDIT": f"sqlite:{tmp_path / 'audit.db'}",
        "NARROWS_STORES__BUDGETS": f"sqlite:{tmp_path / 'budgets.db'}",
        "NARROWS_STORES__KEY__FILE": str(key),
    }
    text = script(page, where2eat["origin"])
    done = subprocess.run(  # noqa: S603 - our own pages
        ["/bin/bash", "-c", text],
        cwd=where2eat["tree"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
