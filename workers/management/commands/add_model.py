from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.tiers import PAID_TIERS
from modelhub.models import BaseModel
from modelhub.services import Checkpoint, register_checkpoint
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.errors import PingvasError
from workers.checkpoint_sources import fetch_checkpoint


class Command(BaseCommand):
    """Check a checkpoint, put it into the object store and register it."""

    help = (
        "Registers an official checkpoint. SOURCE is a diffusers folder, a safetensors "
        "file, a key of the object store (s3://...) or a repository of the hub."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source")
        parser.add_argument("--name", required=True)
        parser.add_argument("--base", required=True, choices=BaseModel.values)
        parser.add_argument(
            "--min-tier", choices=[tier.value for tier in PAID_TIERS], default=None
        )
        parser.add_argument("--description", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        with tempfile.TemporaryDirectory() as work:
            try:
                checkpoint = self._publish(options, Path(work))
                with acting_as(SERVICE):
                    model = register_checkpoint(checkpoint)
            except PingvasError as error:
                raise CommandError(str(error)) from error
        self.stdout.write(
            f"{model.name}: {model.base_model}, {model.file_size} bytes, "
            f"sha256 {model.sha256_hash}"
        )

    def _publish(self, options: dict[str, Any], work: Path) -> Checkpoint:
        try:
            path = fetch_checkpoint(options["source"], work)
        except (OSError, ValueError) as error:
            raise CommandError(f"{options['source']}: {error}") from error
        # Imported after the fetch: the engine forbids the hub.
        from workers.checkpoints import publish_checkpoint
        from workers.engine.errors import ModelRefused

        try:
            facts, key = publish_checkpoint(path)
        except ModelRefused as refused:
            raise CommandError(f"refused: {refused}") from refused
        if facts.base != options["base"]:
            raise CommandError(f"this is a {facts.base} model, not {options['base']}")
        return Checkpoint(
            name=options["name"],
            base_model=facts.base,
            bucket=settings.STORAGE_BUCKET,
            key=key,
            file_size=facts.file_size,
            sha256=facts.sha256,
            description=options["description"],
            min_tier=options["min_tier"],
        )
