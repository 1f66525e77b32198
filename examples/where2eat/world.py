"""Who and what the demonstration knows: people and their passwords, programs, APIs, and the settings of the BFF.

The people are those of `staff`; the passwords are no secrets, for everything here listens on loopback and is made up.
"""

import shlex
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from narrows import Bff, Settings, load_settings
from narrows.declare.connectors import read_records
from narrows.devkit.authority import Api, Authority, Client, Person
from narrows.governance.connectors import Governor, Operator
from narrows.stores.opening import open_connectors
from narrows.stores.registry import Connectors
from narrows.surfaces.http import documents_of

from . import staff

ISSUER_PATH = "/as"
RESOURCE = "where2eat-api"
BFF_CLIENT = "where2eat-bff"
COPILOT_CLIENT = "where2eat-copilot"
PAGE_CLIENT = "where2eat-page"
SECRET_VARIABLE = "WHERE2EAT_CLIENT_SECRET"  # noqa: S105 - the name of a variable
SCOPES = ("dining:read", "dining:book")
CONFIRM = "confirm"
AUDIT_LOG = "audit.db"
STORES_KEY = "stores.key"
OPERATOR = "operator.env"

_SETTINGS = Path(__file__).parents[2] / "bffs" / "where2eat" / "narrows.toml"
_TOKEN_SECONDS = 3600  # a person who tries things out would have to sign in again and again with less


def password(username: str) -> str:
    """The password of one of the made-up people."""
    return f"lunch-{username}"


def people() -> list[Person]:
    """Everybody of the staff directory; who is in which team is told to the BFF by claims of the token."""
    return [
        Person(one.id, one.id, claims={**staff.claims(one.id)}, password=password(one.id)) for one in staff.people()
    ]


def apis() -> list[Api]:
    """The BFF and the three production APIs with all their scopes, also those that nobody here is given."""
    return [
        Api(
            RESOURCE,
            {
                "dining:read": "See where your team can eat",
                "dining:book": "Book and cancel tables",
                CONFIRM: "Know who you are, so that you can confirm what a program asks for",
            },
        ),
        Api("people-api", {"profiles:read": "Read the staff directory", "data:export": "Export the whole directory"}),
        Api("places-api", {"places:read": "Look up places to eat"}),
        Api("tables-api", {"bookings:read": "See bookings", "bookings:write": "Book and cancel tables"}),
    ]


def clients(origin: str, secret: str) -> list[Client]:
    """The desktop copilot, the page, and the BFF: it may exchange for just these scopes, and sign people in."""
    return [
        Client(
            COPILOT_CLIENT,
            kind="desktop",
            redirect_uris=["http://127.0.0.1/callback"],
            scopes=set(SCOPES),
            audiences=[RESOURCE],
            name="Where2Eat copilot",
        ),
        Client(
            PAGE_CLIENT,
            redirect_uris=[f"{origin}/"],
            scopes=set(SCOPES),
            audiences=[RESOURCE],
            name="Where2Eat page",
        ),
        Client(
            BFF_CLIENT,
            secret=secret,
            redirect_uris=[f"{origin}/confirm/callback"],
            scopes={CONFIRM},
            audiences=[RESOURCE],
            grants={"token_exchange", "authorization_code"},
            audience=RESOURCE,
            may_exchange_to={
                "people-api": {"profiles:read"},
                "places-api": {"places:read"},
                "tables-api": {"bookings:read", "bookings:write"},
            },
            name="Where2Eat BFF",
        ),
    ]


def authority(
    origin: str, secret: str, log: Callable[[str], None] | None = None, connectors: Connectors | None = None
) -> Authority:
    """The embedded authorization server, to be mounted at `ISSUER_PATH` of `origin`; `log` gets its JSON lines."""
    return Authority(
        origin + ISSUER_PATH,
        people=people(),
        clients=clients(origin, secret),
        apis=apis(),
        lifetime=_TOKEN_SECONDS,
        log=log,
        connectors=connectors,
    )


async def registry(bff: Bff, settings: Settings) -> Connectors:
    """The connectors beside the BFF, applied by one person and approved by another, where the settings say."""
    store = open_connectors(settings)
    governor = Governor(bff, settings, store, now=time.time, documents=lambda: documents_of(bff))
    written = read_records(bff.folder / "connectors")
    await governor.apply(written, Operator(name="carla@example.com"))
    for one in written:
        for _ in ("trial", "live"):
            await governor.approve(one.record.id, Operator(name=settings.governance.approvers[0]))
    return store


def settings(
    origin: str,
    upstreams: Mapping[str, str],
    secret: str,
    collector: str | None = None,
    folder: Path | None = None,
) -> Settings:
    """The BFF's own settings file with the variables that an operator would set: who it is, where the others are.

    With a `folder` the audit log, the registry of connectors and what is used of budgets lie there, else in memory.
    """
    return load_settings(_SETTINGS, variables(origin, upstreams, secret, collector, folder))


def variables(
    origin: str,
    upstreams: Mapping[str, str],
    secret: str,
    collector: str | None = None,
    folder: Path | None = None,
) -> dict[str, str]:
    """The variables of an operator, for the BFF and for the commands that work on what it keeps."""
    # Whole paths: relative ones start at the folder of the settings, and not where this runs.
    kept = {
        "NARROWS_STORES__AUDIT": f"sqlite:{folder.resolve() / AUDIT_LOG}",
        "NARROWS_STORES__BUDGETS": f"sqlite:{folder.resolve() / 'budgets.db'}",
        "NARROWS_STORES__CONNECTORS": f"sqlite:{folder.resolve() / 'connectors.db'}",
        "NARROWS_STORES__KEY__FILE": str(folder.resolve() / STORES_KEY),
    } if folder else {}  # fmt: skip
    return {
        "NARROWS_ENVIRONMENT": "development",
        "NARROWS_PUBLIC_URL": origin,
        "NARROWS_ISSUERS__CORP__URL": origin + ISSUER_PATH,
        **{f"NARROWS_UPSTREAMS__{name.upper()}__URL": url for name, url in upstreams.items()},
        **({"NARROWS_TELEMETRY__OTLP_ENDPOINT": collector} if collector else {}),
        **kept,
        SECRET_VARIABLE: secret,
    }


def operator_env(origin: str, upstreams: Mapping[str, str], folder: Path) -> str:
    """What a shell reads so that `narrows` commands work on what this world keeps in the folder. No secret is in it."""
    # The commands take part in no sign-in, so that the BFF's own client secret is nothing that they need.
    values = variables(origin, upstreams, "made-up", folder=folder)
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
    programs = shlex.quote(str(Path(sys.executable).parent))
    return f"# For `narrows` commands on the running world.\n{exports}export PATH={programs}:$PATH\n"
