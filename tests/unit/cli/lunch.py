"""A small BFF in a folder of its own, for the command line to be pointed at."""

import json
from pathlib import Path

BFF = '''
from narrows import Bff, Input, Narrow

class Lunch(Narrow):
    name: str

bff = Bff("lunch", version="1.0.0", owner="lunch@example.com", purpose="Tell what there is for lunch",
          exposure="internal", sensitivity="internal", importance="low", review_by="2027-05-01")
number = 7

@bff.read("/lunch", roles={"member"}, scope="lunch:read", uses=[], rate="30/minute")
async def lunch() -> Lunch:
    """What there is."""
    return Lunch(name="soup")
'''

SETTINGS = """
environment = "development"
public_url = "http://127.0.0.1:8000"
hosts = ["{host}"]

[serving]
port = {port}

[issuers.corp]
url = "{issuer}"
audience = "lunch-api"

[[issuers.corp.roles]]
claim = "staff"
role = "member"
domain = "bff:lunch"
"""

GOVERNED = """
[governance]
approvers = {approvers}

[stores]
connectors = "sqlite:connectors.db"
key = {{ env = "LUNCH_KEY" }}
"""
KEY = "a2V5LWtleS1rZXkta2V5LWtleS1rZXkta2V5LWtleS0="
"""For the variable `LUNCH_KEY`, which settings of a store in a file name."""


def write_lunch(
    folder: Path, name: str, *, more: str = "", port: int = 0, issuer: str = "http://127.0.0.1:9", host: str = "lunch"
) -> Path:
    """Write the module `name` and its settings; the issuer is away unless a test starts one."""
    (folder / f"{name}.py").write_text(BFF + more, encoding="utf-8")
    settings = folder / "narrows.toml"
    settings.write_text(SETTINGS.format(port=port, issuer=issuer, host=host), encoding="utf-8")
    return settings


def write_governed(folder: Path, name: str, *approvers: str) -> None:
    """The same with a registry in a file, approvers, and a folder for the records of connectors."""
    settings = write_lunch(folder, name)
    more = GOVERNED.format(approvers=json.dumps(approvers))
    settings.write_text(settings.read_text(encoding="utf-8") + more, encoding="utf-8")
    (folder / "connectors").mkdir()
