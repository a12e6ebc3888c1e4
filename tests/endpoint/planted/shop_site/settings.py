"""Settings of the shop. SQLite, or PostgreSQL where ``PLANTED_PG_HOST`` is set; modules beside this one vary it."""

import os
import sys
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
# Where an app that was installed lives, and not one of the project's own.
sys.path.append(str(BASE_DIR / "site-packages"))

SECRET_KEY = os.environ.get("PLANTED_SECRET_KEY", "of a shop that sells nothing")
DEBUG = False
ALLOWED_HOSTS = ["shop.example", "127.0.0.1", "localhost"]
ROOT_URLCONF = "shop_site.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "rest_framework",
    "people",
    "catalogue",
    "sales",
    "desk",
    "wiki",
    "traffic",
    "feedback",
]

MIDDLEWARE = [
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "shop_site.middleware.PrivateBackOffice",
    "people.middleware.Watchlist",
    "people.fixed.Watchlist",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "people.context_processors.team_menu",
                "people.fixed.team_menu",
            ]
        },
    }
]

if "PLANTED_PG_HOST" in os.environ:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["PLANTED_PG_HOST"],
            "PORT": os.environ.get("PLANTED_PG_PORT", "5432"),
            "USER": os.environ.get("PLANTED_PG_USER", "postgres"),
            "PASSWORD": os.environ.get("PLANTED_PG_PASSWORD", ""),
            "NAME": os.environ.get("PLANTED_PG_NAME", "shop"),
            "CONN_MAX_AGE": int(os.environ.get("PLANTED_CONN_MAX_AGE", "600")),
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ.get("PLANTED_SQLITE", BASE_DIR / "db.sqlite3"),
            "CONN_MAX_AGE": 600,
        }
    }

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
}

# The warehouse's service; the shop works without it, but says so on the pages that ask it.
UPSTREAM = os.environ.get("PLANTED_UPSTREAM", "")
