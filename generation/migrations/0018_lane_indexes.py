"""Indexes of the lanes' queues, and the needs of jobs that wait or run already.

They take the place of those without lanes, between which the planner would choose by
chance. The version before sorts the waiting jobs of one user meanwhile, some thousand
at most.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations, models

from pingvas.core.db.online import patiently
from pingvas.core.db.operations import AddIndexConcurrently, RemoveIndexConcurrently
from pingvas.core.db.schema import Index

WAITING = ("status__in", ["pending", "queued"])
GPU_CLAIMABLE = models.Q(WAITING, ("waits_on", 0), ("lane", "gpu"))
EXTERNAL_CLAIMABLE = models.Q(WAITING, ("waits_on", 0), ("lane", "external"))
CHILDREN = models.Q(WAITING, ("waits_for__ne", []))
EXTERNAL = models.Q(("external_claimable__eq", True))

# What `fill_job_needs` does for those that are inserted from here on. Rows are locked in
# one order, and given up where that is not the order of others.
FILL = """
    UPDATE generation_jobs AS job
    SET needs = ARRAY['base:' || model.base_model],
        needs_bytes = coalesce(model.file_size, 0)
    FROM ai_models AS model
    WHERE model.name = job.model AND job.id IN (
        SELECT old.id FROM generation_jobs AS old
        JOIN ai_models AS known ON known.name = old.model
        WHERE old.status IN ('pending', 'queued', 'in_progress')
            AND old.needs = '{}' AND known.base_model IS NOT NULL
        ORDER BY old.id LIMIT 1000 FOR NO KEY UPDATE OF old
    )
"""


def fill_needs(apps: Any, editor: Any) -> None:
    """In batches, each committed at once, until nothing is left to do."""
    while patiently(editor, partial(_fill_batch, editor)):
        pass


def _fill_batch(editor: Any) -> int:
    with editor.connection.cursor() as cursor:
        cursor.execute(FILL)
        return int(cursor.rowcount)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("generation", "0017_lane_workers"),
    ]

    operations = [
        ValidateConstraint("generationjob", "generation_jobs_lane_check"),
        ValidateConstraint("generationjob", "generation_jobs_needs_bytes_check"),
        ValidateConstraint("generationjob", "generation_jobs_waits_on_check"),
        AddIndexConcurrently(
            "generationjob",
            Index(
                condition=GPU_CLAIMABLE,
                fields=["user", "-priority", "created_at", "id"],
                name="idx_generation_jobs_gpu_next",
            ),
        ),
        AddIndexConcurrently(
            "generationjob",
            Index(
                condition=GPU_CLAIMABLE,
                fields=["user", "created_at", "id"],
                name="idx_generation_jobs_gpu_longest",
            ),
        ),
        AddIndexConcurrently(
            "generationjob",
            Index(
                condition=EXTERNAL_CLAIMABLE,
                fields=["user", "-priority", "created_at", "id"],
                name="idx_generation_jobs_external_next",
            ),
        ),
        AddIndexConcurrently(
            "generationjob",
            Index(
                condition=EXTERNAL_CLAIMABLE,
                fields=["user", "created_at", "id"],
                name="idx_generation_jobs_external_longest",
            ),
        ),
        AddIndexConcurrently(
            "generationjob",
            Index(
                condition=CHILDREN,
                fields=["user"],
                name="idx_generation_jobs_children",
            ),
        ),
        AddIndexConcurrently(
            "queueshare",
            Index(
                condition=EXTERNAL,
                fields=["external_finish", "external_since", "user"],
                name="idx_queue_shares_external_order",
            ),
        ),
        AddIndexConcurrently(
            "queueshare",
            Index(
                condition=EXTERNAL,
                fields=["tier"],
                name="idx_queue_shares_external_tier",
            ),
        ),
        AddIndexConcurrently(
            "queueshare",
            Index(
                condition=EXTERNAL,
                fields=["external_start"],
                name="idx_queue_shares_external_present",
            ),
        ),
        RemoveIndexConcurrently("generationjob", "idx_generation_jobs_claim"),
        RemoveIndexConcurrently("generationjob", "idx_generation_jobs_oldest"),
        migrations.RunPython(fill_needs, migrations.RunPython.noop),
    ]
