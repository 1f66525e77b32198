"""A browser window that is used with the keyboard alone, and that remembers what went wrong in it."""

import pytest

from tests.interop.hostile import ROOT

SHOTS = ROOT / "build" / "screenshots"


class Window:
    """One window; `complaints` gathers what went wrong in it, `requests` the URLs that it asked for.

    `expected` is a piece of what the browser writes down although nothing went wrong.
    """

    def __init__(self, browser, *, expected=None, **how):
        self.context = browser.new_context(locale="en-GB", timezone_id="Europe/Vienna", **how)
        self.page = self.context.new_page()
        self.complaints, self.requests = [], []
        self.page.on("console", lambda said: self._note(said.text, expected))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda shown: self.complaints.append(shown.message))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def _note(self, text, expected):
        if expected is None or expected not in text:
            self.complaints.append(text)

    def press(self, *keys):
        """Press keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def reach(self, wanted, most):
        """Press Tab until the element has the focus; fails if `most` of them do not get there."""
        for _ in range(most):
            if wanted.and_(self.page.locator(":focus")).count():
                return
            self.press("Tab")
        pytest.fail(f"Tab never reaches {wanted}")

    def log_in(self, name):
        """Name and password at the issuer, where the focus is on the name."""
        self.page.locator("[name=username]:focus").wait_for()
        self.page.keyboard.type(name)
        self.press("Tab")
        self.page.locator("[name=password]:focus").wait_for()
        self.page.keyboard.type(f"lunch-{name}")
        self.press("Enter")

    def shot(self, name):
        """Keep how it looks."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
