"""The project's hash at its own parameters."""

from pwdlib.hashers.argon2 import Argon2Hasher
from timing import main

from backend.settings import settings

hasher = Argon2Hasher(
    time_cost=settings.argon2_time_cost, memory_cost=settings.argon2_memory_kib, parallelism=1
)
main(hasher.hash, hasher.verify)
