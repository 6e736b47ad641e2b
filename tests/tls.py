"""A certificate of one's own for tests over TLS."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import attrs
import pytest


@attrs.frozen
class Certificate:
    path: Path
    key: Path

    @property
    def serving(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path, self.key)
        return context

    @property
    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.path))


def make_certificate(folder: Path) -> Certificate:
    """For 127.0.0.1; skips loudly where there is no openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("NO openssl COMMAND: the connection was not tested over TLS")
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(made.key), "-out", str(made.path)]
    subprocess.run([openssl, "req", *kind, *subject, *files], check=True, capture_output=True)
    return made
