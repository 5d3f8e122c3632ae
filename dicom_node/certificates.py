"""Certificates (X.509) by their SHA-256 fingerprint, as a TLS peer shows them and as PEM files hold them."""

from __future__ import annotations

import hashlib
import re
import ssl
from pathlib import Path

from dicom_node.errors import ConfigError

_FINGERPRINT = re.compile(r"(?:sha256[:=])?((?:[0-9a-f]{2}:?){31}[0-9a-f]{2})", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def fingerprint(der: bytes | None) -> str:
    """Return the SHA-256 of a certificate's DER bytes in hexadecimal digits, "" where there is no certificate."""
    return hashlib.sha256(der).hexdigest() if der else ""


def read_fingerprints(named: str, folder: Path) -> frozenset[str]:
    """Return the fingerprints that a word of the configuration stands for.

    Args:
        named: a SHA-256 fingerprint of 64 hexadecimal digits, with or without colons; or a PEM file.
        folder: where a relative path starts.

    Raises:
        ConfigError: it is no fingerprint, and no file with a certificate in PEM.
    """
    if found := _FINGERPRINT.fullmatch(named.strip()):
        return frozenset((found[1].replace(":", "").lower(),))
    path = folder / named
    try:
        text = path.read_text(encoding="ascii", errors="replace")
        certificates = [ssl.PEM_cert_to_DER_cert(block) for block in _PEM.findall(text)]
    except OSError as error:
        raise ConfigError(f"certificate {path}: {error.strerror}; a fingerprint has 64 hexadecimal digits") from error
    except ValueError as error:
        raise ConfigError(f"certificate {path}: its PEM cannot be decoded ({error})") from error
    if not certificates:
        raise ConfigError(f"certificate {path}: holds no certificate in PEM")
    return frozenset(map(fingerprint, certificates))
