"""The micro-app page in a real browser, with the keyboard alone, against the world of `make dev`."""

import json
import re

import httpx
import pytest

from tests.interop.hostile import NAME, ROOT
from tests.interop.window import Window

WIDE = {"width": 1200, "height": 1000}
PHONE = {"width": 390, "height": 844}


class Visit(Window):
    """A window at the page of the micro-app."""

    def __init__(self, browser, origin, **how):
        super().__init__(browser, **how)
        self.origin = origin
        self.page.goto(f"{origin}/")

    def tab_to(self, role, name):
        """Press Tab until the element has the focus; fails if the keyboard does not get there."""
        self.reach(self.page.get_by_role(role, name=name), 40)

    def sign_in(self, name):
        self.tab_to("button", "Sign in")
        self.press("Enter")
        self.log_in(name)
        self.see("Signed in")

    def find(self):
        self.tab_to("button", "Find places")
        self.press("Enter")

    def see(self, text):
        self.page.get_by_text(text, exact=True).first.wait_for()

    def choose(self, mode):
        """Arrow keys move within a group of radio buttons."""
        self.tab_to("radio", "Rehearse")
        self.press(*{"Live": ["ArrowUp"], "Sandbox": ["ArrowDown"], "Rehearse": []}[mode])

    def stored(self):
        """What the page keeps in the browser; asked beside the page, whose policy lets nobody evaluate text."""
        asked = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
        session = self.context.new_cdp_session(self.page)
        return json.loads(session.send("Runtime.evaluate", {"expression": asked})["result"]["value"])


@pytest.fixture
def visit(chromium, world):
    """Opens windows, and closes them after the test."""
    opened = []

    def open_window(**how):
        opened.append(Visit(chromium, world["origin"], **how))
        return opened[-1]

    yield open_window
    for window in opened:
        window.context.close()


def bookings(world):
    """How many bookings the tables service holds."""
    return httpx.get(f"{world['tables']}/_count").json()["bookings"]


def test_a_person_signs_in_looks_rehearses_and_books_with_the_keyboard(visit, world):
    """Everything can be done without a mouse, a rehearsal books nothing, and nothing is asked of anybody else."""
    window = visit(viewport=WIDE)
    window.sign_in("anna")
    window.find()
    window.page.locator("li.place").first.wait_for()
    before = bookings(world)

    window.tab_to("button", "Book L'Osteria")
    window.press("Enter")
    window.press("Enter")
    window.see("Tables.book")
    card = window.page.locator(".rehearsal").inner_text()
    assert "Nothing is booked yet" in card
    assert "0.05 EUR" in card
    assert "POST /bookings" in card
    assert bookings(world) == before
    window.page.screenshot(path=ROOT / "build" / "page-rehearsal.png")

    window.tab_to("button", "Book it for real now")
    window.press("Enter")
    window.see("Booked")
    assert bookings(world) == before + 1
    window.press("Escape")
    window.page.locator("#bookings").get_by_text("L'Osteria").wait_for()
    window.page.screenshot(path=ROOT / "build" / "page.png", full_page=True)

    assert window.complaints == []
    assert all(url.startswith(f"{world['origin']}/") for url in window.requests)


def test_case_89_markup_in_a_place_name_is_shown_as_text(visit):
    """What an upstream sends as a name is read, not run: in the list, on the map and in the dialog."""
    window = visit(viewport=WIDE)
    window.sign_in("anna")
    window.find()
    first = window.page.locator("li.place").first
    first.wait_for()
    assert first.locator("h3").inner_text() == NAME
    assert window.page.locator("#map .marker").first.get_attribute("aria-label").startswith(f"1: {NAME}")
    window.tab_to("button", f"Book {NAME}")
    window.press("Enter")
    assert window.page.locator("#booking-title").inner_text() == f"Book {NAME}"
    assert window.page.title() == "Where2Eat"
    assert window.page.locator("main img, main script, dialog img, dialog script").count() == 0
    assert window.complaints == []


def test_case_89_the_token_stays_in_memory(visit, world):
    """No storage, cookie or address holds the token or the code, and a reload ends the sign-in."""
    window = visit()
    window.sign_in("anna")
    assert window.stored() == [{}, {}, ""]
    assert window.page.url == f"{world['origin']}/"
    window.page.reload()
    window.see("Not signed in")
    assert window.complaints == []


def test_case_89_the_page_cannot_be_framed(visit, framing):
    """A page of another origin that frames this one shows nothing of it."""
    window = visit()
    with window.page.expect_console_message(lambda said: "frame-ancestors 'none'" in said.text):
        window.page.goto(framing)
    assert window.page.frames[-1].get_by_text("Where2Eat").count() == 0


def test_list_and_map_show_the_same_place_as_current(visit):
    """The focus on one is seen on the other, and Enter leads from the map to the list."""
    window = visit(viewport=WIDE)
    window.sign_in("anna")
    window.find()
    window.page.locator("li.place").first.wait_for()
    current = window.page.locator("li.place.current h3")
    window.page.locator("#map .marker").first.focus()
    window.press("ArrowRight", "ArrowRight")
    assert window.page.locator("#map .marker[aria-current]").get_attribute("aria-label").startswith("3: ")
    third = window.page.locator("li.place h3").nth(2).inner_text()
    assert current.inner_text() == third
    window.press("Enter")
    assert window.page.locator(":focus").get_attribute("aria-label") == f"Book {third}"


def test_a_problem_names_field_and_remedy_and_marks_the_field(visit):
    """What the server says of a field stands beside it, the field is marked for everybody and has the focus."""
    window = visit()
    window.sign_in("anna")
    window.tab_to("textbox", "Team")
    window.press("Control+a")
    window.page.keyboard.type("seven")
    window.press("Enter")
    window.see("Some fields do not hold")
    team = window.page.locator("[name=team]")
    assert team.get_attribute("aria-invalid") == "true"
    assert "whole number" in window.page.locator(f"#{team.get_attribute('aria-describedby')}").inner_text()
    assert team.and_(window.page.locator(":focus")).count() == 1


def test_a_person_of_another_team_reads_why_not(visit):
    """A denial shows title and remedy, and no data."""
    window = visit()
    window.sign_in("olga")
    window.find()
    window.see("Not allowed")
    assert "What helps" in window.page.locator("#problem").inner_text()
    assert window.page.locator("li.place").count() == 0


def test_the_sandbox_answers_without_any_upstream(visit, world):
    """The third base path shows made-up places, or says that none of them suits; the services hear nothing of it."""
    window = visit(viewport=WIDE)
    window.sign_in("anna")
    window.choose("Sandbox")
    before = httpx.get(f"{world['tables']}/_received").json()
    window.find()
    window.page.get_by_text(re.compile("where everybody in team|No place suits everybody")).wait_for()
    assert httpx.get(f"{world['tables']}/_received").json() == before
    assert window.complaints == []


def test_the_page_fits_a_phone_in_the_dark(visit):
    """Nothing is wider than the screen of a phone, and no text is hard to read on it."""
    window = visit(viewport=PHONE, color_scheme="dark")
    window.sign_in("anna")
    window.find()
    window.page.locator("li.place").first.wait_for()
    session = window.context.new_cdp_session(window.page)
    width = session.send("Runtime.evaluate", {"expression": "document.documentElement.scrollWidth"})["result"]["value"]
    assert width <= PHONE["width"]
    window.page.screenshot(path=ROOT / "build" / "page-phone.png", full_page=True)


def test_a_booking_is_cancelled_as_it_was_made(visit, world):
    """A rehearsed cancellation shows its effect and leaves the booking; a live one takes it away."""
    window = visit(viewport=WIDE)
    window.sign_in("anna")
    window.choose("Live")
    window.find()
    window.page.locator("li.place").first.wait_for()
    window.tab_to("button", "Book Gablerbräu")
    window.press("Enter", "Enter")
    window.tab_to("button", "Book it for real now")
    window.press("Enter")
    window.see("Booked")
    window.press("Escape")
    made = bookings(world)
    window.page.reload()
    window.sign_in("anna")
    window.page.locator("[value=rehearse]").check()
    window.find()
    window.page.locator("#bookings li button").first.wait_for()
    window.page.locator("#bookings li", has_text="Gablerbräu").get_by_role("button").press("Enter")
    window.see("Tables.cancel")
    assert bookings(world) == made
    window.page.locator("[value=live]").check()
    window.find()
    window.page.locator("#bookings li", has_text="Gablerbräu").get_by_role("button").press("Enter")
    window.see("Tables.cancel")
    assert bookings(world) == made
    window.tab_to("button", "Cancel it for real now")
    window.press("Enter")
    window.see("The booking is cancelled.")
    assert bookings(world) == made - 1
    assert window.complaints == []


def test_a_refused_sign_in_is_told(visit):
    """Whoever refuses comes back to the page, which says so and holds nothing."""
    window = visit()
    window.tab_to("button", "Sign in")
    window.press("Enter")
    window.page.locator("[name=username]:focus").wait_for()
    window.tab_to("button", "Refuse")
    window.press("Enter")
    window.see("Signing in failed")
    window.see("Not signed in")
    assert "refused" in window.page.locator("#problem").inner_text()
    assert window.stored() == [{}, {}, ""]
