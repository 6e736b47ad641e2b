"""A certificate for a simulator, made on demand by an authority of its own that lives as long as the process."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

import attrs

from fsm.errors import LocalError

LOCAL = ("localhost", "127.0.0.1", "::1")


class CertificateError(LocalError):
    """There is no certificate: the extra is missing, or files do not fit."""


@attrs.frozen
class MadeCertificate:
    """What a server serves with, and the file of what its clients must trust."""

    serving: ssl.SSLContext
    ca: Path


def made_on_demand(host: str, ca_file: Path | None = None) -> MadeCertificate:
    """For `host` and this machine. CertificateError: no extra 'kit'. OSError: the file cannot be written."""
    try:
        import trustme
    except ImportError:
        raise CertificateError("a certificate on demand needs the extra 'kit': pip install 'turnspec[kit]'") from None
    authority = trustme.CA()
    names = dict.fromkeys((*LOCAL, *([] if host in ("0.0.0.0", "::", "") else [host])))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    if ca_file is None:
        with tempfile.NamedTemporaryFile(prefix="turnspec-ca-", suffix=".pem", delete=False) as file:
            ca_file = Path(file.name)
    ca_file.write_bytes(authority.cert_pem.bytes())
    return MadeCertificate(context, ca_file)


def of_files(certificate: Path, key: Path) -> ssl.SSLContext:
    """CertificateError: they are no certificate and its key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise CertificateError(f"{certificate}, {key}: {error.strerror or error}") from None
    return context
