"""Who asks: accounts put into the scratch database, signed in as everybody is."""

import uuid
from dataclasses import dataclass

from backend import db
from backend.check.probes.values import PASSWORD
from backend.services.auth.passwords import hash_password
from backend.services.auth.sessions import SessionService
from backend.services.users.models import User

__all__ = ["People", "Person", "make_people"]


@dataclass(frozen=True)
class Person:
    id: uuid.UUID
    email: str
    word: str
    """What the texts of this person's rows begin with."""
    token: str


@dataclass(frozen=True)
class People:
    first: Person
    """Whose rows they are."""
    second: Person
    """Somebody else, whose rights are the same."""
    superuser: Person
    spare: Person
    """Nobody asks as this one. What happens to the account does no harm."""


async def make_people(*, with_password: bool) -> People:
    """Only the spare account has a password, and only where somebody signs in with it."""
    hashed = await hash_password(PASSWORD) if with_password else "!"
    made = []
    for word in ("amberlot", "basaltic", "ceruleum", "dolomite"):
        user = User(
            email=f"{word}@example.com",
            name=word.title(),
            hashed_password=hashed if word == "dolomite" else "!",
            is_active=True,
            is_verified=True,
            is_superuser=word == "ceruleum",
        )
        async with db.async_session_maker() as session:
            session.add(user)
            await session.flush()
            token = await SessionService.begin(session, user, user_agent="backend check")
        made.append(Person(user.id, user.email, word, token or ""))
    return People(*made)
