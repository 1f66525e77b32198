"""Authorization codes of the embedded authorization server: one use, sixty seconds (RFC 6749, 4.1.2)."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable

from msgspec import Struct

CODE_SECONDS = 60
_CODE_BYTES = 32


class Code(Struct):
    """What a code stands for, with the words that Authlib asks of it; `expires_at` is in seconds since the epoch."""

    client_id: str
    redirect_uri: str
    scope: str
    audience: str
    subject: str
    code_challenge: str
    signed_in_at: int
    expires_at: float = 0
    spent: bool = False
    jti: str | None = None
    code_challenge_method: str = "S256"

    def __repr__(self) -> str:
        return f"Code({self.client_id!r}, {self.subject!r}, spent={self.spent})"

    def get_redirect_uri(self) -> str:
        """The redirect URI that the token request must repeat."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """The scope that the person has consented to."""
        return self.scope


class Codes:
    """The codes that are on their way; `revoke` is called with the `jti` of a token whose code is used again."""

    def __init__(
        self, *, now: Callable[[], float], random: Callable[[int], bytes], revoke: Callable[[str], None]
    ) -> None:
        self._now = now
        self._random = random
        self._revoke = revoke
        self._codes: dict[str, Code] = {}

    def new_value(self) -> str:
        """A fresh code."""
        return urlsafe_b64encode(self._random(_CODE_BYTES)).rstrip(b"=").decode("ascii")

    def save(self, value: str, code: Code) -> None:
        """Keep `code` under its value from now until it expires."""
        now = self._now()
        self._codes = {other: kept for other, kept in self._codes.items() if kept.expires_at > now}
        code.expires_at = now + CODE_SECONDS
        self._codes[value] = code

    def spend(self, value: str, client_id: str) -> Code | None:
        """The code, if it is this client's, not expired and not used; a second use revokes the first one's token."""
        code = self._codes.get(value)
        if code is None or code.client_id != client_id or code.expires_at <= self._now():
            return None
        if code.spent:
            self._revoke(code.jti or "")
            return None
        code.spent = True
        return code

    def drop_subject(self, subject: str) -> None:
        """Forget every code that was issued for `subject`."""
        self._codes = {value: code for value, code in self._codes.items() if code.subject != subject}
