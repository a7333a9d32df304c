"""All pages."""

from typing import Final

from api.console import callers, evidence, monitor, sign_in

ROUTERS: Final = (sign_in.router, monitor.router, evidence.router, callers.router)
