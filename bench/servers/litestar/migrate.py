import asyncio

from app import User, alchemy


async def create_all() -> None:
    engine = alchemy.get_engine()
    async with engine.begin() as connection:
        await connection.run_sync(User.metadata.create_all)
    await engine.dispose()


asyncio.run(create_all())
