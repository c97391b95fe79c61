"""The staff's groups: who may see and do what in the staff console."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission

from pingvas.core.db.actor import SERVICE, acting_as

# Permissions as `app.codename`. A job's change permission is to cancel and to retry it;
# a posting's add permission is to adjust credits.
STAFF_GROUPS: dict[str, tuple[str, ...]] = {
    "support": (
        "accounts.view_user",
        "accounts.change_user",
        "billing.view_credithold",
        "billing.view_credittransaction",
        "billing.view_subscription",
        "gallery.view_image",
        "gallery.delete_image",
        "generation.view_generationjob",
        "generation.change_generationjob",
        "generation.view_worker",
        "modelhub.view_aimodel",
    ),
    "finance": (
        "accounts.view_user",
        "billing.view_credithold",
        "billing.view_credittransaction",
        "billing.add_credittransaction",
        "billing.view_subscription",
        "generation.view_generationjob",
    ),
}


class UnknownPermission(LookupError):
    """A permission that no migrated model has."""


@acting_as(SERVICE)
def sync_staff_groups() -> None:
    """Make the groups, or give those that are there exactly these permissions."""
    for name, wanted in STAFF_GROUPS.items():
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.set([_permission(one) for one in wanted])


def _permission(name: str) -> Permission:
    app, codename = name.split(".")
    found = Permission.objects.filter(content_type__app_label=app, codename=codename)
    if not found:
        raise UnknownPermission(name)
    return found[0]
