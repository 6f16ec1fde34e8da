"""Hashing off the event loop, and what is not accepted as a password."""

import asyncio
import os
import re
import runpy
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import distribution

import argon2
import structlog
from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from backend.services.users.schemas import PASSWORD_MAX_LENGTH, PASSWORD_MIN_LENGTH
from backend.settings import settings

__all__ = ["hash_password", "verify_password", "weakness_of"]

log = structlog.get_logger("backend.auth")

# What an imported hash may cost at most: beyond it, checking one password would stall the server.
MAX_MEMORY_KIB = 262_144
MAX_TIME_COST = 16
MAX_PARALLELISM = 8
MAX_BCRYPT_ROUNDS = 15
BCRYPT_MAX_BYTES = 72

_argon2 = Argon2Hasher(
    time_cost=settings.argon2_time_cost, memory_cost=settings.argon2_memory_kib, parallelism=1
)
_hasher = PasswordHash((_argon2, BcryptHasher()))


def _lower_priority() -> None:
    """Hashing yields to the event loop: requests stay quick while many people sign in."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@cache
def _executor() -> ThreadPoolExecutor:
    """As many threads as cores: more would not be faster, and each holds its memory cost."""
    return ThreadPoolExecutor(_cores(), "password-hash", initializer=_lower_priority)


async def hash_password(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(_executor(), _hasher.hash, password)


async def verify_password(password: str, hashed: str | None) -> tuple[bool, str | None]:
    """Whether it is the password, and a new hash where the stored one is weaker than ours.

    Without a hash it takes the time of one and says no, so that an account that does not exist
    answers like one that does (behaviour E1).
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_executor(), _verify, password, hashed)


def _verify(password: str, hashed: str | None) -> tuple[bool, str | None]:
    secret = password.encode("utf-8", "surrogatepass")
    if hashed is None or not _is_affordable(hashed):
        _hasher.verify(secret, _decoy())
        return False, None
    if hashed.startswith("$2"):
        # bcrypt never looked further, and its library now refuses to be given more.
        secret = secret[:BCRYPT_MAX_BYTES]
    try:
        if not _hasher.verify(secret, hashed):
            return False, None
    except (UnknownHashError, ValueError):
        return False, None
    outdated = hashed.startswith("$2") or _argon2.check_needs_rehash(hashed)
    return True, _hasher.hash(password) if outdated else None


@cache
def _decoy() -> str:
    return _hasher.hash("the password of nobody")


def _is_affordable(hashed: str) -> bool:
    if hashed.startswith("$2"):
        found = re.match(r"\$2[abxy]\$(\d\d)\$", hashed)
        affordable = bool(found) and int(found[1]) <= MAX_BCRYPT_ROUNDS if found else False
    else:
        try:
            cost = argon2.extract_parameters(hashed)
        except argon2.exceptions.InvalidHashError:
            return False
        affordable = (
            cost.memory_cost <= MAX_MEMORY_KIB
            and cost.time_cost <= MAX_TIME_COST
            and cost.parallelism <= MAX_PARALLELISM
        )
    if not affordable:
        log.error("auth.hash_refused", hint="its cost is beyond what imported hashes may have")
    return affordable


@cache
def _common_passwords() -> frozenset[str]:
    """Of zxcvbn's lists, the file alone: with the package come rankings of all of them, 12 MB that
    every worker would keep."""
    file = distribution("zxcvbn").locate_file("zxcvbn/frequency_lists.py")
    words = runpy.run_path(str(file))["FREQUENCY_LISTS"]["passwords"]
    return frozenset(word for word in words if len(word) >= PASSWORD_MIN_LENGTH)


def weakness_of(password: str, *, email: str, name: str | None) -> str | None:
    """Why a password is refused, for the person who chose it; None where it is fine.

    No rules of composition (ASVS 5.0 6.2.5). Own words are the address, its parts, the name and
    the product's name: what is left of the password without them must still be something.
    """
    if len(password) < PASSWORD_MIN_LENGTH:
        return f"Password should have at least {PASSWORD_MIN_LENGTH} characters."
    if len(password) > PASSWORD_MAX_LENGTH:
        return f"Password should have at most {PASSWORD_MAX_LENGTH} characters."
    try:
        password.encode()
    except UnicodeEncodeError:
        return "Password should be valid Unicode text."
    lowered = password.lower()
    if lowered in _common_passwords() or len(set(lowered)) == 1:
        return "Password is one of the most common ones. Choose another."
    rest = lowered
    for word in _own_words(email, name):
        rest = rest.replace(word, "")
    if rest != lowered and len(re.sub(r"[\W\d_]+", "", rest)) < OWN_WORDS_REST:
        return "Password should not be made of your address or name. Choose another."
    return None


OWN_WORDS_REST = 4
_OWN_WORD_LENGTH = 3


def _own_words(email: str, name: str | None) -> list[str]:
    """Longest first, so that the whole address goes before its parts."""
    local, _, domain = email.lower().partition("@")
    texts = [email.lower(), local, domain, (name or "").lower(), settings.product_name.lower()]
    words = {text for text in texts if text}
    for text in texts:
        words.update(re.split(r"[\W_]+", text))
    return sorted((word for word in words if len(word) >= _OWN_WORD_LENGTH), key=len, reverse=True)
