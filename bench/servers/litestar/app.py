import os
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from advanced_alchemy.base import UUIDv7AuditBase
from advanced_alchemy.extensions.litestar import (
    AsyncSessionConfig,
    EngineConfig,
    SQLAlchemyAsyncConfig,
    SQLAlchemyPlugin,
    filters,
    providers,
    repository,
    service,
)
from advanced_alchemy.types import PasswordHash
from advanced_alchemy.types.password_hash.base import HashedPassword
from advanced_alchemy.types.password_hash.pwdlib import PwdlibHasher
from litestar import Controller, Litestar, Request, get, post
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import NotAuthorizedException
from litestar.params import Dependency
from litestar.security.jwt import JWTAuth, Token
from msgspec import Meta, Struct
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import ForeignKey, Index, String, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

hasher = PwdlibHasher(Argon2Hasher())


class User(UUIDv7AuditBase):
    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str | None] = mapped_column(String(100))
    password: Mapped[HashedPassword] = mapped_column(PasswordHash(backend=hasher, length=255))
    is_active: Mapped[bool] = mapped_column(default=True)


class Item(UUIDv7AuditBase):
    __tablename__ = "items"
    __table_args__ = (Index("ix_items_owner", "owner_id", "created_at"),)

    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(120))
    body: Mapped[str | None] = mapped_column(String(2000))
    status: Mapped[str] = mapped_column(String(16), default="draft")
    due_on: Mapped[date | None]


class Credentials(Struct):
    email: str
    password: str


class SignedIn(Struct):
    access_token: str


class UserRead(Struct):
    id: UUID
    email: str
    name: str | None
    is_active: bool
    created_at: datetime


class ItemCreate(Struct):
    title: Annotated[str, Meta(min_length=1, max_length=120)]
    body: Annotated[str, Meta(max_length=2000)] | None = None
    status: Literal["draft", "live"] = "draft"
    due_on: date | None = None


class ItemRead(Struct):
    id: UUID
    title: str
    body: str | None
    status: str
    due_on: date | None
    created_at: datetime
    updated_at: datetime


class ItemService(service.SQLAlchemyAsyncRepositoryService[Item]):
    class Repo(repository.SQLAlchemyAsyncRepository[Item]):
        model_type = Item

    repository_type = Repo


alchemy = SQLAlchemyAsyncConfig(
    connection_string=os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"),
    session_config=AsyncSessionConfig(expire_on_commit=False),
    engine_config=EngineConfig(pool_size=10, max_overflow=0),
    before_send_handler="autocommit",
)


async def retrieve_user(token: Token, connection: ASGIConnection) -> User | None:
    session = alchemy.provide_session(connection.app.state, connection.scope)
    user = await session.get(User, UUID(token.sub))
    return user if user is not None and user.is_active else None


jwt_auth = JWTAuth[User](
    retrieve_user_handler=retrieve_user,
    token_secret=os.environ["SECRET"],
    default_token_expiration=timedelta(hours=12),
    exclude=["/login", "/schema"],
)


@post("/login", status_code=200)
async def login(data: Credentials, db_session: NamedDependency[AsyncSession]) -> SignedIn:
    user = await db_session.scalar(select(User).where(User.email == data.email))
    if user is None or not user.password.verify(data.password):
        raise NotAuthorizedException
    return SignedIn(jwt_auth.create_token(str(user.id)))


@get("/me")
async def me(request: Request[User, Token, object]) -> UserRead:
    user = request.user
    return UserRead(user.id, user.email, user.name, user.is_active, user.created_at)


class ItemController(Controller):
    path = "/items"
    dependencies = providers.create_service_dependencies(
        ItemService,
        "item_service",
        filters={
            "pagination_type": "limit_offset",
            "pagination_size": 20,
            "sort_field": "created_at",
            "sort_order": "desc",
        },
    )

    @post()
    async def create_item(
        self,
        request: Request[User, Token, object],
        item_service: NamedDependency[ItemService],
        data: ItemCreate,
    ) -> ItemRead:
        item = await item_service.create(
            {
                "owner_id": request.user.id,
                "title": data.title,
                "body": data.body,
                "status": data.status,
                "due_on": data.due_on,
            }
        )
        return item_service.to_schema(item, schema_type=ItemRead)

    @get()
    async def list_items(
        self,
        request: Request[User, Token, object],
        item_service: NamedDependency[ItemService],
        filters: Annotated[list[filters.FilterTypes], Dependency(skip_validation=True)],
    ) -> service.OffsetPagination[ItemRead]:
        found, total = await item_service.get_many_and_count(
            *filters, Item.owner_id == request.user.id
        )
        return item_service.to_schema(found, total, filters=filters, schema_type=ItemRead)


app = Litestar(
    route_handlers=[login, me, ItemController],
    on_app_init=[jwt_auth.on_app_init],
    plugins=[SQLAlchemyPlugin(config=alchemy)],
)
