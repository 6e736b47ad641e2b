"""Whom a line listens to: networks, and whether an address is in one of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network


def as_networks(values: Iterable[str | Network]) -> tuple[Network, ...]:
    """ValueError: one of them is not a network."""
    return tuple(ip_network(value) for value in values)


def is_allowed(host: str, networks: Collection[Network]) -> bool:
    """No networks: everybody is."""
    if not networks:
        return True
    try:
        address: IPv4Address | IPv6Address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:  # a dual-stack socket
        address = address.ipv4_mapped
    return any(address in network for network in networks)
