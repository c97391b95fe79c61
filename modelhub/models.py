"""The models that pictures are made with."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.tiers import PAID_TIERS, Tier
from pingvas.core.db.schema import (
    ForeignKey,
    GinIndex,
    Index,
    created_at,
    updated_at,
    uuid_key,
)
from pingvas.recipe.settings import LONGEST_SIDE, SMALLEST_SIDE


class ModelType(models.TextChoices):
    MAIN = "main"
    LORA = "lora"
    CONTROLNET = "controlnet"
    VAE = "vae"
    EMBEDDING = "embedding"
    UPSCALER = "upscaler"


class BaseModel(models.TextChoices):
    SD15 = "sd15"
    SD21 = "sd21"
    SDXL = "sdxl"
    FLUX = "flux"


class AIModel(models.Model):
    """A checkpoint or an add-on to one. `min_tier` NULL is open to every tier."""

    id = uuid_key()
    name = models.CharField(max_length=200)
    type = models.CharField(max_length=50, choices=ModelType)
    base_model = models.CharField(
        max_length=50, choices=BaseModel, null=True, blank=True
    )
    s3_bucket = models.CharField(max_length=100, null=True, blank=True)
    s3_key = models.CharField(max_length=500, null=True, blank=True)
    file_size = models.BigIntegerField(null=True, blank=True)
    sha256_hash = models.CharField(max_length=64, null=True, blank=True)
    native_side = models.IntegerField(
        null=True,
        blank=True,
        db_comment="모델이 학습한 이미지의 한 변 (픽셀)",
    )
    is_official = models.BooleanField(default=False, db_default=False)
    min_tier = models.CharField(
        max_length=20,
        null=True,
        blank=True,
        db_default=Tier.STARTER.value,
        db_comment="이 모델 사용에 필요한 최소 구독 등급",
    )
    uploaded_by_user = ForeignKey(
        settings.AUTH_USER_MODEL, "SET NULL", null=True, blank=True
    )
    description = models.TextField(null=True, blank=True)
    tags = ArrayField(models.TextField(), null=True, blank=True)
    thumbnail_url = models.CharField(max_length=500, null=True, blank=True)
    download_count = models.IntegerField(default=0, db_default=0)
    is_active = models.BooleanField(default=True, db_default=True)
    created_at = created_at()
    updated_at = updated_at()

    class Meta:
        db_table = "ai_models"
        db_table_comment = "AI 모델 메타데이터 (Diffusion, LoRA 등)"
        constraints = [
            models.UniqueConstraint(fields=["name"], name="ai_models_name_key"),
            models.CheckConstraint(
                condition=Q(type__in=ModelType.values), name="ai_models_type_check"
            ),
            models.CheckConstraint(
                condition=Q(base_model__in=BaseModel.values),
                name="ai_models_base_model_check",
            ),
            models.CheckConstraint(
                condition=Q(min_tier__in=[tier.value for tier in PAID_TIERS]),
                name="ai_models_min_tier_check",
            ),
            models.CheckConstraint(
                condition=Q(
                    native_side__gte=SMALLEST_SIDE, native_side__lte=LONGEST_SIDE
                ),
                name="ai_models_native_side_check",
            ),
        ]
        indexes = [
            Index(fields=["type"], name="idx_ai_models_type"),
            Index(fields=["base_model"], name="idx_ai_models_base_model"),
            Index(
                fields=["is_official"],
                name="idx_ai_models_is_official",
                condition=Q(is_official__eq=True),
            ),
            Index(
                fields=["uploaded_by_user"],
                name="idx_ai_models_uploaded_by",
                condition=Q(uploaded_by_user__isnull=False),
            ),
            GinIndex(fields=["tags"], name="idx_ai_models_tags_gin"),
        ]

    def __str__(self) -> str:
        return self.name
