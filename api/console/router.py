"""All pages."""

from typing import Final

from api.console import sign_in

ROUTERS: Final = (sign_in.router,)
