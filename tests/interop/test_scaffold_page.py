"""The page that `narrows new` makes, in a real browser, with the keyboard alone, served by `narrows dev`."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_first_micro_app import banner_of, port_of

BIN = Path(sys.executable).parent
HOSTILE = "</title><script>document.title='owned'</script>"


def narrows(folder, *arguments):
    """Run the command in the folder."""
    done = subprocess.run([BIN / "narrows", *arguments], cwd=folder, capture_output=True, text=True)  # noqa: S603 - our own command
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def desks(tmp_path_factory):
    """A new BFF that writes, with its page on live, served; gives its origin and the password of the member."""
    folder = tmp_path_factory.mktemp("project")
    narrows(folder, "new", "desks", "--shape", "limited-write", "--owner", "o@example.com", "--purpose", HOSTILE)
    for name in ("client.secret", "store.key"):
        (folder / "bffs" / "desks" / name).write_text("bWFkZSB1cCBmb3IgdGVzdHMuLi4uLi4uLi4uLi4uLi4=")
    target = "bffs.desks.app:bff"
    narrows(folder, "connector", "apply", target, "--by", "o@example.com")
    for _ in ("trial", "live"):
        narrows(folder, "connector", "approve", target, "desks-page", "--by", "approver@example.com")
    command = [BIN / "narrows", "dev", target, "--port", "0", "--no-reload"]
    environment = {**os.environ, "TMPDIR": str(tmp_path_factory.mktemp("tmp"))}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own command
        try:
            said = banner_of(process)
            yield f"http://127.0.0.1:{port_of(said)}", re.search(r"member\s+(member-\S+)", said)[1]
        finally:
            process.terminate()


@pytest.fixture
def window(chromium, desks):
    """A window on the page, that gathers what went wrong in it and what it asked for."""
    context = chromium.new_context(locale="en-GB")
    page = context.new_page()
    page.complaints, page.asked = [], []
    page.on("console", lambda said: page.complaints.append(said.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(f"{desks[0]}/")
    yield page
    context.close()


def tab_to(page, role, name):
    """Press Tab until the element has the focus."""
    wanted = page.get_by_role(role, name=name)
    for _ in range(40):
        if wanted.and_(page.locator(":focus")).count():
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab never reaches the {role} {name!r}")


def sign_in(page, password):
    """Sign the member in."""
    tab_to(page, "button", "Sign in")
    page.keyboard.press("Enter")
    page.locator("[name=username]:focus").wait_for()
    page.keyboard.type("member")
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    page.get_by_text("Signed in.", exact=True).wait_for()


def test_it_begins_in_the_sandbox_and_shows_what_the_purpose_says_as_text(window):
    """Markup in the purpose is text, and nothing is asked of another host."""
    assert window.locator(":checked").get_attribute("value") == "sandbox"
    assert window.locator("header p").inner_text() == HOSTILE
    assert window.title() == "Desks"
    assert window.complaints == []


def test_a_member_looks_rehearses_and_does_it_for_real_with_the_keyboard(window, desks):
    """The modes are told apart, a rehearsal leads to the live call with its receipt, and the item is there then."""
    origin, password = desks
    sign_in(window, password)
    tab_to(window, "radio", "Sandbox")
    window.keyboard.press("ArrowDown")
    assert window.locator("body").get_attribute("data-mode") == "rehearse"
    tab_to(window, "textbox", "Title")
    window.keyboard.type("A lamp")
    window.keyboard.press("Enter")
    window.get_by_text("Rehearsed: nothing was changed").wait_for()
    assert "Items.add" in window.locator("#answer").inner_text()
    tab_to(window, "button", "Do it for real")
    window.keyboard.press("Enter")
    window.locator("#answer h3", has_text="Done").wait_for()
    assert "A lamp" in window.locator("#answer").inner_text()
    assert all(url.startswith((origin, "data:")) for url in window.asked)
    assert window.complaints == []


def test_a_mistake_is_shown_at_its_field_with_what_helps(window, desks):
    """The field is marked and has the focus."""
    sign_in(window, desks[1])
    tab_to(window, "textbox", "Title")
    window.keyboard.press("Enter")
    window.locator(".problem").wait_for()
    assert "/body/title" in window.locator(".problem").inner_text()
    assert json.loads(window.locator("[data-field='body/title']:focus").get_attribute("aria-invalid")) is True


def test_no_value_leads_out_of_the_sandbox(window, desks):
    """A browser takes `..` in a path for the way up; the page asks nothing then."""
    sign_in(window, desks[1])
    item = window.locator("[data-field='path/item_id']")
    for value in ("..", ".", " "):
        before = len(window.asked)
        item.fill(value)
        item.press("Enter")
        window.locator(".problem", has_text="/path/item_id").wait_for()
        assert "It must not be empty, `.` or `..`." in window.locator(".problem").inner_text()
        assert len(window.asked) == before
        window.locator("#answer").evaluate("answer => answer.replaceChildren()")
    assert window.complaints == []
