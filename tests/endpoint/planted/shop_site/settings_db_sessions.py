"""The shop with Django's default: sessions in the database, read again on every request."""

from shop_site.settings import *  # noqa: F403

SESSION_ENGINE = "django.contrib.sessions.backends.db"  # fault: uncached_session
