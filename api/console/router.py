"""All pages."""

from typing import Final

from api.console import decisions, features, people, sign_in, supervision

ROUTERS: Final = (sign_in.router, people.router, decisions.router, features.router, supervision.router)
