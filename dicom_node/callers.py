"""Which caller of the configuration is at the other end: its AE title, and its address or certificate, say so."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

from dicom_node.certificates import read_fingerprints
from dicom_node.config import Config, NamedCaller
from dicom_node.errors import ConfigError

_ANY = "*"


class Callers:
    """The `[callers]` of a configuration; their certificates are read once."""

    def __init__(self, config: Config) -> None:
        """Raise ConfigError where a certificate cannot be read."""
        self._named = config.callers
        self._certificates = {name: _certificates(config, name) for name in config.callers}
        self.names = list(config.callers)

    def name_of(self, ae_title: str, address: str, certificate: str) -> str | None:
        """Return the name of the `[callers]` section of who calls, None for a stranger.

        A section that names the AE title goes before one that takes any; of several the first in the file counts.

        Args:
            ae_title: calling AE title.
            address: IP address, "" where it is not known.
            certificate: SHA-256 of the client certificate that was shown, "" without TLS.
        """
        known = [*self._at(address), *self._showing(certificate)]
        for title in (ae_title.strip(), _ANY):
            for name in self.names:
                if name in known and title in self._named[name].ae_title:
                    return name
        return None

    def shows_own_certificate(self, ae_title: str, certificate: str) -> bool:
        """Say whether a section that names this AE title names this certificate, too."""
        return any(ae_title.strip() in self._named[name].ae_title for name in self._showing(certificate))

    def __getitem__(self, name: str) -> NamedCaller:
        """Return a section by its name."""
        return self._named[name]

    def knows_address(self, address: str) -> bool:
        """Say whether a named caller may come from this address."""
        return bool(self._at(address))

    def _at(self, address: str) -> list[str]:
        if not self._named or not address:
            return []
        place = _address(address)
        return [name for name, caller in self._named.items() if any(place in network for network in caller.addresses)]

    def _showing(self, certificate: str) -> list[str]:
        return [name for name, theirs in self._certificates.items() if certificate in theirs]


def _certificates(config: Config, name: str) -> frozenset[str]:
    try:
        found = [read_fingerprints(named, config.folder) for named in config.callers[name].certificates]
    except ConfigError as error:
        raise ConfigError(f"[callers.{name}] {error}") from error
    return frozenset[str]().union(*found)


def is_at(host: str, address: str) -> bool:
    """Say whether an address is one of a host's."""
    return any(_address(known) == _address(address) for known in addresses_of(host))


def addresses_of(host: str) -> frozenset[str]:
    """Return the IP addresses of a host by name or address; none where its name cannot be resolved now."""
    try:
        return frozenset(str(found[4][0]) for found in socket.getaddrinfo(host, None))
    except OSError:
        return frozenset()


def _address(text: str) -> IPv4Address | IPv6Address:
    """Read a peer's address; an IPv4 peer of an IPv6 socket is an IPv4 peer (RFC 4291 2.5.5.2)."""
    address = ip_address(text.partition("%")[0])  # without its zone, as in fe80::1%eth0
    return getattr(address, "ipv4_mapped", None) or address
