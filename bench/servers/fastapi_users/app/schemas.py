from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from fastapi_users import schemas
from pydantic import BaseModel, ConfigDict, Field


class UserRead(schemas.BaseUser[UUID]):
    name: str | None
    created_at: datetime


class UserCreate(schemas.BaseUserCreate):
    name: str | None = None


class UserUpdate(schemas.BaseUserUpdate):
    name: str | None = None


class Status(StrEnum):
    draft = "draft"
    live = "live"


class ItemCreate(BaseModel):
    title: str = Field(min_length=1, max_length=120)
    body: str | None = Field(None, max_length=2000)
    status: Status = Status.draft
    due_on: date | None = None


class ItemRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    title: str
    body: str | None
    status: Status
    due_on: date | None
    created_at: datetime
    updated_at: datetime
