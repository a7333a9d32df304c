"""Whether the server can answer, for whatever watches it."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from api import actions
from api.deps import InWorld
from api.problems import documented

router = APIRouter(prefix="/v1", tags=["operation"])


class Health(BaseModel):
    """Ready: a release and features are there. Otherwise the answer is 503."""

    status: Literal["ready"]
    release: str
    people: int
    as_of: datetime
    computed_at: datetime


@router.get("/health", responses=documented("not_ready"))
def health(world: InWorld) -> Health:
    """Whether eligibility can be answered, and from what."""
    made = actions.ready(world)
    return Health(
        status="ready", release=world.release.id, people=made.people, as_of=made.as_of, computed_at=made.computed_at
    )
