"""Why a picture file gives no settings."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from pingvas.core.errors import PingvasError


class PictureUnreadable(PingvasError):
    """No PNG, JPEG or WebP file."""

    code = "picture_unreadable"
    message = _("This is no PNG picture, and no JPEG or WebP either.")


class PictureDamaged(PingvasError):
    """The file ends early, or does not hold what it says."""

    code = "picture_damaged"
    message = _("This picture is damaged: its settings cannot be read.")


class NoPictureSettings(PingvasError):
    """A picture, but it does not say how it was made."""

    code = "no_picture_settings"
    status = 404
    message = _(
        "This picture does not say how it was made: another program may have saved it "
        "anew."
    )


class PictureOfOtherVersion(PingvasError):
    """Our own record, of a version that is not known here."""

    code = "picture_of_other_version"
    message = _(
        "This picture was made by another version of Pingvas, whose settings are not "
        "known here."
    )
