"""The FastAPI app: middleware, and one include_router line a service."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from sqlalchemy.orm import configure_mappers
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from backend import db
from backend.core import docs, health
from backend.core.logging import configure_logging
from backend.core.middleware import RequestMiddleware
from backend.core.openapi import install_openapi, operation_id
from backend.core.pages import install_page_errors
from backend.core.problems import install_problem_handlers
from backend.core.routing import install_routing
from backend.services.auth.pages import router as account_pages_router
from backend.services.auth.routes import router as auth_router
from backend.services.email.delivery import DeliveryWorker
from backend.services.email.mailbox import router as mailbox_router
from backend.services.email.transports import make_transport
from backend.services.users.routes import router as users_router
from backend.settings import settings

configure_logging(settings)
db.import_models()


MAIL_FINISHES_SECONDS = 5
DATABASE_CLOSES_SECONDS = 2


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Delivers mail beside the requests, unless `backend worker` does; stops it between mails.

    A mail server that does not answer holds up the end for a bounded time: that mail is sent again
    when its lease ends.
    """
    configure_mappers()  # which the first query would wait for
    # What is loaded stays. Looking through it for garbage would hold up every request for 60 ms.
    gc.freeze()
    gc.enable()
    stop = asyncio.Event()
    worker = DeliveryWorker(db.async_session_maker, make_transport(settings))
    task = asyncio.create_task(worker.run(stop)) if settings.deliver_mail else None
    yield
    stop.set()
    with suppress(TimeoutError):
        async with asyncio.timeout(MAIL_FINISHES_SECONDS):
            if task:
                await task
    with suppress(TimeoutError):
        async with asyncio.timeout(DATABASE_CLOSES_SECONDS):
            await db.engine.dispose()


app = FastAPI(
    title=settings.product_name,
    version="0.1.0",
    lifespan=lifespan,
    openapi_url=None,  # install_openapi has its own
    docs_url=None,
    redoc_url=None,
    generate_unique_id_function=operation_id,
    telemetry={"tracing": False, "metrics": False, "logs": False},
)
install_problem_handlers(app)
install_page_errors(app)
install_openapi(app)
install_routing(app)
if settings.cors_origins:
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["X-Request-ID", "Retry-After"],
        allow_credentials=True,
    )
app.add_middleware(
    RequestMiddleware,
    https=settings.public_url.startswith("https://"),
    max_body_bytes=settings.max_body_bytes,
)
if settings.trusted_proxies:
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.trusted_proxies)

docs.install_home(app)
app.include_router(docs.router)
app.include_router(health.router)
app.include_router(account_pages_router)
app.include_router(mailbox_router)
app.include_router(auth_router, prefix="/api")
app.include_router(users_router, prefix="/api")
