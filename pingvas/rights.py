"""Who may do what with which table: the one list, applied after every `migrate`.

A table that stands here under no role can be touched by its owner alone, and one that
does not stand here at all stops `migrate`. Row-level security says besides which rows.
The roles are explained in docs/security.md; in short:

- `app_user` is the web process acting for a person, or for nobody;
- `service_user` is the house: workers, maintenance, staff, and every service that
  writes jobs, credits or the queue;
- `identity_user` signs people in and up;
- `readonly_user` is an analyst.

Views run with their owner's rights on what they show.
"""

from __future__ import annotations

from collections.abc import Mapping

from pingvas.core.db.roles import ANALYST, IDENTITY, SERVICE, WEB

READ = "SELECT"
KEEP = "SELECT, INSERT, UPDATE, DELETE"
APPEND = "SELECT, INSERT"

RIGHTS: Mapping[str, Mapping[str, str]] = {
    # -- The specification's tables ---------------------------------------------------
    "users": {
        # The policy shows one's own row alone; the hash in it proves the session.
        WEB: "SELECT, UPDATE (display_name, avatar_url)",
        SERVICE: "SELECT, INSERT, UPDATE",
        # Not tier, is_staff and is_superuser: signing in makes nobody more.
        IDENTITY: (
            "SELECT, INSERT, UPDATE (email, password_hash, display_name, avatar_url,"
            " oauth_provider, oauth_id, token_version, is_active, last_login_at)"
        ),
        ANALYST: (
            "SELECT (id, email, display_name, avatar_url, oauth_provider, tier,"
            " is_active, is_staff, is_superuser, created_at, updated_at, last_login_at)"
        ),
    },
    "subscriptions": {WEB: READ, SERVICE: KEEP, ANALYST: READ},
    "credit_balances": {
        WEB: READ,
        SERVICE: "SELECT, INSERT, UPDATE",
        ANALYST: READ,
    },
    "credit_transactions": {WEB: READ, SERVICE: APPEND, ANALYST: READ},
    "generation_jobs": {WEB: READ, SERVICE: KEEP, ANALYST: READ},
    "images": {
        # Where a picture lies is the house's to say: a row that names another's object
        # would show it.
        WEB: "SELECT, UPDATE (is_public, share_token), DELETE",
        SERVICE: KEEP,
        # Not the token of its link.
        ANALYST: (
            "SELECT (id, user_id, job_id, s3_bucket, s3_key, thumbnail_url, width,"
            " height, file_size, format, is_public, view_count, metadata, created_at,"
            " sha256, origin)"
        ),
    },
    "boards": {WEB: KEEP, SERVICE: KEEP, ANALYST: READ},
    "board_images": {WEB: KEEP, SERVICE: KEEP, ANALYST: READ},
    # As with pictures: a worker loads what the row names.
    "ai_models": {WEB: READ, SERVICE: KEEP, ANALYST: READ},
    "workflows": {WEB: KEEP, SERVICE: KEEP, ANALYST: READ},
    "user_stats": {SERVICE: "SELECT, MAINTAIN", ANALYST: READ},
    # -- Our own ----------------------------------------------------------------------
    "user_stats_own": {WEB: READ},
    "credit_holds": {
        WEB: READ,
        SERVICE: "SELECT, INSERT, UPDATE",
        ANALYST: READ,
    },
    # Triggers write the deltas, with their owner's rights.
    "picture_storage": {
        WEB: READ,
        SERVICE: "SELECT, INSERT, UPDATE",
        ANALYST: READ,
    },
    "picture_storage_deltas": {
        WEB: READ,
        # To lock is to update, as PostgreSQL sees it.
        SERVICE: "SELECT, UPDATE, DELETE",
        ANALYST: READ,
    },
    "job_inputs": {WEB: READ, SERVICE: KEEP, ANALYST: READ},
    "generation_workers": {WEB: READ, SERVICE: KEEP, ANALYST: READ},
    "model_speeds": {WEB: READ, SERVICE: KEEP, ANALYST: READ},
    "submissions": {WEB: READ, SERVICE: APPEND, ANALYST: READ},
    "queue_shares": {SERVICE: KEEP, ANALYST: READ},
    "queue_clock": {SERVICE: "SELECT, INSERT, UPDATE", ANALYST: READ},
    # What requests were answered, and who is signed in: no analyst's business.
    "idempotency_keys": {WEB: KEEP, SERVICE: KEEP},
    "token_families": {
        WEB: READ,
        SERVICE: "SELECT, UPDATE, DELETE",
        IDENTITY: "SELECT, INSERT, UPDATE",
    },
    # Staff's reasons are for staff; their note is for whom it is written to.
    "adjustment_notes": {
        WEB: "SELECT (transaction_id, public_note, created_at)",
        SERVICE: KEEP,
        ANALYST: "SELECT (transaction_id, public_note, created_at)",
    },
    "ledger_roots": {SERVICE: APPEND, ANALYST: READ},
    # -- Other packages' --------------------------------------------------------------
    "django_session": {SERVICE: "SELECT, DELETE", IDENTITY: KEEP},
    # The trail of what staff did is not theirs to shorten.
    "django_admin_log": {SERVICE: APPEND},
    "django_content_type": {SERVICE: READ},
    # What `manage.py createsuperuser` looks at first.
    "django_migrations": {WEB: READ, SERVICE: READ},
    "auth_permission": {SERVICE: READ},
    "auth_group": {SERVICE: KEEP},
    "auth_group_permissions": {SERVICE: KEEP},
    "users_groups": {SERVICE: KEEP},
    "users_user_permissions": {SERVICE: KEEP},
    "django_celery_beat_clockedschedule": {SERVICE: KEEP},
    "django_celery_beat_crontabschedule": {SERVICE: KEEP},
    "django_celery_beat_intervalschedule": {SERVICE: KEEP},
    "django_celery_beat_periodictask": {SERVICE: KEEP},
    "django_celery_beat_periodictasks": {SERVICE: KEEP},
    "django_celery_beat_solarschedule": {SERVICE: KEEP},
}

# What in the schema may belong to another role than the owner, and to which.
OTHER_OWNERS: Mapping[str, str] = {}
