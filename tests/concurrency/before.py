"""What the version before writes while this one runs beside it, in its own words."""

from __future__ import annotations

from typing import Any

from django.db import connection

from pingvas.core.db.actor import SERVICE, acting_as

# As the version before writes them: it knows neither lanes nor needs nor waiting.
_BEFORE = """
    INSERT INTO queue_shares (user_id, tier, running_limit)
    VALUES (%(user)s, %(tier)s, 2)
    ON CONFLICT (user_id) DO UPDATE
        SET tier = excluded.tier, running_limit = excluded.running_limit;
    INSERT INTO generation_jobs (id, user_id, tier, priority, status, prompt, model,
        width, height, batch_id, queued_at)
    VALUES (gen_random_uuid(), %(user)s, %(tier)s, 25, 'queued', 'a star', %(model)s,
        64, 64, gen_random_uuid(), now());
    UPDATE queue_shares s SET
        running = r.running,
        waiting_since = h.created_at,
        claimable = h.id IS NOT NULL AND r.running < s.running_limit,
        virtual_start = t.start,
        virtual_finish = t.start
            + coalesce(h.quoted_credits * h.batch_size, 0)
            / greatest(coalesce(h.priority, 1), 1)::float
    FROM queue_shares o
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT batch_id) AS running FROM generation_jobs
        WHERE user_id = o.user_id AND status = 'in_progress'
    ) r
    CROSS JOIN LATERAL (
        SELECT CASE WHEN o.claimable THEN o.virtual_start
            ELSE greatest(o.virtual_start, (SELECT virtual_time FROM queue_clock))
            END AS start
    ) t
    LEFT JOIN LATERAL (
        SELECT id, created_at, priority, quoted_credits, batch_size
        FROM generation_jobs
        WHERE user_id = o.user_id AND status IN ('pending', 'queued')
        ORDER BY priority DESC, created_at, id LIMIT 1
    ) h ON true
    WHERE o.user_id = s.user_id AND s.user_id = %(user)s
"""


def submit_before(user: Any, model: str = "starter") -> None:
    values = {"user": user.id, "tier": user.tier, "model": model}
    with acting_as(SERVICE), connection.cursor() as cursor:
        for statement in _BEFORE.split(";"):
            cursor.execute(statement, values)
