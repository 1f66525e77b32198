"""What stands beside the declarations: settings, connector files, a policy, CI and tests, of the same templates."""

from __future__ import annotations

import re

from narrows.devkit.scaffold.facts import Facts
from narrows.devkit.scaffold.filling import filled, template
from narrows.devkit.scaffold.openapi.drawn import Drawn
from narrows.devkit.scaffold.openapi.files import endpoint_path
from narrows.devkit.scaffold.openapi.layout import literal
from narrows.devkit.scaffold.shapes import common, named, values_of

_ROLES = re.compile(r"\[\[issuers\.corp\.roles\]\]\n(?:[a-z]+ = .*\n)+")
_PROGRAMS = ("page", "copilot")


def beside(drawn: Drawn, facts: Facts) -> dict[str, str]:
    """The files around `app.py`, by their paths."""
    texts = {path: text for path, text in common([drawn.key]).items() if not path.startswith(("page/", "tests/test_"))}
    texts["narrows.toml"] = _ROLES.sub(lambda _: _roles(drawn, facts), texts["narrows.toml"])
    shape = "limited_write" if any(one.kind == "write" for one in drawn.operations) else "read_only"
    for program in _PROGRAMS:
        path = f"connectors/__name__-{program}.toml"
        texts[path] = _connector(template(f"{shape}/{path}.txt"), drawn, facts)
    texts["tests/test_app.py"] = template("from_document/tests/test_app.py.txt").replace(
        "<<contract>>\n", "".join(_contract(drawn, facts))
    )
    return {path: filled(path, text, values_of(facts)) for path, text in named(texts, facts).items()}


def _roles(drawn: Drawn, facts: Facts) -> str:
    """Which claim makes somebody a member: one for each kind of domain, and one for the whole BFF."""
    made = [f'claim = "{kind}s"\nrole = "member"\ndomain = "{kind}:{{value}}"\n' for kind in drawn.domains]
    if drawn.whole:
        made.append(f'claim = "apps"\nvalue = "{facts.bff}"\nrole = "member"\ndomain = "bff:{facts.bff}"\n')
    return "\n".join(f"[[issuers.corp.roles]]\n{one}" for one in made)


def _connector(text: str, drawn: Drawn, facts: Facts) -> str:
    endpoints = "".join(f'  "{facts.bff}.{one.name}",\n' for one in drawn.operations)
    scopes = ", ".join(f'"{scope}"' for scope in drawn.scopes)
    text = re.sub(r"endpoints = \[\n(?:.*\n)*?\]", lambda _: f"endpoints = [\n{endpoints}]", text)
    return re.sub(r"scopes = \[.*\]", lambda _: f"scopes = [{scopes}]", text)


def _contract(drawn: Drawn, facts: Facts) -> list[str]:
    """Each endpoint as the test of the contract names it."""
    lines = []
    for one in drawn.operations:
        path, scope = literal(endpoint_path(drawn.key, one)), literal(f"{facts.bff}:{one.kind}")
        line = f'        ("{one.kind}", "{one.method}", {path}, {scope}),\n'
        parts = (
            f'            "{one.kind}",\n',
            f'            "{one.method}",\n',
            f"            {path},\n",
            f"            {scope},\n",
        )
        lines.append(line if len(line) <= 121 else f"        (\n{''.join(parts)}        ),\n")
    return lines
