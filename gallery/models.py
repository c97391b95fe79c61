"""Pictures and the boards that collect them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from pingvas.core.db.functions import Now
from pingvas.core.db.schema import (
    ForeignKey,
    GinIndex,
    Index,
    OneToOneField,
    created_at,
    updated_at,
    uuid_key,
    written,
)


class ImageFormat(models.TextChoices):
    PNG = "png"
    JPG = "jpg"
    WEBP = "webp"


class Origin(models.TextChoices):
    """How a picture came here; `mask` and `control` are inputs of jobs alone."""

    GENERATED = "generated"
    UPLOADED = "uploaded"
    MASK = "mask"
    CONTROL = "control"


# What the gallery shows.
SHOWN = (Origin.GENERATED.value, Origin.UPLOADED.value)


class Image(models.Model):
    """A picture, made here or brought. The bytes lie in the store under `s3_key`."""

    id = uuid_key()
    user = ForeignKey(settings.AUTH_USER_MODEL, "CASCADE")
    job = OneToOneField("generation.GenerationJob", "SET NULL", null=True, blank=True)
    s3_bucket = models.CharField(max_length=100)
    s3_key = models.CharField(max_length=500)
    thumbnail_url = models.CharField(max_length=500, null=True, blank=True)
    width = models.IntegerField()
    height = models.IntegerField()
    file_size = models.BigIntegerField()
    format = models.CharField(
        max_length=10, choices=ImageFormat, db_default=ImageFormat.PNG.value
    )
    is_public = models.BooleanField(default=False, db_default=False)
    share_token = models.CharField(
        max_length=64,
        null=True,
        blank=True,
        db_comment="공개 공유 링크용 난수 토큰",
    )
    view_count = models.IntegerField(default=0, db_default=0)
    metadata = models.JSONField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, null=True, blank=True)
    origin = models.CharField(
        max_length=10,
        choices=Origin,
        default=Origin.GENERATED,
        db_default=Origin.GENERATED.value,
    )
    created_at = created_at()

    class Meta:
        db_table = "images"
        db_table_comment = "생성된 이미지 메타데이터"
        constraints = [
            models.UniqueConstraint(
                fields=["share_token"], name="images_share_token_key"
            ),
            models.CheckConstraint(
                condition=Q(format__in=ImageFormat.values), name="images_format_check"
            ),
            models.CheckConstraint(
                condition=Q(origin__in=Origin.values), name="images_origin_check"
            ),
            # Equal bytes that somebody brings twice are one picture.
            models.UniqueConstraint(
                fields=["user", "sha256"],
                condition=Q(origin=Origin.UPLOADED),
                name="images_uploaded_once",
            ),
        ]
        indexes = [
            Index(fields=["user"], name="idx_images_user_id"),
            Index(
                fields=["job"],
                name="idx_images_job_id",
                condition=Q(job__isnull=False),
            ),
            Index(fields=["-created_at"], name="idx_images_created_at"),
            # The gallery of one user; the second is the version before's, which shows
            # every row.
            Index(
                fields=["user", "-created_at", "-id"],
                name="idx_images_user_shown",
                condition=Q(origin__in=SHOWN),
            ),
            Index(fields=["user", "-created_at", "-id"], name="idx_images_user_newest"),
            Index(
                fields=["is_public"],
                name="idx_images_is_public",
                condition=Q(is_public__eq=True),
            ),
            Index(
                fields=["is_public"],
                name="idx_images_public",
                condition=Q(is_public__eq=True),
            ),
            Index(
                fields=["share_token"],
                name="idx_images_share_token",
                condition=Q(share_token__isnull=False),
            ),
            GinIndex(fields=["metadata"], name="idx_images_metadata_gin"),
        ]

    def __str__(self) -> str:
        return f"{self.width}×{self.height}, {written(self.created_at)}"


class Board(models.Model):
    """A user's collection of pictures."""

    id = uuid_key()
    user = ForeignKey(settings.AUTH_USER_MODEL, "CASCADE")
    name = models.CharField(max_length=100)
    description = models.TextField(null=True, blank=True)
    cover_image = ForeignKey(
        Image, "SET NULL", null=True, blank=True, related_name="covered_boards"
    )
    image_count = models.IntegerField(default=0, db_default=0)
    created_at = created_at()
    updated_at = updated_at()
    images = models.ManyToManyField(
        Image, through="gallery.BoardImage", related_name="boards"
    )

    class Meta:
        db_table = "boards"
        db_table_comment = "이미지 보드 (컬렉션)"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "name"], name="unique_board_name_per_user"
            ),
        ]
        indexes = [
            Index(fields=["user"], name="idx_boards_user_id"),
            Index(fields=["-created_at"], name="idx_boards_created_at"),
        ]

    def __str__(self) -> str:
        return self.name


class BoardImage(models.Model):
    """A picture on a board."""

    pk = models.CompositePrimaryKey("board_id", "image_id")
    board = ForeignKey(Board, "CASCADE")
    image = ForeignKey(Image, "CASCADE")
    added_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "board_images"
        db_table_comment = "보드-이미지 다대다 관계"
        indexes = [
            Index(fields=["board"], name="idx_board_images_board_id"),
            Index(fields=["image"], name="idx_board_images_image_id"),
            Index(fields=["-added_at"], name="idx_board_images_added_at"),
        ]

    def __str__(self) -> str:
        return f"{self.image_id} on {self.board_id}"


class PictureStorage(models.Model):
    """Bytes that a user's pictures take, as of the last folding of the deltas."""

    user = OneToOneField(settings.AUTH_USER_MODEL, "CASCADE", primary_key=True)
    bytes = models.BigIntegerField()

    class Meta:
        db_table = "picture_storage"

    def __str__(self) -> str:
        return f"{self.bytes} bytes of {self.user_id}"


class PictureStorageDelta(models.Model):
    """What a statement changed of it; triggers on `images` write these, and only they.

    One row counter for a user would be a lock that all their jobs wait for.
    """

    id = models.BigAutoField(primary_key=True)
    # No foreign key: it would lock the user's row. Whoever is gone is left out.
    user_id = models.UUIDField()
    bytes = models.BigIntegerField()

    class Meta:
        db_table = "picture_storage_deltas"
        indexes = [Index(fields=["user_id"], name="idx_picture_storage_deltas_user")]

    def __str__(self) -> str:
        return f"{self.bytes} bytes of {self.user_id}"
