"""Settings. Everything that differs between installations comes from `HUNDREDFOLD_…` variables (see .env.example)."""

from ipaddress import ip_network
from pathlib import Path
from urllib.parse import unquote, urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from apps.core.jobs import Queue
from apps.engine.runtime import DEVICE_NAME
from config import env
from config.secret_key import load_or_create_secret_key

ROOT_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("DATA_DIR", str(ROOT_DIR / "var"))).expanduser().resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = load_or_create_secret_key(env.text("SECRET_KEY"), DATA_DIR / "secret_key")

BASE_URL = env.text("BASE_URL").rstrip("/")
IS_HTTPS = BASE_URL.startswith("https://")
ARE_HOSTS_GIVEN = bool(env.words("ALLOWED_HOSTS") or BASE_URL)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS") or [
    host for host in ("localhost", "127.0.0.1", "[::1]", urlsplit(BASE_URL).hostname) if host
]
CSRF_TRUSTED_ORIGINS = [BASE_URL] if BASE_URL else []
# From whom a forwarded address is believed, where BASE_URL is https.
PROXIES = env.words("PROXIES") or ["127.0.0.1", "::1"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
    "csp",
    "allauth",
    "allauth.account",
    "rest_framework",
    "drf_spectacular",
    "django_dramatiq",
    "apps.core",
    "apps.events",
    "apps.accounts",
    "apps.workspaces",
    "apps.functions",
    "apps.samples",
    "apps.training",
    "apps.labeling",
    "apps.review",
    "apps.invoke",
    "apps.api",
    "apps.ops",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "apps.core.middleware.CountRequests",
    "apps.core.middleware.RequestIdMiddleware",
    "apps.core.middleware.KnownWriting",
    "apps.api.paths.ApiPaths",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.core.middleware.ServiceErrorMiddleware",
    "apps.invoke.search_places.SearchPlaces",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.workspaces.context.workspace",
            ],
            "builtins": ["django_htmx.templatetags.django_htmx"],
        },
    }
]


def _database(url: str) -> dict[str, object]:
    """SQLite in the data directory, or PostgreSQL from a `postgresql://` address."""
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / "db.sqlite3",
            # A file, not memory: threads of one test share it as processes share the real one.
            "TEST": {"NAME": str(DATA_DIR / "test.sqlite3")},
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": (
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32000; "
                    "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=268435456;"
                ),
            },
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("HUNDREDFOLD_DATABASE_URL must start with postgresql://.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        # A database that is away is said after seconds; the default is to wait for half a minute.
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 20, "timeout": 5}},
    }


DATABASES = {"default": _database(env.text("DATABASE_URL"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# An operator's own Redis comes from the environment; `up` starts a private one and writes its address here.
# Without either this is one process alone, `memory://`: nothing is sent anywhere. What may answer at Redis's usual
# port belongs to somebody else.
REDIS_URL_FILE = DATA_DIR / "redis_url"
IS_REDIS_GIVEN = bool(env.text("REDIS_URL"))
REDIS_URL = env.text("REDIS_URL") or (
    REDIS_URL_FILE.read_text(encoding="utf-8").strip() if REDIS_URL_FILE.exists() else "memory://"
)
IS_ALONE = REDIS_URL == "memory://"

# What a worker started here takes; the rest is left to workers elsewhere.
_TAKEN = env.words("WORKER_QUEUES") or list(Queue)
if _UNKNOWN := set(_TAKEN) - set(Queue):
    raise ImproperlyConfigured(
        f"HUNDREDFOLD_WORKER_QUEUES names some of {', '.join(Queue)}, not {', '.join(sorted(_UNKNOWN))}."
    )
WORKER_QUEUES = [queue for queue in Queue if queue in _TAKEN]

DRAMATIQ_BROKER = {
    "BROKER": "config.broker.LoneBroker" if IS_ALONE else "config.broker.HundredfoldRedisBroker",
    "OPTIONS": {} if IS_ALONE else {"url": REDIS_URL},
    "MIDDLEWARE": [
        "dramatiq.middleware.TimeLimit",
        "dramatiq.middleware.ShutdownNotifications",
        "dramatiq.middleware.Callbacks",
        "config.broker.Completions",
        "dramatiq.middleware.Retries",
        "django_dramatiq.middleware.DbConnectionsMiddleware",
    ],
}
DRAMATIQ_AUTODISCOVER_MODULES = ["actors"]

_CACHE_BACKEND = "locmem.LocMemCache" if IS_ALONE else "redis.RedisCache"
CACHES = {
    "default": {"BACKEND": f"django.core.cache.backends.{_CACHE_BACKEND}", "LOCATION": REDIS_URL},
}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "apps.workspaces.sign_in.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = {"login": "60/m/ip", "login_failed": "10/m/ip,5/5m/key"}
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

SESSION_COOKIE_NAME = "hundredfold_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [ROOT_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
MEDIA_ROOT = DATA_DIR / "media"
ARTIFACTS_DIR = DATA_DIR / "models"
# What `manage.py backbones pull` brought; each machine has its own.
BACKBONES_DIR = DATA_DIR / "backbones"
# Machines share the data directory, or have one each and files travel through the database.
FILES = env.text("FILES", "folder")
if FILES not in {"folder", "database"}:
    raise ImproperlyConfigured("HUNDREDFOLD_FILES must be folder or database.")
if FILES == "database" and not env.text("SECRET_KEY"):
    raise ImproperlyConfigured(
        "HUNDREDFOLD_FILES=database is for several machines: give each of them the same HUNDREDFOLD_SECRET_KEY."
    )

STORAGES: dict[str, dict[str, object]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
if FILES == "database":
    STORAGES |= {
        alias: {"BACKEND": "apps.core.database_storage.DatabaseStorage", "OPTIONS": {"root": root}}
        for alias, root in (("default", "media"), ("artifacts", "models"))
    }
FILE_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
FILE_UPLOAD_PERMISSIONS = 0o600
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 100

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.api.parsers.JsonParser"],
    "UNAUTHENTICATED_USER": None,
    "EXCEPTION_HANDLER": "apps.api.errors.handle",
    "DEFAULT_SCHEMA_CLASS": "apps.api.description.schema.Description",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Hundredfold",
    "DESCRIPTION": "Given this input, I want this output: bring samples, label them, call what was learned from them.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SORT_OPERATIONS": False,
    "SORT_OPERATION_PARAMETERS": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.api.description.schema.show_lists_as_they_are",
        "apps.api.description.schema.say_what_ids_are",
        "apps.api.description.schema.put_in_order",
        "apps.api.description.schema.add_messages",
    ],
    "TAGS": [
        {"name": "Calling", "description": "An input goes in, an answer comes out."},
        {"name": "Functions", "description": "What is asked of each input."},
        {"name": "Labels", "description": "The answers there are."},
        {"name": "Fields", "description": "The columns of a table function."},
        {"name": "Samples", "description": "Inputs that the function learns from, or is to answer."},
        {"name": "Annotations", "description": "What people say is right."},
        {"name": "Search", "description": "The samples most like an input."},
        {"name": "Models", "description": "What has been learned, which of it answers, and how right it is."},
        {"name": "Capture and feedback", "description": "From production back to the people who label."},
        {"name": "Monitoring", "description": "What was asked and answered, how fast, and whether it still fits."},
        {"name": "Exports", "description": "Everything that went in, out again."},
        {"name": "Webhooks", "description": "Being told what happens."},
        {"name": "Workspace", "description": "Signing in, projects and the audit log."},
        {"name": "Version 0.9", "description": "What older clients of tags and projects call."},
    ],
}

# Caps, in the units of their names.
UPLOAD_MAX_BYTES = env.integer("UPLOAD_MAX_MB", 512) * 1024 * 1024
IMAGE_MAX_BYTES = env.integer("IMAGE_MAX_MB", 20) * 1024 * 1024
IMAGE_MAX_PIXELS = env.integer("IMAGE_MAX_MEGAPIXELS", 64) * 1_000_000
INVOKE_MAX_BYTES = env.integer("INVOKE_MAX_MB", 16) * 1024 * 1024
API_MAX_BYTES = env.integer("API_MAX_MB", 64) * 1024 * 1024

# Requests a second that one process takes from a key and from an address; 0 is no limit.
KEY_RATE = env.integer("KEY_RATE", 1000)
ADDRESS_RATE = env.integer("ADDRESS_RATE", 2000)
# What each workspace may have unless it was given a quota of its own; 0 is no limit.
QUOTAS = {
    "calls_per_day": env.integer("CALLS_PER_DAY", 0),
    "max_samples": env.integer("MAX_SAMPLES", 0),
    "max_functions": env.integer("MAX_FUNCTIONS", 0),
}

# Figures for a scraper: with a token at /metrics, or without one on a port that only this machine reaches.
METRICS_TOKEN = env.text("METRICS_TOKEN", "")
METRICS_PORT = env.integer("METRICS_PORT", 0)
METRICS_HOST = env.text("METRICS_HOST", "127.0.0.1")

# How long the row of each call is kept; what was counted of them stays.
CALLS_KEPT_DAYS = env.integer("CALLS_KEPT_DAYS", 35)

# A function of the operator's own, str to str, that texts of captured calls go through before anything is stored.
REDACT = env.text("REDACT", "")

# Hosts and networks that people may have this server reach although the public internet does not know them.
OUTBOUND_ALLOW = env.words("OUTBOUND_ALLOW")
for _word in OUTBOUND_ALLOW:
    if "/" in _word:
        try:
            ip_network(_word, strict=False)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"HUNDREDFOLD_OUTBOUND_ALLOW names hosts and networks such as 10.0.0.0/8, not {_word!r}."
            ) from error

# Whether the top of a backbone may learn from a function's samples in the background, and how much memory a process
# gives to what was learned.
ADAPT = env.text("ADAPT", "on")
if ADAPT not in {"on", "off"}:
    raise ImproperlyConfigured("HUNDREDFOLD_ADAPT must be on or off.")
TOWER_CACHE_BYTES = env.integer("TOWER_CACHE_MB", 512) * 1024 * 1024

# Memory of a process for published models, read from disk again when they are called after others took their place;
# and for what backbones made of inputs that calls brought, so that the same input is not read twice.
HEAD_CACHE_BYTES = env.integer("HEAD_CACHE_MB", 256) * 1024 * 1024
EMBEDDING_CACHE_BYTES = env.integer("EMBEDDING_CACHE_MB", 64) * 1024 * 1024

# `tiny` swaps the backbones for weightless ones of a few dimensions: tests of everything around them use it.
BACKBONES = env.text("BACKBONES", "default")
if BACKBONES not in {"default", "tiny"}:
    raise ImproperlyConfigured("HUNDREDFOLD_BACKBONES must be default or tiny.")

# Backbones and large heads run here; engine.runtime has the words. Whether it is there is found out when it is used.
DEVICE = env.text("DEVICE", "auto")
if not DEVICE_NAME.fullmatch(DEVICE):
    raise ImproperlyConfigured(f"HUNDREDFOLD_DEVICE must be auto, cpu, cuda or cuda:N, not {DEVICE!r}.")

LOG_LEVEL = env.text("LOG_LEVEL", "INFO").upper()
LOGGING_CONFIG = "config.logging.configure"
LOGGING = {"level": LOG_LEVEL}
