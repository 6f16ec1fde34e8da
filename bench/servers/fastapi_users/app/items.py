from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Item, User, get_async_session
from app.schemas import ItemCreate, ItemRead
from app.users import current_active_user

router = APIRouter(prefix="/items", tags=["items"])


@router.post("", response_model=ItemRead, status_code=201)
async def create_item(
    data: ItemCreate,
    user: User = Depends(current_active_user),
    session: AsyncSession = Depends(get_async_session),
):
    item = Item(**data.model_dump(), owner_id=user.id)
    session.add(item)
    await session.commit()
    await session.refresh(item)
    return item


@router.get("", response_model=list[ItemRead])
async def read_items(
    offset: int = 0,
    limit: Annotated[int, Query(le=100)] = 20,
    user: User = Depends(current_active_user),
    session: AsyncSession = Depends(get_async_session),
):
    statement = (
        select(Item)
        .where(Item.owner_id == user.id)
        .order_by(Item.created_at.desc(), Item.id.desc())
        .offset(offset)
        .limit(limit)
    )
    return (await session.scalars(statement)).all()
