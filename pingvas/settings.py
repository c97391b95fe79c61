"""Every setting, read once from the environment. `.env.example` explains each name."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import django_stubs_ext
import psycopg
from django.utils.translation import gettext_lazy as _
from psycopg.conninfo import conninfo_to_dict

from pingvas.core.serving.bodies import LARGEST_JSON
from pingvas.env import (
    SettingError,
    env_bool,
    env_choice,
    env_int,
    env_list,
    env_networks,
    env_secret,
    env_str,
)
from pingvas.log import logging_config
from pingvas.staff_menu import UNFOLD as UNFOLD

# Lets `ModelAdmin[User]` and the like be written: Django's classes are not generic.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

PINGVAS_ENV = env_choice(
    "PINGVAS_ENV", ["development", "test", "production"], "production"
)
PRODUCTION = PINGVAS_ENV == "production"
# Also in development people see the studio's own error pages; tracebacks are logged.
DEBUG = env_bool("DEBUG", default=False)
SECRET_KEY = env_secret("SECRET_KEY")
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "pingvas.core.sites.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "pingvas.core.static_files.StaticFilesConfig",
    "django_celery_beat",
    "django_htmx",
    "drf_spectacular",
    "rest_framework",
    "pingvas.core",
    "accounts",
    "billing",
    "modelhub",
    "gallery",
    "generation",
    "workers",
]

MIDDLEWARE = [
    "pingvas.log.RequestIdMiddleware",
    "pingvas.core.headers.AnswerHeadersMiddleware",
    "pingvas.core.api.errors.ApiErrorsMiddleware",
    "accounts.middleware.RequestLimitMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "pingvas.core.error_pages.ErrorPagesMiddleware",
    "pingvas.core.db.middleware.ActorMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "pingvas.urls"
ASGI_APPLICATION = "pingvas.asgi.application"
# Threads that answer HTTP; each holds at most one database connection.
WEB_THREADS = env_int("WEB_THREADS", 16, minimum=1)
# What a client has for its head, and before it has to keep the least rate.
CLIENT_GRACE_SECONDS = env_int("CLIENT_GRACE_SECONDS", 10, minimum=1)
# At once, in each web process: of an address, and of a user.
CONNECTIONS_PER_ADDRESS = env_int("CONNECTIONS_PER_ADDRESS", 256, minimum=1)
SOCKETS_PER_ADDRESS = env_int("SOCKETS_PER_ADDRESS", 128, minimum=1)
SOCKETS_PER_USER = env_int("SOCKETS_PER_USER", 16, minimum=1)
# Under way in one web process, half for bodies and half for answers: a quarter more of
# it in memory. One address may have an eighth of a half, or the largest body: at the
# least, that leaves others some.
SPOOL_BYTES = env_int("SPOOL_MEGABYTES", 256, minimum=64) * 1024 * 1024
SPOOL_ROOT = env_str("SPOOL_ROOT", "") or None
# Refused before a thread is taken, by path: `pingvas.core.serving.bodies`.
DATA_UPLOAD_MAX_MEMORY_SIZE = LARGEST_JSON
# No form takes files, but where a view says so (`pingvas.core.form_files.OneFileView`).
FILE_UPLOAD_HANDLERS = ["pingvas.core.form_files.RefuseFiles"]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "pingvas" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DB_SCHEMA = env_choice(
    "DB_SCHEMA",
    ["dev_pingvas", "prod_pingvas"],
    "prod_pingvas" if PRODUCTION else "dev_pingvas",
)
# Of the database's roles, where one cluster holds both schemas.
DB_ROLE_PREFIX = env_choice("DB_ROLE_PREFIX", ["", "dev_"], "")


def database(name: str, **options: Any) -> dict[str, Any]:
    """Django's form of the connection string in the variable `name`."""
    try:
        parts = conninfo_to_dict(env_secret(name))
    except psycopg.Error:
        # The driver's own words would quote the password.
        raise SettingError(name, "is no PostgreSQL URL: postgresql://...") from None
    return {
        "ENGINE": "pingvas.core.db.postgresql",
        "NAME": parts.pop("dbname", ""),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **parts,
            "options": f"-c search_path={DB_SCHEMA},extensions",
            **options,
        },
    }


DATABASES = {
    "default": database(
        "DATABASE_URL",
        pool={
            "min_size": env_int("DB_POOL_MIN", 2),
            "max_size": env_int("DB_POOL_MAX", 30, minimum=1),
            "max_lifetime": 3600,
            "timeout": env_int("DB_POOL_TIMEOUT", 10, minimum=1),
        },
    )
}
# The owner of the tables, for `migrate` alone; web and workers start without it.
if env_str("DATABASE_OWNER_URL", "") or env_str("DATABASE_OWNER_URL_FILE", ""):
    DATABASES["owner"] = database("DATABASE_OWNER_URL")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env_secret("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "cache",
        "OPTIONS": {
            "SERIALIZER": "pingvas.core.cache.JsonSerializer",
            "SOCKET_CONNECT_TIMEOUT": 2,
            "SOCKET_TIMEOUT": 2,
        },
    }
}
# The cache may be away: sessions are then read from PostgreSQL.
DJANGO_REDIS_IGNORE_EXCEPTIONS = True
# Published to by `pingvas.core.events` without going through the layer.
CHANNEL_PREFIX = "asgi"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": CHANNEL_PREFIX},
    }
}

BEAT_HEARTBEAT_PATH = env_str("BEAT_HEARTBEAT_PATH", "")

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.PasswordBackend"]
PASSWORD_HASHERS = ["accounts.hashers.Argon2Hasher"]
# In one process; each takes a core and, made at today's cost, 19 MiB.
PASSWORD_HASHES_AT_ONCE = env_int("PASSWORD_HASHES_AT_ONCE", 2, minimum=1)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "accounts:sign-in"
LOGIN_REDIRECT_URL = "/"
SESSION_ENGINE = "pingvas.core.sessions"
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
SESSION_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_SECURE = PRODUCTION
CSRF_FAILURE_VIEW = "pingvas.core.error_pages.csrf_failure"
SECURE_SSL_REDIRECT = env_bool("SECURE_SSL_REDIRECT", default=PRODUCTION)
SECURE_REDIRECT_EXEMPT = [r"^readyz$"]
SECURE_HSTS_SECONDS = env_int("SECURE_HSTS_SECONDS", 31_536_000 if PRODUCTION else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
# Only behind a proxy that sets X-Forwarded-Proto and X-Forwarded-For itself. Whoever
# is not named below is believed neither of them.
BEHIND_TLS_PROXY = env_bool("BEHIND_TLS_PROXY", default=False)
TRUSTED_PROXIES = env_networks("TRUSTED_PROXIES", "127.0.0.1,::1")
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None
)

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ko", _("Korean"))]
# The studio's words, which win, and the staff's console's.
LOCALE_PATHS = [BASE_DIR / "pingvas" / "locale", BASE_DIR / "pingvas" / "staff_locale"]
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "pingvas.formats"

STATIC_URL = "static/"
# Outside production files come from the apps' own folders: nothing is collected.
STATIC_ROOT = (
    env_str("STATIC_ROOT", str(BASE_DIR / "staticfiles")) if PRODUCTION else None
)
STATICFILES_DIRS = [BASE_DIR / "pingvas" / "static"]
WHITENOISE_USE_FINDERS = not PRODUCTION
# In development a changed file is served as it is now, and no browser keeps it.
WHITENOISE_AUTOREFRESH = PINGVAS_ENV == "development"
WHITENOISE_MAX_AGE = 0 if WHITENOISE_AUTOREFRESH else 60
# Pictures that people bring, made ready at once in one process.
UPLOADS_AT_ONCE = env_int("UPLOADS_AT_ONCE", 1, minimum=1)
MEDIA_ROOT = Path(env_str("MEDIA_ROOT", str(BASE_DIR / "media")))
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700


def s3_client_config() -> Any:
    """Signature version 4; a store that is away is noticed within seconds."""
    from botocore.config import Config

    return Config(
        signature_version="s3v4",
        s3={"addressing_style": env_choice("S3_ADDRESSING", S3_ADDRESSING, "auto")},
        connect_timeout=3,
        retries={"total_max_attempts": 3, "mode": "standard"},
    )


def s3_storage() -> dict[str, Any]:
    """A private bucket: no ACL, nothing overwritten, links signed for five minutes."""
    encryption = {"ServerSideEncryption": env_choice("S3_SSE", S3_SSE, "AES256")}
    if encryption["ServerSideEncryption"] == "none":
        encryption = {}
    key_id = env_str("S3_SSE_KMS_KEY_ID", "")
    if key_id and encryption.get("ServerSideEncryption") != "aws:kms":
        raise SettingError("S3_SSE_KMS_KEY_ID", "needs S3_SSE=aws:kms")
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "endpoint_url": env_str("S3_ENDPOINT_URL", "") or None,
            "region_name": env_str("S3_REGION", "us-east-1"),
            "bucket_name": env_str("S3_BUCKET"),
            # Both unset: the machine's own role, as boto3 finds it.
            "access_key": env_secret("S3_ACCESS_KEY_ID", "") or None,
            "secret_key": env_secret("S3_SECRET_ACCESS_KEY", "") or None,
            "client_config": s3_client_config(),
            "default_acl": None,
            "file_overwrite": False,
            "querystring_expire": 300,
            "object_parameters": encryption
            | ({"SSEKMSKeyId": key_id} if key_id else {}),
        },
    }


S3_SSE = ["AES256", "aws:kms", "none"]
S3_ADDRESSING = ["auto", "path", "virtual"]
STORAGE_BACKEND = env_choice("STORAGE_BACKEND", ["local", "s3"], "local")
# What `images.s3_bucket` says of pictures stored from now on.
STORAGE_BUCKET = env_str("S3_BUCKET") if STORAGE_BACKEND == "s3" else "local"
STORAGES: dict[str, dict[str, Any]] = {
    "default": s3_storage()
    if STORAGE_BACKEND == "s3"
    else {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "pingvas.core.static_files.StaticFiles"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

REST_FRAMEWORK = {
    # The first one's challenge makes an anonymous request a 401, not a 403.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["pingvas.core.api.parsers.BoundedJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "pingvas.core.api.pagination.KeyPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "pingvas.core.api.errors.answer_error",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}

SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    # Apart from what else the secret key signs, and long enough for the algorithm.
    "SIGNING_KEY": sha256(f"pingvas.tokens:{SECRET_KEY}".encode()).hexdigest(),
    "ISSUER": "pingvas",
    "AUDIENCE": "pingvas-api",
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Pingvas",
    "DESCRIPTION": "Make pictures from words. Every error has the shape of `Error`.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "pingvas.core.api.schema.document_errors",
    ],
}
# Of one address, forms that pages send included; the window is a minute.
API_REQUESTS_PER_MINUTE = env_int("API_REQUESTS_PER_MINUTE", 600, minimum=1)
API_PICTURES_PER_MINUTE = env_int("API_PICTURES_PER_MINUTE", 6_000, minimum=1)

# What this Celery worker does; a generation worker serves the tiers named.
WORKER_KIND = env_choice("WORKER_KIND", ["none", "generation", "maintenance"], "none")
WORKER_TIERS = env_list("WORKER_TIERS", "enterprise,studio,pro,starter,free")
# Names of models: those it serves (none: all that fit), and those it loads at once.
WORKER_MODELS = env_list("WORKER_MODELS", "")
WORKER_WARM_MODELS = env_list("WORKER_WARM_MODELS", "")
# Whether a pass is decoded, encoded and uploaded beside the next one's steps.
WORKER_OVERLAP = env_choice("WORKER_OVERLAP", ["auto", "yes", "no"], "auto")

# Signs the ledger's nightly root. The maintenance worker's alone: whoever breaks into
# the web process finds neither the value nor the variable.
LEDGER_SIGNING_KEY = (
    env_secret("LEDGER_SIGNING_KEY", "") if WORKER_KIND == "maintenance" else ""
)
LEDGER_KEY_ASTRAY = WORKER_KIND != "maintenance" and bool(
    env_str("LEDGER_SIGNING_KEY", "") or env_str("LEDGER_SIGNING_KEY_FILE", "")
)

# A worker that is silent this long has lost its jobs; the other times of the queue
# follow from it. Only tests of lost workers have a reason to shorten it.
LEASE_SECONDS = env_int("LEASE_SECONDS", 30, minimum=1)

# Checkpoints that workers fetched from the object store.
MODEL_CACHE_ROOT = Path(env_str("MODEL_CACHE_ROOT", str(BASE_DIR / "model-cache")))
MODEL_CACHE_BYTES = env_int("MODEL_CACHE_GIGABYTES", 100, minimum=1) * 10**9

TIER_OVERRIDES: dict[str, dict[str, Any]] = {}
PLAN_OVERRIDES: dict[str, dict[str, Any]] = {}

LOG_FORMAT = env_choice(
    "LOG_FORMAT", ["json", "text"], "json" if PRODUCTION else "text"
)
LOG_LEVEL = env_choice("LOG_LEVEL", ["DEBUG", "INFO", "WARNING", "ERROR"], "INFO")
LOGGING = logging_config(LOG_FORMAT, LOG_LEVEL)
