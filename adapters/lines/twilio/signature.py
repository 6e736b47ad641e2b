"""`X-Twilio-Signature`: made, and compared in constant time. It covers the URL as Twilio sees it and a POST's form.

HMAC-SHA1 with the account's auth token over the URL, then name and value of each form field, sorted by name
(https://www.twilio.com/docs/usage/security, "Validating requests"). On a WebSocket's upgrade the URL is the `wss://`
one and there is no form. Of a URL with a port Twilio signs some with it and some without, so both count.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import Final, TypeAlias
from urllib.parse import urlsplit, urlunsplit

HEADER: Final = "x-twilio-signature"
Form: TypeAlias = Iterable[tuple[str, str]]

_USUAL_PORTS: Final = {"https": 443, "wss": 443, "http": 80, "ws": 80}


def signature(auth_token: str, url: str, form: Form = ()) -> str:
    """As Twilio makes it. A field that is there twice counts once for each of its values."""
    signed = url + "".join(name + value for name, value in sorted(set(form)))
    digest = hmac.new(auth_token.encode(), signed.encode("utf-8", "surrogateescape"), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")


def is_signed(auth_token: str, given: str, url: str, form: Form = ()) -> bool:
    """Whether `given` is the signature of this request; in the time that any other one takes."""
    fields = tuple(form)
    sought = given.strip().encode("utf-8", "surrogateescape")
    found = [hmac.compare_digest(signature(auth_token, each, fields).encode(), sought) for each in _spellings(url)]
    return any(found)


def _spellings(url: str) -> tuple[str, ...]:
    """The URL with its port, and without. One whose port is no number is as it is."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        return (url,)
    if port is not None:
        bare = parts.netloc.rpartition(":")[0]
        return url, urlunsplit(parts._replace(netloc=bare))
    usual = _USUAL_PORTS.get(parts.scheme)
    return (url,) if usual is None else (url, urlunsplit(parts._replace(netloc=f"{parts.netloc}:{usual}")))
