"""The confirmation page in a real browser, with the keyboard alone, against the world of `make dev`."""

import subprocess
import sys
from datetime import UTC, datetime

import httpx
import pytest

from examples.where2eat.client import rfc3339
from examples.where2eat.copilot import next_lunch
from tests.interop.hostile import NAME, ROOT
from tests.interop.window import Window

WIDE = {"width": 1000, "height": 900}
PHONE = {"width": 390, "height": 844}
TURNED = "\u202emoc.live\u202c\u200b"
LUNCH = {"place_id": "node-268056323", "seats": 4, "note": f"Near the window, please. {NAME} {TURNED}"}

ATTACK = """<p id="got"></p><p id="end"></p><script>
  const url = "{origin}/confirmations/{id}";
  const got = document.getElementById("got");
  const body = JSON.stringify({ decision: "allow" });
  const headers = { "narrows-confirm": "1", "content-type": "application/json" };
  const attempts = [
    () => fetch(url, { credentials: "include", headers: { "narrows-confirm": "1" } }),
    () => fetch(url, { method: "POST", credentials: "include", headers, body }),
    () => fetch(url, { method: "POST", credentials: "include", mode: "no-cors", body }),
  ];
  (async () => {
    for (const attempt of attempts) {
      got.append(await attempt().then((response) => response.type, () => "blocked"), " ");
    }
    document.getElementById("end").textContent = "done";
  })();
</script>"""


class Confirming(Window):
    """A window at the confirmation page."""

    def __init__(self, browser, **how):
        # That nobody is signed in yet is asked by a request, which the browser writes down too.
        super().__init__(browser, expected="status of 401", **how)

    def tab_to(self, role, name):
        """Press Tab until the element has the focus; fails if the keyboard does not get there."""
        self.reach(self.page.get_by_role(role, name=name, exact=True), 20)

    def see(self, heading):
        self.page.get_by_role("heading", name=heading, exact=True).wait_for()

    def sign_in(self, name):
        self.see("Sign in to confirm")
        self.tab_to("link", "Sign in")
        self.press("Enter")
        self.log_in(name)

    def cookies(self):
        """The cookies of the browser, by name."""
        return {cookie["name"]: cookie for cookie in self.context.cookies()}


@pytest.fixture
def open_window(chromium):
    """Opens windows, and closes them after the test."""
    opened = []

    def one(**how):
        opened.append(Confirming(chromium, **{"viewport": WIDE, **how}))
        return opened[-1]

    yield one
    for window in opened:
        window.context.close()


def rehearse(world, name):
    """A booking that a copilot rehearses in somebody's name; where the person confirms it."""
    command = [sys.executable, "-m", "examples.where2eat.copilot", "--server", world["origin"]]
    command += ["--as", name, "--print-token"]
    token = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout.strip()  # noqa: S603 # ours
    wanted = {**LUNCH, "starts_at": rfc3339(next_lunch(datetime.now(UTC)))}
    url = f"{world['origin']}/rehearse/teams/7/bookings"
    answer = httpx.post(url, json=wanted, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 201, answer.text
    return f"{world['origin']}/confirm/{answer.links['describedby']['url'].rpartition('/')[2]}"


@pytest.fixture(scope="module")
def asked(world):
    """What Chloe is asked, and never decides."""
    return rehearse(world, "chloe")


def test_a_person_signs_in_reads_and_confirms_with_the_keyboard(open_window, world):
    """Everything can be done without a mouse, what is asked stands there, and nothing is asked of anybody else."""
    url = rehearse(world, "david")
    window = open_window()
    window.page.goto(url)
    window.see("Sign in to confirm")
    window.shot("confirm-1-sign-in")
    window.sign_in("david")

    window.see("Do you allow this?")
    assert window.page.url == url
    text = window.page.locator("main").inner_text()
    for part in ("copilot", "David", "Book a table for the team.", "Tables: book", "0.05 EUR", "place id"):
        assert part in text
    assert "null" not in text
    assert "undefined" not in text
    window.shot("confirm-2-asked")
    assert window.page.locator("h1:focus").count() == 1
    window.tab_to("button", "Confirm")
    window.press("Enter")

    window.see("You have confirmed it")
    assert "may now go on, once" in window.page.locator("main").inner_text()
    window.shot("confirm-3-confirmed")
    window.page.reload()
    window.see("You have confirmed it")
    assert window.complaints == []
    assert all(asked.startswith((f"{world['origin']}/", "data:,")) for asked in window.requests)
    cookie = window.cookies()["narrows-session"]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")


def test_case_89_what_a_program_sends_is_shown_as_text(open_window, asked):
    """Markup in a value is read and not run; the policy would stop it too. What turns text around or hides is named."""
    window = open_window()
    window.page.goto(asked)
    window.sign_in("chloe")
    window.see("Do you allow this?")
    text = window.page.locator("main").inner_text()
    assert NAME in text
    assert "⟨U+202E⟩moc.live⟨U+202C⟩⟨U+200B⟩" in text
    assert TURNED not in text
    assert window.page.title() == "Do you allow this?"
    assert window.page.locator("main img, main script").count() == 0
    assert window.complaints == []


def test_case_82_what_no_change_shows_is_shown_beside_them(open_window, asked):
    """What the BFF writes under another name is read before anything is confirmed, and no two values read alike."""
    window = open_window()

    def renamed(route):
        answer = route.fetch()
        body = answer.json()
        if answer.ok:
            body["sent"] = {"/new/memo": f"pay {TURNED}"}
            body["effects"][0]["arguments"] = {"/from/account": 1, "/to/account": 2, "/to/name": "Mallory"}
        route.fulfill(response=answer, json=body)

    window.page.route("**/confirmations/*", renamed)
    window.page.goto(asked)
    window.sign_in("chloe")
    window.see("Do you allow this?")
    text = window.page.locator("main").inner_text()
    assert "It also sent" in text
    assert "memo\npay ⟨U+202E⟩moc.live" in text
    assert "from account\n1\nto account\n2\nname\nMallory" in text
    assert window.complaints == []


def test_a_person_does_not_allow_it(open_window, world):
    """And takes back what was confirmed; what is over has no button any more."""
    window = open_window()
    window.page.goto(rehearse(world, "emil"))
    window.sign_in("emil")
    window.see("Do you allow this?")
    window.tab_to("button", "Confirm")
    window.press("Enter")
    window.see("You have confirmed it")
    window.tab_to("button", "Take it back")
    window.press("Enter")
    window.see("This is over")
    window.shot("confirm-4-over")
    assert window.page.get_by_role("button").all_inner_texts() == ["Sign out"]
    window.page.goto(rehearse(world, "emil"))
    window.see("Do you allow this?")
    window.tab_to("button", "Do not allow")
    window.press("Enter")
    window.see("This is over")


def test_another_person_finds_nothing(open_window, asked):
    """And can sign out, to come back as somebody else."""
    window = open_window()
    window.page.goto(asked)
    window.sign_in("ben")
    window.see("Nothing to confirm")
    window.shot("confirm-5-nothing")
    window.tab_to("button", "Sign in as somebody else")
    window.press("Enter")
    window.see("Sign in to confirm")
    assert "narrows-session" not in window.cookies()


def test_a_refused_sign_in_leads_back(open_window, asked):
    """Whoever refuses at the issuer reads that nothing was confirmed, and can begin again."""
    window = open_window()
    window.page.goto(asked)
    window.see("Sign in to confirm")
    window.tab_to("link", "Sign in")
    window.press("Enter")
    window.page.locator("[name=username]:focus").wait_for()
    window.tab_to("button", "Refuse")
    window.press("Enter")
    window.see("You are not signed in")
    window.shot("confirm-6-refused")
    window.tab_to("link", "Begin again")
    window.press("Enter")
    window.see("Sign in to confirm")


def test_case_82_the_page_cannot_be_framed(open_window, asked, elsewhere):
    """A page of another origin that frames this one shows nothing of it, even of a person who is signed in."""
    window = open_window()
    url = asked
    window.page.goto(url)
    window.sign_in("chloe")
    window.see("Do you allow this?")
    with window.page.expect_console_message(lambda said: "frame-ancestors 'none'" in said.text):
        window.page.goto(elsewhere(f'<iframe src="{url}"></iframe>'))
    assert window.page.frames[-1].get_by_text("Do you allow this?").count() == 0


def test_case_82_a_page_elsewhere_can_neither_read_nor_confirm(open_window, world, asked, elsewhere):
    """A script of another origin, in the browser of a person who is signed in here, gets nothing."""
    window = open_window()
    url = asked
    window.page.goto(url)
    window.sign_in("chloe")
    window.see("Do you allow this?")
    window.page.goto(elsewhere(ATTACK.replace("{origin}", world["origin"]).replace("{id}", url.rpartition("/")[2])))
    window.page.get_by_text("done", exact=True).wait_for()
    assert window.page.locator("#got").inner_text() == "blocked blocked opaque"
    window.page.goto(url)
    window.see("Do you allow this?")


def test_the_page_fits_a_phone_in_the_dark(open_window, asked):
    """Nothing is wider than the screen of a phone."""
    window = open_window(viewport=PHONE, color_scheme="dark")
    window.page.goto(asked)
    window.sign_in("chloe")
    window.see("Do you allow this?")
    session = window.context.new_cdp_session(window.page)
    width = session.send("Runtime.evaluate", {"expression": "document.documentElement.scrollWidth"})["result"]["value"]
    assert width <= PHONE["width"]
    window.shot("confirm-7-phone")


def test_without_scripts_the_page_says_so(open_window, asked):
    """Rather than showing nothing at all."""
    window = open_window(java_script_enabled=False)
    window.page.goto(asked)
    assert "needs scripts" in window.page.locator("main").inner_text()
