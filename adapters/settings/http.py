"""The `http` section: where the door is, who may come in, and its bounds; or none. Never a connection."""

from __future__ import annotations

import importlib.util
import ssl
from typing import Final

import attrs

from adapters.settings.folders import reason_of
from adapters.settings.listening import HttpSection
from adapters.settings.provider import is_loopback
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ConfigFile

TOKEN_MIN_CHARS: Final = 16
_LIBRARIES: Final = ("starlette", "uvicorn", "h11", "prometheus_client")
_LISTEN_HINT: Final = "e.g. http: {listen: 127.0.0.1:9080}"


@attrs.frozen(kw_only=True)
class HttpSettings:
    """Of the door (adapters/server/door). Deadlines are of one request of one connection."""

    host: str = "127.0.0.1"
    port: int
    tls: ssl.SSLContext | None = None
    token: str | None = attrs.field(default=None, repr=False)
    """None: on the loopback alone, for everybody on this machine."""
    connections: int = 100
    requests_per_s: float = 50.0
    """Of one address; as many at once as in two seconds."""
    body_bytes: int = 65_536
    head_bytes: int = 16_384
    receive_s: float = 10.0
    """From the first byte of a request to its last, and from the connection to its first request."""
    answer_s: float = 15.0
    """From a request's last byte to the last one of its answer."""
    idle_s: float = 5.0
    """Between two requests."""


def read_http(reader: SettingsReader, config: ConfigFile) -> HttpSettings | None:
    """None where the door is off, or where a problem was found that leaves none."""
    section = config.http
    if section.listen is None:
        if "listen" not in section.written.rejected:
            _warn_of_no_door(reader, config)
        return None
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        message = f"http.listen: the door needs {' and '.join(missing)}, which {'is' if not missing[1:] else 'are'}"
        place = section.written.place_of("listen")
        reader.problems.add(place, "missing-extra", f"{message} not installed", "install turnspec[http]")
    host, port = section.listen
    token, tls = _token(reader, section), _tls(reader, section)
    is_open = section.token_env is None and "token_env" not in section.written.rejected
    if is_open and not is_loopback(host):
        place = section.written.place_of("listen")
        message = "http.listen: whoever reaches this port could end calls: beyond the loopback a token is required"
        reader.problems.add(place, "open-port", message, "http.token_env: NAME of the environment variable with it")
    elif not is_loopback(host) and section.tls is None:
        message = "the door's token goes over the network unencrypted: set http.tls, or put a proxy before it"
        reader.problems.warn(section.written.place_of("listen"), "clear-text", message)
    if section.written.rejected or reader.problems.errors:
        return None
    return HttpSettings(
        host=host,
        port=port,
        tls=tls,
        token=token,
        connections=section.connections,
        requests_per_s=section.requests_per_s,
        body_bytes=section.body_bytes,
    )


def _warn_of_no_door(reader: SettingsReader, config: ConfigFile) -> None:
    """What was written here, and what is of no use without it."""
    section = config.http
    if section.written.pairs:
        reader.problems.warn(section.written.place, "unused", "the door is off: http.listen is not set", _LISTEN_HINT)
    elif config.listen.twilio is not None and not reader.problems.errors:
        message = "nothing of ours answers Twilio's webhook: /twiml is a route of the door, which is off"
        place = config.listen.written.place_of("twilio")
        reader.problems.warn(place, "no-webhook", message, _LISTEN_HINT)


def _token(reader: SettingsReader, section: HttpSection) -> str | None:
    """The text that the named variable holds; it is a secret, and quoted nowhere."""
    name = section.token_env
    if name is None:
        return None
    place = section.written.place_of("token_env")
    token = reader.environment.get(name, "").strip()
    reader.secrets.add(token)
    if not token:
        hint = f'e.g. export {name}="$(openssl rand -hex 32)"; token_env is the name of a variable, not a token'
        reader.problems.add(place, "environment", f"http.token_env: the environment variable {name} is not set", hint)
    elif len(token) < TOKEN_MIN_CHARS:
        message = f"http.token_env: a token of less than {TOKEN_MIN_CHARS} characters is soon guessed"
        reader.problems.add(place, "short-token", message, "e.g. one of: openssl rand -hex 32")
    elif not token.isascii() or not token.isprintable() or " " in token:
        message = "http.token_env: the token has a character that no header may hold"
        reader.problems.add(place, "token", message, "letters and digits are safe")
    return token


def _tls(reader: SettingsReader, section: HttpSection) -> ssl.SSLContext | None:
    tls = section.tls
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(reader.path(tls.certificate), reader.path(tls.key), password=_no_passphrase)
    except (OSError, ValueError) as error:
        message = f"http.tls: the certificate and its key cannot be used: {reason_of(error)}"
        reader.problems.add(tls.written.place_of("certificate"), "tls", message, "PEM files; the key unencrypted")
        return None
    return context


def _no_passphrase() -> str:
    """Without this OpenSSL asks the terminal, and a start waits for somebody to type."""
    raise ValueError("the key has a passphrase")
