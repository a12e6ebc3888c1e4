"""The shop without compression."""

from shop_site.settings import *  # noqa: F403
from shop_site.settings import MIDDLEWARE as AS_EVER

MIDDLEWARE = [name for name in AS_EVER if "gzip" not in name]  # access: no_compression_export
