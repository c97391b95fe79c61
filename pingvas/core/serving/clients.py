"""Who sends a request: the one place that believes a forwarded header, or does not."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.conf import settings

log = logging.getLogger(__name__)

Network = IPv4Network | IPv6Network
Header = tuple[bytes, bytes]

IPV6_NETWORK_BITS = 64
UNKNOWN = "unknown"
FORWARDED_FOR = b"x-forwarded-for"
FORWARDED_PROTO = b"x-forwarded-proto"
_FORWARDED = (b"x-forwarded-", b"forwarded")
_said: list[str] = []


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """The address as limits count it: of IPv6 the network, which one client has."""
    try:
        found = ip_address(address)
    except ValueError:
        return UNKNOWN
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if isinstance(found, IPv6Address):
        network = f"{found.exploded}/{IPV6_NETWORK_BITS}"
        return str(ip_network(network, strict=False).network_address)
    return str(found)


def is_proxy(address: str) -> bool:
    """Whether it is one of TRUSTED_PROXIES, where there is a proxy at all."""
    return settings.BEHIND_TLS_PROXY and _is_in(address, settings.TRUSTED_PROXIES)


@lru_cache(maxsize=4096)
def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)


def true_address(peer: str, forwarded: str) -> str:
    """The client's address: what the outermost proxy of ours saw.

    Each proxy appends whom it serves, so the last address that is no proxy's is the
    client; all before it is the client's own claim.
    """
    found = peer
    for step in reversed(forwarded.split(",")):
        if not is_proxy(found):
            break
        found = _without_port(step.strip()) or found
    return found


def _without_port(address: str) -> str:
    """Some proxies write `192.0.2.1:4711` and `[2001:db8::1]:4711`."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def identified(scope: dict[str, Any]) -> dict[str, Any]:
    """The request with the client's own address, and without headers to be misled by.

    `X-Forwarded-Proto` stays where a proxy of ours says it. Names with an underscore
    go: to WSGI they look the same as those with a hyphen.
    """
    peer, port = scope.get("client") or (UNKNOWN, 0)
    trusted = is_proxy(peer)
    if settings.BEHIND_TLS_PROXY and not trusted and _forwards(scope["headers"]):
        _say_who_is_not_believed(peer)
    address = true_address(peer, _forwarded_for(scope["headers"])) if trusted else peer
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if b"_" not in name
        and (not name.startswith(_FORWARDED) or (trusted and name == FORWARDED_PROTO))
    ]
    return {**scope, "client": (address, port), "headers": headers}


def _forwards(headers: Iterable[Header]) -> bool:
    return any(name.startswith(_FORWARDED) for name, _ in headers)


def _say_who_is_not_believed(peer: str) -> None:
    """Once: a proxy that was not named would be hard to find out about otherwise."""
    if not _said:
        _said.append(peer)
        log.warning(
            "what %s says about forwarding is not believed: TRUSTED_PROXIES does not "
            "name it",
            peer,
        )


def _forwarded_for(headers: Iterable[Header]) -> str:
    values = [value for name, value in headers if name == FORWARDED_FOR]
    return b",".join(values).decode("latin-1")


def address_in(scope: dict[str, Any]) -> str:
    """Of an identified request: its client, as limits count it."""
    client = scope.get("client")
    return network_of(client[0]) if client else UNKNOWN
