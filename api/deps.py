"""What routes are given: the world, the present moment, and the caller in the role that the route asks for."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api import auth, clock
from api.actions import World
from api.auth import Caller
from engine.errors import Refused

_bearer = HTTPBearer(auto_error=False, description="A token from `iftah token issue`")


def world(request: Request) -> World:
    """The world that the app was made with."""
    found: World = request.app.state.world
    return found


def stuck(request: Request) -> str | None:
    """Why the app does not refresh rows, if something is wrong."""
    found: str | None = request.app.state.stuck
    return found


def present() -> datetime:
    """Now."""
    return clock.now()


def caller_as(*roles: str) -> Callable[..., Caller]:
    """A dependency: the caller, in one of these roles. Refuses `no_token`, `bad_token`, `wrong_role`."""

    def found(
        world: Annotated[World, Depends(world)],
        now: Annotated[datetime, Depends(present)],
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Caller:
        if given is None:
            hint = "send `Authorization: Bearer TOKEN`"
            raise Refused("a token is needed", where="Authorization", hint=hint, code="no_token")
        known = auth.caller(world.database, given.credentials, now)
        if known.role not in roles:
            message = f"a token of the role {known.role} may not do this"
            raise Refused(message, where="Authorization", hint=f"use one of {', '.join(roles)}", code="wrong_role")
        return known

    return found


InWorld = Annotated[World, Depends(world)]
Stuck = Annotated[str | None, Depends(stuck)]
Now = Annotated[datetime, Depends(present)]
Merchant = Annotated[Caller, Depends(caller_as("merchant"))]
Contributor = Annotated[Caller, Depends(caller_as("contributor"))]
