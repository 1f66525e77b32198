"""A document is data, whatever is in it: bounded, each key once, nothing opened."""

import json
import sys

import pytest

from narrows.devkit.scaffold.openapi import loading
from narrows.devkit.scaffold.openapi.gaps import DocumentRefused
from narrows.devkit.scaffold.openapi.loading import load, read


def test_json_and_yaml_say_the_same():
    """Times, `on` and `yes` stay text in YAML too; numbers and null are what they look like."""
    made = {"a": [1, -2.5, None, True, False, "on", "2026-01-01", "yes", "x", ".5e3", ""], "200": {"b": "1"}, "c": {}}
    yaml = 'a: [1, -2.5, null, true, false, on, 2026-01-01, yes, x, ".5e3", ""]\n200:\n  b: "1"\nc: {}\n'
    assert load(json.dumps(made).encode()) == made == load(yaml.encode())
    assert load(b"x: .5e3\ny: !!str 7\nz: ! 8\nw:\n") == {"x": 500.0, "y": "7", "z": "8", "w": None}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', 'the key c stands twice'),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b'{"a": -Infinity}', "-Infinity is no JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too long"),
        (b'{"a": }', "no JSON: Expecting value at line 1"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "nested too deeply"),
        (b"\xff\xfe{", "not UTF-8"),
        (b"a: 1\na: 2\n", "the key a stands twice in one object, again at line 2"),
        (b"a: &x [1]\nb: *x\n", "a YAML alias at line 2"),
        (b"a: !!python/object/apply:os.system [ls]\n", "the YAML tag tag:yaml.org,2002:python/object"),
        (b"a: !include x.yaml\n", "the YAML tag !include"),
        (b"a: 1\n---\nb: 2\n", "more than one YAML document"),
        (b"? [a]\n: 1\n", "a key at line 1 is no text"),
        (b"a: [\n", "no YAML at line 2"),
        (b"a: \x01\n", "no YAML"),
        (b"a: " + b"[" * 5000, "nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_no_plain_data_is_refused(raw, said):
    """With the reason, and the line where there is one."""
    with pytest.raises(DocumentRefused, match=said.replace("[", r"\[").replace("$", r"\$")):
        load(raw)


def test_laughs_by_the_billion_are_not_laughed():
    """Aliases are refused where the first one stands, so nothing grows."""
    lines = ["a0: &a0 [ha, ha]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    with pytest.raises(DocumentRefused, match="alias at line 2"):
        load("\n".join(lines).encode())


def test_sizes_are_capped(monkeypatch, tmp_path):
    """Before anything is parsed; a file is read no further than that."""
    monkeypatch.setattr(loading, "LARGEST", 2**20)
    monkeypatch.setattr(loading, "LARGEST_YAML", 2**20 - 8)
    file = tmp_path / "a.json"
    file.write_bytes(b"{" + b" " * 2**20 + b"}")
    with pytest.raises(DocumentRefused, match="larger than 1 MiB"):
        read(file)
    with pytest.raises(DocumentRefused, match="YAML larger than 0 MiB; give it as JSON"):
        load(b"a: " + b"x" * (2**20 - 4))


def test_a_file_that_cannot_be_read_is_said_so(tmp_path):
    """A folder is no document."""
    with pytest.raises(DocumentRefused, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_without_the_extra_yaml_names_what_to_install(monkeypatch):
    """Who installed the core alone is told the extra; JSON needs none."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert load(b'{"a": 1}') == {"a": 1}
    with pytest.raises(DocumentRefused, match=r"pip install 'narrows\[scaffold\]'"):
        load(b"a: 1\n")
