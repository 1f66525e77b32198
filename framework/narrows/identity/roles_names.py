"""Names of subjects, roles and domains, written so that no value can pass for another kind of name or a wildcard."""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote_to_bytes

ANY: Final = "*"
"""Any domain or any object in a policy; no encoded value can spell it."""

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
# Each field of a document is decided about under the names of one caller, often in one domain.
_kept = lru_cache(4096, typed=True)


def encode(text: str) -> str:
    """Percent-encode (RFC 3986, upper-case hex over UTF-8) everything outside ``[A-Za-z0-9_-]``.

    Two texts never share one encoding, lone surrogates (which JSON can spell) included.
    """
    if _PLAIN.fullmatch(text):
        return text
    # quote leaves "." and "~", which separate names elsewhere
    return quote(text.encode("utf-8", "surrogatepass"), safe="").replace(".", "%2E").replace("~", "%7E")


@_kept
def subject_name(issuer: str, sub: str) -> str:
    """Name of a caller: ``user:<issuer>|<sub>``, where the issuer is the name the settings give it."""
    return f"user:{encode(issuer)}|{encode(sub)}"


def role_name(name: str) -> str:
    """Name of a role: ``role:<name>``."""
    return f"role:{encode(name)}"


@_kept
def domain_name(kind: str, value: str | int) -> str:
    """Name of a domain, such as ``team:7`` or ``bff:where2eat``, from a kind and a typed value."""
    return f"{encode(kind)}:{encode(value if isinstance(value, str) else str(value))}"


def is_encoded(text: str) -> bool:
    """Tell whether ``encode`` could have written this text and the text is not empty.

    ``%61lice`` and ``%2a`` are not: no request would ever match them, so a deny for them would silently do nothing.
    """
    if _PLAIN.fullmatch(text):
        return True
    try:
        return bool(text) and encode(unquote_to_bytes(text).decode("utf-8", "surrogatepass")) == text
    except UnicodeDecodeError:
        return False


def is_subject(name: str) -> bool:
    """Tell whether the name is of the form ``user:<issuer>|<sub>``."""
    kind, _, value = name.partition(":")
    issuer, _, sub = value.partition("|")
    return kind == "user" and is_encoded(issuer) and is_encoded(sub)


def is_role(name: str) -> bool:
    """Tell whether the name is of the form ``role:<name>``."""
    kind, _, value = name.partition(":")
    return kind == "role" and is_encoded(value)


def is_domain(name: str) -> bool:
    """Tell whether the name is of the form ``<kind>:<value>``."""
    kind, _, value = name.partition(":")
    return is_encoded(kind) and is_encoded(value)


def is_object(name: str) -> bool:
    """Tell whether the name is an endpoint's id: encoded parts joined by dots."""
    return all(map(is_encoded, name.split(".")))
