"""Models enter the hub and leave it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from modelhub.models import AIModel, ModelType
from pingvas.core.errors import PingvasError


class ModelNameTaken(PingvasError):
    code = "model_name_taken"
    status = 409
    message = _("Another model has this name.")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint in the object store: `key` is its prefix, `sha256` its identity.

    `native_side`: pixels of the pictures it was trained on, None when unknown.
    """

    name: str
    base_model: str
    bucket: str
    key: str
    file_size: int
    sha256: str
    native_side: int | None = None
    description: str = ""
    min_tier: str | None = None


def check_model_name(*, name: str, sha256: str) -> None:
    """ModelNameTaken when `name` is not free for these weights. Acts as the service."""
    known = AIModel.objects.filter(name=name).first()
    if known is not None:
        _refuse_other_weights(known, sha256)


@transaction.atomic
def register_checkpoint(checkpoint: Checkpoint) -> AIModel:
    """Register an official checkpoint, or renew what is known of the same one.

    ModelNameTaken when the name belongs to other weights: pictures already made say
    that name, and it must go on meaning what made them. A model that staff switched
    off stays off. Acts as the service; of two who register one name at once the second
    renews what the first registered, or is refused.
    """
    told = {
        "base_model": checkpoint.base_model,
        "s3_bucket": checkpoint.bucket,
        "s3_key": checkpoint.key,
        "file_size": checkpoint.file_size,
        "native_side": checkpoint.native_side,
        "is_official": True,
        "min_tier": checkpoint.min_tier,
    }
    if checkpoint.description:
        told["description"] = checkpoint.description
    model, new = AIModel.objects.select_for_update().get_or_create(
        name=checkpoint.name,
        defaults={**told, "type": ModelType.MAIN, "sha256_hash": checkpoint.sha256},
    )
    if new:
        return model
    _refuse_other_weights(model, checkpoint.sha256)
    for column, value in told.items():
        setattr(model, column, value)
    model.save(update_fields=list(told))
    return model


def _refuse_other_weights(known: AIModel, sha256: str) -> None:
    if known.sha256_hash != sha256 or known.type != ModelType.MAIN:
        raise ModelNameTaken
