"""Models enter the hub and leave it."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from modelhub.models import AIModel, ModelType
from pingvas.core.errors import PingvasError


class ModelNameTaken(PingvasError):
    code = "model_name_taken"
    status = 409
    message = _("Another model has this name.")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint in the object store: `key` is its prefix, `sha256` its identity."""

    name: str
    base_model: str
    bucket: str
    key: str
    file_size: int
    sha256: str
    description: str = ""
    min_tier: str | None = None


def register_checkpoint(checkpoint: Checkpoint) -> AIModel:
    """Register an official checkpoint, or renew what is known of the same one.

    ModelNameTaken when the name belongs to other weights: pictures already made say
    that name, and it must go on meaning what made them. Acts as the service.
    """
    known = AIModel.objects.select_for_update().filter(name=checkpoint.name).first()
    if known is not None and known.sha256_hash != checkpoint.sha256:
        raise ModelNameTaken
    model = known or AIModel(name=checkpoint.name, type=ModelType.MAIN)
    model.base_model = checkpoint.base_model
    model.s3_bucket = checkpoint.bucket
    model.s3_key = checkpoint.key
    model.file_size = checkpoint.file_size
    model.sha256_hash = checkpoint.sha256
    model.is_official = True
    model.is_active = True
    model.min_tier = checkpoint.min_tier
    model.description = checkpoint.description or model.description
    model.save()
    return model
