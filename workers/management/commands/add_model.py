from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.tiers import PAID_TIERS
from modelhub.models import AIModel, BaseModel
from modelhub.services import Checkpoint, check_model_name, register_checkpoint
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.errors import PingvasError
from workers.checkpoint_sources import fetch_checkpoint

if TYPE_CHECKING:
    from workers.engine.facts import ModelFacts


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
                model = self._add(options, Path(work))
            except (PingvasError, OSError, ValueError) as error:
                # A reason is one line, whatever library gave it.
                words = " ".join(str(error).split())
                raise CommandError(f"{options['source']}: {words}") from error
        self.stdout.write(
            f"{model.name}: {model.base_model}, {model.file_size} bytes, "
            f"sha256 {model.sha256_hash}"
        )

    def _add(self, options: dict[str, Any], work: Path) -> AIModel:
        """Refuse before anything is sent to the store, register when all of it is."""
        path = fetch_checkpoint(options["source"], work)
        facts = _inspect(path, options["base"])
        with acting_as(SERVICE):
            check_model_name(name=options["name"], sha256=facts.sha256)
        # Imported after the fetch: the engine forbids the hub.
        from workers.checkpoints import publish_checkpoint

        checkpoint = Checkpoint(
            name=options["name"],
            base_model=facts.base,
            bucket=settings.STORAGE_BUCKET,
            key=publish_checkpoint(path, facts),
            file_size=facts.file_size,
            sha256=facts.sha256,
            native_side=facts.native_side,
            description=options["description"],
            min_tier=options["min_tier"],
        )
        with acting_as(SERVICE):
            return register_checkpoint(checkpoint)


def _inspect(path: Path, base: str) -> ModelFacts:
    """What the checkpoint is; ValueError with the reason when it is not acceptable."""
    from workers.engine.errors import ModelRefused
    from workers.engine.facts import inspect_model

    try:
        facts = inspect_model(path)
    except ModelRefused as refused:
        raise ValueError(f"refused: {refused}") from refused
    if facts.base != base:
        raise ValueError(f"this is a {facts.base} model, not {base}")
    return facts
