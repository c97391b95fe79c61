"""Where a request comes from, as far as limits are concerned."""

from __future__ import annotations

from django.http import HttpRequest

from pingvas.core.serving.clients import network_of


def client_address(request: HttpRequest) -> str:
    """The client's IP address; of IPv6 the network, which is what one client has.

    What a proxy says was judged before (`pingvas.core.serving.clients`): the address
    is the client's already, and no forwarded one is left to be believed.
    """
    return network_of(str(request.META.get("REMOTE_ADDR", "")))
