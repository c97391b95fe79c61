"""Where a request comes from, as far as limits are concerned."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

IPV6_NETWORK_BITS = 64


def client_address(request: HttpRequest) -> str:
    """The client's IP address; of IPv6 the network, which is what one client has.

    Behind the TLS proxy it is what the proxy itself appended to X-Forwarded-For: all
    before that is the client's own claim.
    """
    found = str(request.META.get("REMOTE_ADDR", ""))
    if settings.BEHIND_TLS_PROXY:
        forwarded = request.headers.get("X-Forwarded-For", "")
        found = forwarded.rpartition(",")[2].strip() or found
    try:
        address = ip_address(found)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if isinstance(address, IPv6Address):
        network = f"{address.exploded}/{IPV6_NETWORK_BITS}"
        return str(ip_network(network, strict=False).network_address)
    return str(address)
