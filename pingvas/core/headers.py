"""What every answer tells browsers and caches: one middleware for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_vary_headers

PRIVATE_API = "/api/v1/"
# Our own files alone: no script or style in the page itself, no frame, no plugin.
_STUDIO = {
    "default-src": "'self'",
    "img-src": "'self' blob:",
    "frame-src": "'none'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
# The console's package (django-unfold) is built on Alpine, which makes functions out of
# the attributes of a page: that is 'unsafe-eval', and no other page has it. Bars and
# overlays are sized by `style` attributes; a <style> of the page itself is refused.
_CONSOLE = _STUDIO | {
    "script-src": "'self' 'unsafe-eval'",
    "style-src-attr": "'unsafe-inline'",
}
# Nothing of the machine that a page could be made to ask for.
_FEATURES = (
    *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope"),
    *("hid", "magnetometer", "microphone", "midi", "payment", "serial", "usb"),
    "xr-spatial-tracking",
)
PERMISSIONS = ", ".join(f"{feature}=()" for feature in _FEATURES)


class AnswerHeadersMiddleware:
    """Stands above all others that answer, so that refusals have the headers too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.path.startswith(PRIVATE_API):
            keep_from_caches(response)
        elif response.get("Content-Type", "").startswith("text/html"):
            guard_page(response, _policy_for(request))
        return response


def keep_from_caches(response: HttpResponseBase) -> None:
    """A picture says itself how long its owner's browser may keep it."""
    response.setdefault("Cache-Control", "private, no-store")
    patch_vary_headers(response, ["Authorization", "Cookie"])


def guard_page(response: HttpResponseBase, policy: Mapping[str, str]) -> None:
    """Let the page run what `policy` allows, and be kept by its reader alone."""
    response["Content-Security-Policy"] = _written(policy)
    response["Permissions-Policy"] = PERMISSIONS
    # The page says who is signed in: a shared cache must not keep it.
    response.setdefault("Cache-Control", "private, no-cache")


def _policy_for(request: HttpRequest) -> Mapping[str, str]:
    match = request.resolver_match
    return _CONSOLE if match and match.app_name == "admin" else _STUDIO


def store_origins() -> str:
    """Where signed links may lead: the store, with the bucket before it or not."""
    options = settings.STORAGES["default"]["OPTIONS"]
    region, bucket = options["region_name"], options["bucket_name"]
    aws = [f"https://s3.{region}.amazonaws.com", "https://s3.amazonaws.com"]
    endpoint = options["endpoint_url"]
    found = [urlsplit(address) for address in ([endpoint] if endpoint else aws)]
    return " ".join(
        f"{part.scheme}://{host}"
        for part in found
        for host in (part.netloc, f"{bucket}.{part.netloc}")
    )


def _written(policy: Mapping[str, str]) -> str:
    if settings.STORAGE_BACKEND == "s3":
        # Full pictures come from the object store, by a signed link.
        policy = {**policy, "img-src": f"{policy['img-src']} {store_origins()}"}
    return "; ".join(f"{name} {value}" for name, value in policy.items())
