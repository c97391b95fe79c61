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
from workers.checkpoint_sources import Source

if TYPE_CHECKING:
    from workers.checkpoints import Paths
    from workers.engine.facts import ModelFacts
    from workers.manifest import Manifest

_CLIP = ("tokenizer", "tokenizer_2")
COMPANION_PARTS = {
    "sd15": _CLIP[:1],
    "sd21": _CLIP[:1],
    "sdxl": _CLIP,
    "flux": (*_CLIP, "text_encoder", "text_encoder_2", "vae"),
}


class Command(BaseCommand):
    """Check a checkpoint, put it into the object store and register it."""

    help = (
        "Registers an official checkpoint. SOURCE is a diffusers folder, a safetensors "
        "file, a key of the object store (s3://...) or a repository of the hub. A "
        "single file holds no tokenizer (and of flux neither text encoders nor "
        "autoencoder): --companion names a folder or repository that does."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source")
        parser.add_argument("--name", required=True)
        parser.add_argument("--base", required=True, choices=BaseModel.values)
        parser.add_argument(
            "--min-tier", choices=[tier.value for tier in PAID_TIERS], default=None
        )
        parser.add_argument("--description", default="")
        parser.add_argument("--companion", default=None)
        parser.add_argument(
            "--variant",
            choices=("fp16", "bf16"),
            default=None,
            help="of a repository that has several precisions",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # What was fetched of a hub, kept until all of it is in the store.
        self._kept: list[Source] = []
        with tempfile.TemporaryDirectory() as work:
            try:
                model = self._add(options, Path(work))
            except (PingvasError, OSError, ValueError) as error:
                # A reason is one line, whatever library gave it.
                words = " ".join(str(error).split())
                raise CommandError(f"{options['source']}: {words}") from error
        for source in self._kept:
            source.forget()
        self.stdout.write(
            f"{model.name}: {model.base_model}, {model.file_size} bytes, "
            f"sha256 {model.sha256_hash}"
        )

    def _add(self, options: dict[str, Any], work: Path) -> AIModel:
        """Refuse before anything is sent to the store, register when all of it is."""
        source = self._source(options["source"], work, options["variant"])
        path = source.fetch(self._tell)
        beside = self._companion(options, path, work)
        # Imported after the fetches: the engine forbids the hub.
        from workers.checkpoints import publish_checkpoint

        facts = _inspect(path, options["base"])
        manifest, paths = _describe(path, _checked(beside, facts), facts)
        with acting_as(SERVICE):
            check_model_name(name=options["name"], sha256=manifest.digest)
        checkpoint = Checkpoint(
            name=options["name"],
            base_model=facts.base,
            bucket=settings.STORAGE_BUCKET,
            key=publish_checkpoint(manifest, paths),
            file_size=manifest.total,
            sha256=manifest.digest,
            native_side=facts.native_side,
            description=options["description"],
            min_tier=options["min_tier"],
        )
        with acting_as(SERVICE):
            return register_checkpoint(checkpoint)

    def _source(self, name: str, work: Path, variant: str | None = None) -> Source:
        source = Source(name, work, variant=variant)
        self._kept.append(source)
        return source

    def _companion(
        self, options: dict[str, Any], path: Path, work: Path
    ) -> Path | None:
        """The folder that --companion names; of a repository only what may be needed.

        Which parts a base needs is written down twice, for the engine must not be
        imported yet; a test compares.
        """
        if options["companion"] is None or path.is_dir():
            return None
        source = self._source(options["companion"], work / "companion")
        return source.fetch(self._tell, COMPANION_PARTS[options["base"]])

    def _tell(self, line: str) -> None:
        self.stderr.write(line)


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


def _checked(companion: Path | None, facts: ModelFacts) -> Path | None:
    """The companion, when one is needed; ValueError when it is not given."""
    if facts.needs and companion is None:
        raise ValueError(
            f"a single file of {facts.base} holds no {', '.join(facts.needs)}: name a "
            "folder or repository of this base that does by --companion"
        )
    return companion if facts.needs else None


def _describe(
    path: Path, companion: Path | None, facts: ModelFacts
) -> tuple[Manifest, Paths]:
    from workers.checkpoints import describe_files
    from workers.engine.errors import ModelRefused

    try:
        return describe_files(path, companion, facts.needs)
    except ModelRefused as refused:
        raise ValueError(f"refused: {refused}") from refused
