"""Certificates made for a test, each signed by itself."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dicom_node.certificates import read_fingerprints
from tests.support.programs import require


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key as PEM files."""

    certificate: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hexadecimal digits."""
        (found,) = read_fingerprints(str(self.certificate), self.certificate.parent)
        return found


class Authority:
    """Everybody whose certificate was made here trusts each other."""

    def __init__(self, folder: Path) -> None:
        require("openssl")
        self._folder = folder
        self.ca = folder / "ca.pem"

    def make(self, name: str) -> Certificate:
        """Return a new certificate, which is trusted from now on."""
        made = Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        names = ["-subj", f"/CN={name}", "-keyout", str(made.key), "-out", str(made.certificate)]
        subprocess.run(["openssl", "req", "-x509", *kind, *names], check=True, capture_output=True, timeout=20)
        with self.ca.open("a") as trusted:
            trusted.write(made.certificate.read_text())
        return made

    def files(self, own: Certificate) -> dict[str, Path]:
        """Return the settings of a [tls] section."""
        return {"certificate": own.certificate, "key": own.key, "ca": self.ca}

    def client(self, own: Certificate) -> ssl.SSLContext:
        """Return the context of a client that shows its certificate."""
        context = ssl.create_default_context(cafile=self.ca)
        context.check_hostname = False
        context.load_cert_chain(own.certificate, own.key)
        return context
