"""Who may use which model."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.tiers import tier_covers
from modelhub.models import AIModel, ModelType
from pingvas.core.db.rows import columns_of, read_row
from pingvas.core.errors import PingvasError


class ModelNotFound(PingvasError):
    code = "model_not_found"
    status = 404
    message = _("There is no model of this name.")


class ModelNotInTier(PingvasError):
    code = "model_not_in_tier"
    status = 403
    message = _("This model needs a higher plan.")


def models_for(user: User) -> QuerySet[AIModel]:
    """Active checkpoints that `user` may see, whatever their tier allows."""
    return AIModel.objects.filter(
        Q(is_official=True) | Q(uploaded_by_user=user),
        is_active=True,
        type=ModelType.MAIN,
    ).order_by("name", "id")


def model_by_name(name: str) -> AIModel:
    """For workers: also one that takes no new jobs any more. Acts as the service."""
    model = AIModel.objects.filter(name=name).first()
    if model is None:
        raise ModelNotFound
    return model


def checkpoints() -> QuerySet[AIModel]:
    """For workers: what a queued job may name, switched off or not. Acts as the
    service."""
    return AIModel.objects.filter(type=ModelType.MAIN).order_by("name")


# `models_for`, written out: asked with every quote and every submission.
_MODEL_OF_NAME = """
    SELECT {columns} FROM ai_models AS model
    WHERE model.name = %(name)s AND model.is_active AND model.type = 'main'
      AND (model.is_official OR model.uploaded_by_user_id = %(user)s)
"""


def access_model(user: User, name: str) -> AIModel:
    """The model that `user` may make pictures with.

    ModelNotFound for one that is not there, not active or another user's;
    ModelNotInTier, with `min_tier`, for one above the user's tier.
    """
    statement = _MODEL_OF_NAME.format(columns=columns_of(AIModel, "model"))
    model = read_row(AIModel, statement, {"user": user.id, "name": name})
    if model is None:
        raise ModelNotFound(fields={"model": [str(ModelNotFound.message)]})
    if not tier_covers(user.tier, model.min_tier):
        raise ModelNotInTier(min_tier=model.min_tier)
    return model
