"""The ASGI door. Invoke and static files answer before Django's middleware, which is synchronous."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.asgi import get_asgi_application

application = get_asgi_application()
