"""`narrows new`: what it makes, tells and refuses."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from narrows.cli import main
from narrows.cli.new import command
from narrows.devkit.scaffold.facts import Draft


def new(*arguments, **how):
    """Run the command."""
    return CliRunner().invoke(main, ["new", *arguments], **how)


def test_it_lists_the_files_and_what_comes_next(in_a_folder_of_its_own):
    """Whoever made a BFF knows where it is and what to type."""
    done = new("room_book", "--shape", "limited-write", "--owner", "rooms@example.com", "--purpose", "Book a room")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "room-book is made. Its owner is rooms@example.com; it is to be reviewed by 20" in done.stdout
    assert "  bffs/room_book/app.py\n" in done.stdout
    assert done.stdout.endswith(
        "Next:\n  python -m pytest bffs/room_book\n  narrows check bffs.room_book.app:bff\n"
        "  narrows dev bffs.room_book.app:bff\n"
    )
    made = (in_a_folder_of_its_own / "bffs/room_book/app.py").read_text()
    assert 'owner="rooms@example.com"' in made
    assert 'purpose="Book a room"' in made


def test_what_comes_next_can_be_pasted(in_a_folder_of_its_own):
    """A folder with a space or a sign of the shell in its name starts nothing else."""
    done = new("desks", "--into", "our apps;$(touch owned)/bffs")
    assert "  cd 'our apps;$(touch owned)'\n  python -m pytest bffs/desks\n" in done.stdout


def test_a_program_reads_it_as_json(in_a_folder_of_its_own):
    """The same, and nothing is asked; without a shape it is one that only reads."""
    done = new("desks", "--format", "json", "--into", str(in_a_folder_of_its_own / "apps/bffs"))
    told = json.loads(done.stdout)
    assert (told["name"], told["notes"]) == ("desks", [])
    assert all((in_a_folder_of_its_own / "apps/bffs/desks" / file).is_file() for file in told["files"])
    assert "commit" not in (in_a_folder_of_its_own / "apps/bffs/desks/app.py").read_text()


def test_elsewhere_it_says_where_to_go_on(in_a_folder_of_its_own):
    """A BFF imports its files as `bffs.NAME`, so the commands work from the folder above alone."""
    assert new("desks", "--into", "apps/bffs").stdout.endswith(
        "Next:\n  cd apps\n  python -m pytest bffs/desks\n  narrows check bffs.desks.app:bff\n"
        "  narrows dev bffs.desks.app:bff\n"
    )
    done = new("rooms", "--into", "apps")
    assert (done.exit_code, "Write --into apps/bffs" in done.stderr) == (2, True)
    assert not (in_a_folder_of_its_own / "apps/rooms").exists()


def test_at_a_terminal_it_asks(monkeypatch):
    """Owner and purpose, with an answer to begin with."""
    asked = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda text, default: asked.append((text, default)) or "Ours")
    command.callback(
        "desks", "aggregate", None, None, None, False, None, None, __import__("pathlib").Path("bffs"), "text"
    )
    assert asked == [
        ("Who answers for it", "desks@example.com"),
        ("What is it for, in a sentence", "Show a team and its items at a glance"),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Room-Book"], "call it room_book"),
        (["../x"], "call it x"),
        (["desks", "--purpose", ""], "the purpose is empty"),
    ],
)
def test_what_does_not_hold_is_refused_before_anything_is_made(in_a_folder_of_its_own, arguments, said):
    """The remedy is named, the exit code is 2, and nothing is there."""
    done = new(*arguments)
    assert (done.exit_code, said in done.stderr) == (2, True)
    assert list(in_a_folder_of_its_own.iterdir()) == []


def test_a_bff_that_is_there_stays(in_a_folder_of_its_own):
    """Made twice, it is refused the second time."""
    new("desks")
    (in_a_folder_of_its_own / "bffs/desks/app.py").write_text("mine")
    done = new("desks")
    assert (done.exit_code, "is there already" in done.stderr) == (2, True)
    assert (in_a_folder_of_its_own / "bffs/desks/app.py").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "api.json", "--operations", "a", "--shape", "aggregate"], "exclude each other"),
        (["--from", "api.json"], "wants --operations"),
        (["--operations", "a"], "belongs to --from"),
        (["--from", "absent.json", "--operations", "a"], "does not exist"),
        (["--shape", "round"], "is not one of"),
    ],
)
def test_options_that_do_not_fit_say_what_would_be_right(in_a_folder_of_its_own, arguments, said):
    """Wrong usage costs no look into the documentation."""
    (in_a_folder_of_its_own / "api.json").write_text("{}")
    done = new("desks", *arguments)
    assert (done.exit_code, said in done.stderr) == (2, True)


def test_a_document_is_handed_on_with_the_operations_wanted(in_a_folder_of_its_own, monkeypatch):
    """What cannot be expressed is told as a note."""
    (in_a_folder_of_its_own / "api.json").write_text("{}")
    seen = []
    module = ModuleType("narrows.devkit.scaffold.openapi")
    module.from_document = lambda *given: seen.append(given) or Draft({"app.py": "x = 1\n"}, ("a hole at /paths",))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    done = new("desks", "--from", "api.json", "--operations", "getPet, addPet,")
    [(document, wanted, facts, upstream)] = seen
    assert (document.name, wanted, facts.name, upstream) == ("api.json", ["getPet", "addPet"], "desks", None)
    assert "Note: a hole at /paths\n" in done.stdout


def test_help_tells_the_shapes():
    """What each shape is for stands in the help."""
    said = new("--help").stdout
    assert all(shape in said for shape in ("read-only", "limited-write", "aggregate"))


DOCUMENT = Path(__file__).parents[2] / "data" / "openapi" / "github-3.0.json"


def test_the_operations_of_a_document_are_listed(in_a_folder_of_its_own):
    """One a line with tabs for grep, the same as JSON, and nothing is made."""
    lines = new("--from", str(DOCUMENT), "--list").stdout.splitlines()
    assert "pulls/list\tGET /repos/{owner}/{repo}/pulls\t" in lines
    told = json.loads(new("--from", str(DOCUMENT), "--list", "--format", "json").stdout)
    assert {one["id"] for one in told} == {line.partition("\t")[0] for line in lines}
    assert list(in_a_folder_of_its_own.iterdir()) == []


def test_at_a_terminal_the_list_is_paged(monkeypatch):
    """A thousand lines are not thrown at a person."""
    paged = []
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.echo_via_pager", paged.append)
    command.callback(None, None, DOCUMENT, None, None, True, None, None, Path("bffs"), "text")
    assert "pulls/list" in paged[0]


@pytest.mark.parametrize(("arguments", "said"), [(["--list"], "--list belongs to --from"), ([], "NAME is missing")])
def test_what_is_missing_is_said(in_a_folder_of_its_own, arguments, said):
    """A list needs a document, a BFF needs a name."""
    done = new(*arguments)
    assert (done.exit_code, said in done.stderr) == (2, True)


def test_holes_are_told_with_what_to_do(in_a_folder_of_its_own):
    """Each by itself, and that the start waits for them."""
    done = new("desks", "--from", str(DOCUMENT), "--operations", "meta/get-zen")
    assert "Hole: its answer is not read: it is not JSON (#/paths/~1zen/get/responses/200/content)\n" in done.stdout
    assert "The start is refused until 1 marked hole(s) are filled" in done.stdout
