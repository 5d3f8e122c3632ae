"""Which caller of the configuration is at the other end: its AE title and its address together say so."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address

from dicom_node.config import NamedCaller

_ANY = "*"


class Callers:
    """The `[callers]` of a configuration."""

    def __init__(self, named: Mapping[str, NamedCaller]) -> None:
        self._named = named
        self.names = list(named)

    def name_of(self, ae_title: str, address: str) -> str | None:
        """Return the name of the `[callers]` section of who calls, None for a stranger.

        A section that names the AE title goes before one that takes any; of several the first in the file counts.
        """
        for title in (ae_title.strip(), _ANY):
            for name in self._at(address):
                if title in self._named[name].ae_title:
                    return name
        return None

    def __getitem__(self, name: str) -> NamedCaller:
        """Return a section by its name."""
        return self._named[name]

    def knows_address(self, address: str) -> bool:
        """Say whether a named caller may come from this address."""
        return bool(self._at(address))

    def _at(self, address: str) -> list[str]:
        if not self._named:
            return []
        place = _address(address)
        return [name for name, caller in self._named.items() if any(place in network for network in caller.addresses)]


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
