"""What routes are given: the world, the present moment, and the caller in the role that the route asks for.

What waits for nothing is `async`: FastAPI sends everything else to a thread, which takes longer than the thing itself.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api import clock
from api.access.auth import Caller
from api.access.gate import Gate
from api.decisions.decider import Decider
from api.watched import CALLER
from api.world import World
from engine.errors import Refused

_bearer = HTTPBearer(auto_error=False, description="A token from `iftah token issue`")


async def world(request: Request) -> World:
    """The world that the app was made with."""
    found: World = request.app.state.world
    return found


async def decider(request: Request) -> Decider:
    """What answers questions."""
    found: Decider = request.app.state.decider
    return found


async def stuck(request: Request) -> str | None:
    """Why the app does not refresh rows, if something is wrong."""
    found: str | None = request.app.state.stuck
    return found


async def present() -> datetime:
    """Now."""
    return clock.now()


def caller_as(*roles: str) -> Callable[..., Awaitable[Caller]]:
    """A dependency: the caller, in one of these roles, with a token for this group of routes.

    Refuses `no_token`, `bad_token`, `too_many_requests`, `wrong_role`, `wrong_scope`, `issuer_away`.
    """

    async def found(
        request: Request,
        world: Annotated[World, Depends(world)],
        now: Annotated[datetime, Depends(present)],
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Caller:
        if given is None:
            hint = "send `Authorization: Bearer TOKEN`"
            raise Refused("a token is needed", where="Authorization", hint=hint, code="no_token")
        gate: Gate = request.app.state.gate
        address = request.client.host if request.client else ""
        known = await gate.admit(world.database, given.credentials, now, address)
        request.scope[CALLER] = known  # for the log
        if known.role not in roles:
            message = f"a token of the role {known.role} may not do this"
            raise Refused(message, where="Authorization", hint=f"use one of {', '.join(roles)}", code="wrong_role")
        if known.scopes is not None and (group := _group(request)) not in known.scopes:
            hint = f"use one with the scope {group}, or without scopes"
            raise Refused("the token is not for this", where="Authorization", hint=hint, code="wrong_scope")
        return known

    return found


def _group(request: Request) -> str:
    """The group of routes that was asked: what comes after /v1 in the route's own address."""
    address: str = request.scope["route"].path
    return address.split("/")[2]


InWorld = Annotated[World, Depends(world)]
Answers = Annotated[Decider, Depends(decider)]
Stuck = Annotated[str | None, Depends(stuck)]
Now = Annotated[datetime, Depends(present)]
Merchant = Annotated[Caller, Depends(caller_as("merchant"))]
Contributor = Annotated[Caller, Depends(caller_as("contributor"))]
Subject = Annotated[Caller, Depends(caller_as("subject"))]
Supervisor = Annotated[Caller, Depends(caller_as("supervisor"))]
Operator = Annotated[Caller, Depends(caller_as("operator"))]
