"""Dependencies of routes: the context, the present moment, and the caller in a role that the route accepts.

A dependency that never blocks is `async`: FastAPI sends any other to a thread, and the switch takes longer than the work.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.access.auth import Caller
from api.console.calls import PAGE_CALLER
from api.http.decider import Decider
from api.http.gate import Gate
from api.http.lanes import TOKENS
from api.http.request_log import CALLER
from api.runtime.context import AppContext
from api.store import clock
from engine.errors import Rejected

_bearer = HTTPBearer(auto_error=False, description="A token from `iftah token issue`")


async def get_context(request: Request) -> AppContext:
    """The context in force."""
    context: AppContext = request.app.state.context
    return context


async def get_decider(request: Request) -> Decider:
    """The decider, which answers questions."""
    decider: Decider = request.app.state.decider
    return decider


async def get_refresh_problem(request: Request) -> str | None:
    """The problem that keeps the app from refreshing rows, or None."""
    problem: str | None = request.app.state.refresh_problem
    return problem


async def get_now() -> datetime:
    """Now."""
    return clock.now()


def caller_as(*roles: str) -> Callable[..., Awaitable[Caller]]:
    """A dependency that returns the caller, who needs one of these roles and a token for this group of routes.

    Raises Rejected: `no_token`, `bad_token`, `too_many_requests`, `wrong_role`, `wrong_scope`, `issuer_unavailable`.
    """

    async def authenticate(
        request: Request,
        context: Annotated[AppContext, Depends(get_context)],
        now: Annotated[datetime, Depends(get_now)],
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Caller:
        caller = await _caller(request, context, now, credentials)
        request.scope[CALLER] = caller  # for the log
        require_access(caller, roles, _group(request))
        return caller

    return authenticate


def require_access(caller: Caller, roles: Sequence[str], group: str) -> None:
    """Raise Rejected `wrong_role` or `wrong_scope` unless the caller may use the routes of this group in one of these roles."""
    if caller.role not in roles:
        message = f"a token of the role {caller.role} may not do this"
        raise Rejected(message, where="Authorization", hint=f"use one of {', '.join(roles)}", code="wrong_role")
    if caller.scopes is not None and group not in caller.scopes:
        hint = f"use one with the scope {group}, or without scopes"
        raise Rejected("the token is not for this", where="Authorization", hint=hint, code="wrong_scope")


async def _caller(
    request: Request, context: AppContext, now: datetime, credentials: HTTPAuthorizationCredentials | None
) -> Caller:
    """The person at whose browser a page calls us, or else the holder of the token."""
    gate: Gate = request.app.state.gate
    if (person := request.scope.get(PAGE_CALLER)) is not None:
        await TOKENS.run(gate.count, context.database, person)
        return cast(Caller, person)
    if credentials is None:
        hint = "send `Authorization: Bearer TOKEN`"
        raise Rejected("a token is needed", where="Authorization", hint=hint, code="no_token")
    address = request.client.host if request.client else ""
    return await gate.admit(context.database, credentials.credentials, now, address)


def _group(request: Request) -> str:
    """The group of routes of the request: the part after /v1 in the route's own path."""
    address: str = request.scope["route"].path
    return address.split("/")[2]


ContextDep = Annotated[AppContext, Depends(get_context)]
DeciderDep = Annotated[Decider, Depends(get_decider)]
RefreshProblemDep = Annotated[str | None, Depends(get_refresh_problem)]
Now = Annotated[datetime, Depends(get_now)]
Merchant = Annotated[Caller, Depends(caller_as("merchant"))]
Contributor = Annotated[Caller, Depends(caller_as("contributor"))]
Subject = Annotated[Caller, Depends(caller_as("subject"))]
Supervisor = Annotated[Caller, Depends(caller_as("supervisor"))]
Operator = Annotated[Caller, Depends(caller_as("operator"))]
Auditor = Annotated[Caller, Depends(caller_as("supervisor", "operator"))]
Reviewer = Annotated[Caller, Depends(caller_as("operator", "approver"))]
