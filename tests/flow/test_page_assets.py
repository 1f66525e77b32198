"""The micro-app page keeps to its policy by itself: read as files, before any browser does (case 89)."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "bffs" / "where2eat" / "page"
SCRIPTS = sorted(PAGE.glob("*.js"))
FILES = sorted(file for file in PAGE.iterdir() if file.is_file())
# Names of things, not addresses that a browser asks.
NAMESPACE = "http://www.w3.org/2000/svg"
LICENCE = "https://www.openstreetmap.org/copyright"


class Elements(HTMLParser):
    """The elements of the page with their attributes, and the text of each."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.inline = []
        self._inside = ""

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside in {"script", "style"} and data.strip():
            self.inline.append(data)


@pytest.fixture(scope="module")
def page():
    """The page, read."""
    elements = Elements()
    elements.feed((PAGE / "index.html").read_text(encoding="utf-8"))
    return elements


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_case_89_nothing_comes_from_elsewhere(file):
    """No file names another server, but for the licence of the data, which is a link to follow and nothing to load."""
    text = file.read_text(encoding="utf-8")
    assert set(re.findall(r"(?:[a-z]+:)?//[\w.-]+[^\s\"'`<>)]*", re.sub(r"(?m)^\s*//.*$", "", text))) <= {
        NAMESPACE,
        LICENCE,
    }


def test_case_89_what_the_page_loads_lies_beside_it(page):
    """Each script, style and icon is a file of the page's own folder."""
    loaded = [found.get("src") or found.get("href") for tag, found in page.found if tag in {"script", "link", "img"}]
    assert loaded
    for path in loaded:
        folder, name = path.rsplit("/", 1)
        assert folder == "/page"
        assert (PAGE / name).is_file()


def test_case_89_no_inline_script_style_or_handler(page):
    """A policy without `unsafe-inline` takes nothing away from the page."""
    assert page.inline == []
    names = {name for _, found in page.found for name in found}
    assert "style" not in names
    assert not {name for name in names if name.startswith("on")}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.name)
def test_case_89_scripts_never_parse_text_as_markup_or_code(script):
    """No sink of Trusted Types and no evaluation of text is used, so that markup from an upstream stays text."""
    code = script.read_text(encoding="utf-8")
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|DOMParser|createContextualFragment"
    assert not re.search(rf"{sinks}|\beval\(|new Function|setTimeout\(\s*[\"'`]|javascript:|import\(", code)


def test_case_89_the_token_is_never_stored():
    """Only state, verifier and issuer of a sign-in under way are kept, for the way there and back; the token never."""
    code = {script.name: script.read_text(encoding="utf-8") for script in SCRIPTS}
    assert not any(re.search(r"localStorage|indexedDB|document\.cookie", text) for text in code.values())
    writes = [found for text in code.values() for found in re.findall(r"sessionStorage\.setItem\((.*)\);", text)]
    assert writes == ["KEPT, JSON.stringify({ state, verifier, issuer: server.issuer })"]
    assert all("sessionStorage" not in text for name, text in code.items() if name != "signin.js")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.name)
def test_imports_lie_beside_the_script(script):
    """The page needs no build step: each import is a file that a browser finds."""
    for name in re.findall(r'from "(.*)";', script.read_text(encoding="utf-8")):
        assert (PAGE / name).resolve().parent == PAGE.resolve()
        assert (PAGE / name).is_file()


def test_every_field_has_a_label_and_every_button_words(page):
    """Whoever does not see the page hears what each field is for, and changes are announced."""
    text = (PAGE / "index.html").read_text(encoding="utf-8")
    labels = re.findall(r"<label\b.*?</label>", text, re.DOTALL)
    assert sum("<input" in label for label in labels) == sum(tag == "input" for tag, _ in page.found)
    assert all(words.strip() for words in re.findall(r"<button[^>]*>(.*?)</button>", text, re.DOTALL))
    live = [found.get("role") for _, found in page.found if found.get("role") in {"status", "alert"}]
    assert len(live) >= 4


def test_ids_are_unique_and_what_scripts_look_up_is_there(page):
    """Every id that a script asks for stands in the page, once."""
    ids = [found["id"] for _, found in page.found if "id" in found]
    assert len(ids) == len(set(ids))
    asked = re.findall(r'\bat\("([\w-]+)"\)', (PAGE / "app.js").read_text(encoding="utf-8"))
    assert asked
    assert set(asked) <= set(ids)


def test_the_client_id_is_the_registered_one(page):
    """The page signs in as the client that is registered for it."""
    named = [found["content"] for tag, found in page.found if tag == "meta" and found.get("name") == "client-id"]
    assert named == ["where2eat-page"]


def test_colours_follow_the_persons_choice_and_can_be_read():
    """Text and its ground differ by at least 4.5 to 1 (WCAG 2.2, 1.4.3), in light and in dark."""
    css = (PAGE / "style.css").read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in css
    roots = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    assert len(roots) == 2
    for root in roots:
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", root))
        pairs = [("ink", "paper"), ("ink", "card"), ("ink", "soft"), ("ink", "mode-soft"), ("faint", "paper")]
        pairs += [("faint", "card"), ("faint", "soft"), ("faint", "mode-soft"), ("accent", "card"), ("accent", "paper")]
        pairs += [("accent", "soft"), ("on-accent", "accent"), ("warn", "warn-soft"), ("card", "warn")]
        low = {pair: _contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
        assert not {pair: ratio for pair, ratio in low.items() if ratio < 4.5}


def _contrast(one, other):
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour):
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
