"""`backend worker`: delivers mail without serving."""

import asyncio
import signal

import structlog

from backend import db
from backend.cli.preflight import log_warnings, prepare_schema, refuse_unsafe_settings
from backend.core.logging import configure_logging
from backend.services.email.delivery import DeliveryWorker
from backend.services.email.transports import make_transport
from backend.settings import settings

__all__ = ["run_worker"]

# As long as the server's requests have: within the 30 seconds that a service manager waits.
STOP_SECONDS = 20


def run_worker() -> None:
    refuse_unsafe_settings()
    prepare_schema()
    configure_logging(settings)
    log_warnings()
    db.import_models()
    asyncio.run(_work())


async def _work() -> None:
    """Until SIGTERM or SIGINT, and then between two mails; a mail that takes too long is given up
    and sent again when its lease ends."""
    log = structlog.get_logger("backend.worker")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _signal, _frame: loop.call_soon_threadsafe(stop.set))
    worker = DeliveryWorker(db.async_session_maker, make_transport(settings))
    task = asyncio.create_task(worker.run(stop))
    log.info("worker.started", environment=settings.environment)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await task
    except TimeoutError:
        log.warning("worker.mail_interrupted", seconds=STOP_SECONDS)
    await db.engine.dispose()
    log.info("worker.stopped")
