"""`narrows dev` as a process, its pages in a real browser, by keyboard alone; pictures stay in build/screenshots."""

import json
import re
import socket
import time

import pytest

from tests.interop.conftest import _served
from tests.interop.dev_process import Dev
from tests.interop.hostile import NAME
from tests.interop.window import Window

WIDE = {"width": 1200, "height": 900}
PHONE = {"width": 360, "height": 740}
PLACE = {
    "id": "p-1",
    "name": NAME,
    "cuisine": ["any"],
    "diets": {"vegetarian": True, "vegan": True},
    "distance_m": 1.0,
    "lat": 47.8,
    "lon": 13.0,
}


async def hostile(scope, receive, send):
    """A real upstream on this machine that sends markup as a name."""
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps([PLACE]).encode()})


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    """The command, as a person starts it."""
    with _served(hostile, socket.create_server(("127.0.0.1", 0))) as places:
        started = Dev(tmp_path_factory.mktemp("dev"), places)
        yield started
        started.end()


class Visit(Window):
    """A window at the pages of `narrows dev`."""

    def __init__(self, browser, dev, **how):
        super().__init__(browser, **how)
        self.dev = dev
        self.page.goto(dev.link)
        self.page.get_by_role("heading", name="where2eat").wait_for()

    def tab_to(self, wanted):
        """Press Tab until the element has the focus; fails if the keyboard does not get there."""
        self.reach(wanted, 60)

    def open(self, path):
        """Open an endpoint from the index, by its link."""
        self.tab_to(self.page.get_by_role("link", name=path, exact=True).first)
        self.press("Enter")
        self.page.get_by_role("button", name="Send").wait_for()

    def write(self, label, text):
        """Write into a field in place of what stands there."""
        self.tab_to(self.page.get_by_label(label).first)
        self.press("Control+a")
        self.page.keyboard.type(text)

    def choose(self, mode):
        """Arrow keys move within a group of radio buttons."""
        checked = self.page.locator("input[type=radio]:checked")
        self.tab_to(checked)
        for _ in range(3):
            if checked.get_attribute("value") == mode:
                return
            self.press("ArrowDown")
        pytest.fail(f"the arrows never reach {mode}")

    def send(self):
        """Press Enter on the button, and wait for the result."""
        self.tab_to(self.page.get_by_role("button", name="Send", exact=True))
        self.press("Enter")
        self.page.get_by_role("heading", name="Result").wait_for()

    def shot(self, name):
        """Keep how it looks."""
        super().shot(f"dev-{name}")

    def width(self):
        """How wide the page is; asked beside the page, whose policy lets nobody evaluate text."""
        session = self.context.new_cdp_session(self.page)
        asked = {"expression": "document.documentElement.scrollWidth"}
        return session.send("Runtime.evaluate", asked)["result"]["value"]


@pytest.fixture
def visit(chromium, dev):
    """Opens windows, and closes them after the test."""
    opened = []

    def open_window(**how):
        opened.append(Visit(chromium, dev, **{"viewport": WIDE, **how}))
        return opened[-1]

    yield open_window
    for window in opened:
        window.context.close()


BOOKINGS = "/teams/{team_id}/bookings"


def open_booking(window):
    """The page of the endpoint that books; two have its path, and it is the second."""
    window.tab_to(window.page.get_by_role("link", name=BOOKINGS, exact=True).nth(1))
    window.press("Enter")
    window.page.get_by_role("button", name="Send").wait_for()


def test_a_write_is_rehearsed_with_the_keyboard_and_its_effects_are_shown(visit):
    """Effects, price, rate left and trace are on the page, the focus is on the result, and nobody else is asked."""
    window = visit()
    window.shot("index")
    open_booking(window)
    window.choose("rehearse")
    window.write("seats", "4")
    window.send()
    result = window.page.locator("#result")
    text = result.inner_text()
    assert "201 Created" in text
    assert "Tables.book" in text
    assert "POST /bookings" in text
    assert "/booking/seats\n4" in text
    assert "Price of the effects\n0.05 EUR" in text
    assert re.search(r"Rate left\n\d of 5/minute per caller", text)
    assert result.locator(".trace tbody tr").count() >= 10
    assert "decide" in result.locator(".trace").inner_text()
    assert result.get_by_role("heading", name="Result").and_(window.page.locator(":focus")).count() == 1
    window.shot("rehearsal")
    assert window.complaints == []
    assert all(url.startswith(f"{window.dev.origin}/") for url in window.requests)
    assert window.page.url.endswith("/dev/endpoints/where2eat.book_table")


def test_a_wrong_value_marks_its_field_with_the_remedy(visit):
    """The field that does not hold is marked for everybody, says what helps, and has the focus; mended, it is not."""
    window = visit()
    open_booking(window)
    window.write("seats", "many")
    window.send()
    seats = window.page.locator("[name='/body/seats']")
    assert seats.get_attribute("aria-invalid") == "true"
    fault = window.page.locator(f"#{seats.get_attribute('aria-describedby').split()[0]}").inner_text()
    assert (
        fault == "It must be a whole number, at least 1 and at most 20. Send a whole number, at least 1 and at most 20."
    )
    assert seats.and_(window.page.locator(":focus")).count() == 1
    assert window.page.locator("[aria-invalid=true]").count() == 1
    window.shot("wrong-field")
    window.press("Control+a")
    window.page.keyboard.type("3")
    window.send()
    window.page.get_by_text("201 Created").wait_for()
    assert window.page.locator("[aria-invalid=true]").count() == 0
    window.write("team_id", "")
    window.press("Delete", "Enter")
    team = window.page.locator("[name='/path/team_id'][aria-invalid=true]")
    team.wait_for()
    assert team.and_(window.page.locator(":focus")).count() == 1
    # A browser would take it for the way up, out of the rehearsal.
    asked = []
    window.page.on("request", lambda request: asked.append(request.url))
    window.page.keyboard.type("..")
    window.press("Enter")
    team.wait_for()
    assert not [url for url in asked if "/dev/" not in url]


def test_case_89_markup_of_an_upstream_is_shown_as_text(visit):
    """What a real upstream sends as a name is read, not run; live is not offered where an upstream is real."""
    window = visit()
    window.open("/teams/{team_id}/dining-suggestions")
    assert window.page.locator("[value=live]").is_disabled()
    assert "Places is real" in window.page.locator(".modes").inner_text()
    window.choose("rehearse")
    window.send()
    assert json.dumps(NAME, ensure_ascii=False)[1:-1] in window.page.locator("#result pre").inner_text()
    assert window.page.locator("main img, main script, main iframe").count() == 0
    window.shot("markup")
    assert window.complaints == []


def test_a_live_write_is_marked_and_stays_within(visit):
    """With everything made up, what was rehearsed can be sent, and is remembered."""
    window = visit()
    open_booking(window)
    assert "Live: on made-up upstreams" in window.page.locator(".modes").inner_text()
    window.choose("rehearse")
    window.send()
    window.page.get_by_text("201 Created").wait_for()
    receipt = window.page.get_by_role("button", name="Send it live with this receipt")
    if receipt.count():
        window.tab_to(receipt)
        window.press("Enter")
    else:
        window.choose("live")
        window.send()
    window.page.get_by_text("Live: the made-up upstreams took the write").wait_for()
    assert "Tables.book" in window.page.locator("#result").inner_text()
    window.shot("live")
    assert window.complaints == []


def test_a_stranger_reads_why_not(visit):
    """Acting as somebody without the role shows the denial and its remedy."""
    window = visit()
    window.open(BOOKINGS)
    person = window.page.locator("#person")
    window.tab_to(person)
    window.page.keyboard.type("stranger")
    assert person.input_value() == "stranger"
    window.send()
    window.page.get_by_text("403 Not allowed").wait_for()
    assert "What helps" in window.page.locator("#result").inner_text()


def test_a_change_is_shown_and_a_refused_start_too(visit, dev):
    """The open page follows, keeps what was typed, and tells file, line and remedy while a start is refused."""
    window = visit()
    open_booking(window)
    window.write("note", "by the window")
    whole = dev.app.read_text()
    try:
        began = time.monotonic()
        dev.app.write_text(whole.replace("Book a table for the team.", "Book a table, changed."))
        window.page.get_by_text("Book a table, changed.").first.wait_for()
        spent = time.monotonic() - began
        print(f"a change is on the page after {spent:.2f} s")
        assert window.page.locator("[name='/body/note']").input_value() == "by the window"
        assert window.page.locator("#state").inner_text().startswith("reloaded")
        window.send()
        window.page.get_by_text("201 Created").wait_for()
        window.complaints.clear()  # a request that the change cut off is told by the browser

        dev.app.write_text(whole.replace('    rate="60/minute",\n', ""))
        window.page.get_by_role("heading", name="The start is refused").wait_for()
        told = window.page.locator(".refusals").inner_text()
        assert "where2eat.team_bookings" in told
        assert re.search(r"app\.py:\d+", told)
        assert 'add rate="30/minute"' in told
        window.shot("refused")
        assert "rate-missing" in dev.until("waiting for a change")
    finally:
        dev.app.write_text(whole)
    window.page.get_by_role("button", name="Send").wait_for()
    assert window.page.locator("[name='/body/note']").input_value() == "by the window"


def test_the_pages_fit_a_phone_in_the_dark(visit):
    """Nothing is wider than a narrow screen, on the index and with a result."""
    window = visit(viewport=PHONE, color_scheme="dark")
    assert window.width() <= PHONE["width"]
    window.shot("phone-index")
    open_booking(window)
    window.choose("rehearse")
    window.send()
    assert window.width() <= PHONE["width"]
    window.shot("phone-rehearsal")


def test_case_86_without_the_link_the_browser_is_shown_nothing(chromium, dev):
    """Another profile of the same machine gets a sentence and no page."""
    context = chromium.new_context()
    page = context.new_page()
    answer = page.goto(f"{dev.origin}/dev/")
    assert answer.status == 403
    assert "Open the link" in page.content()
    assert context.cookies() == []
    context.close()


def test_what_a_copilot_asks_for_is_confirmed_by_the_made_up_person(visit, dev):
    """The whole way: rehearsed, stopped until the person confirms it on the BFF's own page, then sent once."""
    window = visit()
    password = window.page.locator("tr", has_text="member in team:7").first.locator("code").inner_text()
    open_booking(window)
    program = window.page.locator("#program")
    window.tab_to(program)
    window.page.keyboard.type("dev-copilot")
    assert program.input_value() == "dev-copilot"
    window.choose("rehearse")
    window.send()
    live = window.page.get_by_role("button", name="Send it live with this receipt")
    live.press("Enter")
    window.page.get_by_text("Live, on made-up upstreams.").wait_for()
    assert window.page.locator("#result .status.bad").count() == 1
    assert "confirm" in window.page.locator("#result .alarm").inner_text().lower()

    window.send()
    with window.context.expect_page() as opened:
        window.page.get_by_role("link", name="Confirm it as the person").press("Enter")
    page = opened.value
    page.get_by_text("Sign in", exact=True).last.press("Enter")
    page.locator("[name=username]").fill("member")
    page.locator("[name=password]").fill(password)
    page.locator("[name=password]").press("Enter")
    page.get_by_role("button", name="Confirm", exact=True).press("Enter")
    page.get_by_text("You have confirmed it").wait_for()
    live.press("Enter")
    window.page.get_by_text("201 Created").wait_for()
    assert "Tables.book" in window.page.locator("#result").inner_text()


def test_a_document_is_tried_by_a_form_of_its_variables(visit):
    """It is found on the index, shows its source and hash, and is called with what was typed, by keyboard alone."""
    window = visit()
    window.open("/graphql/lunch")
    window.page.get_by_text("The document", exact=True).wait_for()
    assert re.search(r"Id\nsha256:[0-9a-f]{64}", window.page.locator(".declared").inner_text())
    window.send()
    window.page.get_by_text("200 OK").wait_for()
    answer = json.loads(window.page.locator("#result pre").first.inner_text())
    assert set(answer) == {"data"}
    window.shot("document")
    window.write("team_id", "none")
    window.send()
    team = window.page.locator("[name='/variables/team_id']")
    window.page.locator("[name='/variables/team_id'][aria-invalid=true]").wait_for()
    assert team.and_(window.page.locator(":focus")).count() == 1
    assert window.complaints == [] or all("400" in said for said in window.complaints)


def test_a_mutation_document_is_rehearsed_by_its_form(visit):
    """Its effects are told as those of any write, under the name of the document."""
    window = visit()
    window.open("/graphql/book")
    window.choose("rehearse")
    window.send()
    text = window.page.locator("#result").inner_text()
    assert "200 OK" in text
    assert "Tables.book" in text
    assert "Receipt" in text
    window.shot("document-rehearsed")


def test_any_text_is_tried_and_what_is_wrong_is_told_beside_it(visit):
    """A developer reads the schema, writes a query with variables, and mends what is marked, without a mouse."""
    window = visit()
    window.tab_to(window.page.get_by_role("link", name="Ask anything else"))
    window.press("Enter")
    text = window.page.get_by_label("Query or mutation")
    text.wait_for()
    schema = window.page.locator("details pre")
    window.tab_to(window.page.locator("summary"))
    window.press("Enter")
    assert "type Query" in schema.inner_text()
    window.shot("schema")
    window.press("Enter")
    window.send()
    window.page.get_by_text("200 OK").wait_for()
    assert '"__typename": "Query"' in window.page.locator("#result pre").inner_text()
    window.write("Query or mutation", "query ($team: Long!) { team_bookings(team_id: $team) { id nothing } }")
    window.write("Variables", '{"team": 7}')
    window.send()
    fault = window.page.locator("#text-fault")
    fault.wait_for()
    assert "Cannot query field 'nothing' on type" in fault.inner_text()
    assert text.get_attribute("aria-invalid") == "true"
    assert text.and_(window.page.locator(":focus")).count() == 1
    window.shot("text-wrong")
    window.press("Control+a")
    window.page.keyboard.type("query ($team: Long!) { team_bookings(team_id: $team) { id } }")
    window.send()
    window.page.get_by_text("200 OK").wait_for()
    assert '"team_bookings"' in window.page.locator("#result pre").inner_text()
    assert text.get_attribute("aria-invalid") is None
    window.shot("text")
    assert all(url.startswith(f"{window.dev.origin}/") for url in window.requests)


def test_the_text_that_was_written_outlives_a_reload(visit, dev):
    """A change of the BFF starts it anew, and takes nothing from who writes."""
    window = visit()
    window.page.goto(f"{dev.origin}/dev/graphql")
    window.page.get_by_label("Query or mutation").wait_for()
    window.write("Query or mutation", "{ __typename }  # mine")
    whole = dev.app.read_text()
    try:
        dev.app.write_text(f"{whole}\n# changed\n")
        window.page.get_by_text("reloaded at").wait_for()
        assert window.page.get_by_label("Query or mutation").input_value() == "{ __typename }  # mine"
    finally:
        dev.app.write_text(whole)
