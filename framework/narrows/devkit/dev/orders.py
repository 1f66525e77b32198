"""What the watching process and the serving one tell each other, one line of JSON each."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64encode, urlsafe_b64encode
from typing import Any, Literal

import msgspec

from narrows.devkit.authority_keys import new_key
from narrows.errors import Refusal

HOST = "127.0.0.1"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What stays the same over all reloads, so that a page that is signed in keeps working.

    `master` is what secrets, passwords and the keys of stores are made from; `folder` holds stores that outlive a
    reload; `descriptor` is the listening socket.
    """

    target: str
    settings: str | None
    port: int
    descriptor: int
    folder: str
    master: str
    signing: dict[str, Any]

    def __repr__(self) -> str:
        return f"Run({self.target!r}, port={self.port})"

    @classmethod
    def begin(cls, target: str, settings: str | None, *, port: int, descriptor: int, folder: str) -> Run:
        """Draw the secrets of one start."""
        return cls(
            target=target,
            settings=settings,
            port=port,
            descriptor=descriptor,
            folder=folder,
            master=secrets.token_urlsafe(32),
            signing=new_key("ES256"),
        )

    @property
    def origin(self) -> str:
        """Where everything is served."""
        return f"http://{HOST}:{self.port}"

    @property
    def link(self) -> str:
        """What a person opens: it carries the secret, which is exchanged for a cookie."""
        return f"{self.origin}/dev/enter/{self.derive('link')}"

    def derive(self, purpose: str, size: int = 32) -> str:
        """A secret of its own for one purpose."""
        made = hmac.digest(self.master.encode(), purpose.encode(), hashlib.sha256)[:size]
        return urlsafe_b64encode(made).rstrip(b"=").decode("ascii")

    def store_key(self) -> str:
        """32 bytes in base64, as `stores.key` wants it."""
        return b64encode(hmac.digest(self.master.encode(), b"stores", hashlib.sha256)).decode("ascii")


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """One start of the serving process; `generation` counts them."""

    run: Run
    generation: int


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the serving process tells: a step of its start, that it serves, or why it serves the dev pages only.

    `facts` are the lines of the banner; `watch` names files and folders beyond the package.
    """

    what: Literal["step", "ready", "refused"]
    text: str = ""
    facts: list[str] = []
    watch: list[str] = []
    refusals: list[Refusal] = []
