"""Who may use which model."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.tiers import tier_covers
from modelhub.models import AIModel, ModelType
from pingvas.core.db.compiled import FirstOf
from pingvas.core.errors import PingvasError


class ModelNotFound(PingvasError):
    code = "model_not_found"
    status = 404
    message = _("There is no model of this name.")


class ModelNotInTier(PingvasError):
    code = "model_not_in_tier"
    status = 403
    message = _("This model needs a higher plan.")


def visible_to(user_id: UUID) -> Q:
    """The models that a user may know of: the rule, which the policy
    `ai_models_select_available` says in the database's words.
    """
    return Q(is_official=True) | Q(uploaded_by_user_id=user_id)


def models_for(user: User) -> QuerySet[AIModel]:
    """Active checkpoints that `user` may see, whatever their tier allows."""
    return _available(user.id).order_by("name", "id")


def _available(user_id: UUID) -> QuerySet[AIModel]:
    return AIModel.objects.filter(
        visible_to(user_id), is_active=True, type=ModelType.MAIN
    )


# Asked with every submission and every quote (`submit` in bench/RESULTS.md).
_model_of_name = FirstOf(
    lambda user_id, name: _available(user_id).filter(name=name),
    user_id=UUID(int=1),
    name="the name",
)


def model_by_name(name: str) -> AIModel:
    """For workers: also one that takes no new jobs any more. Acts as the service."""
    model = AIModel.objects.filter(name=name).first()
    if model is None:
        raise ModelNotFound
    return model


def access_model(user: User, name: str) -> AIModel:
    """The model that `user` may make pictures with.

    ModelNotFound for one that is not there, not active or another user's;
    ModelNotInTier, with `min_tier`, for one above the user's tier.
    """
    model = _model_of_name(user_id=user.id, name=name)
    if model is None:
        raise ModelNotFound(fields={"model": [str(ModelNotFound.message)]})
    if not tier_covers(user.tier, model.min_tier):
        raise ModelNotInTier(min_tier=model.min_tier)
    return model
