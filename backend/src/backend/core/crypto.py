"""Keys derived from SECRET_KEY, one a purpose, and what is done with them."""

import base64
import hashlib
import secrets

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backend.settings import settings

__all__ = ["derive_key", "hash_token", "new_token", "open_sealed", "seal"]

TOKEN_BYTES = 32


def derive_key(purpose: str) -> bytes:
    """32 bytes for one purpose (HKDF, RFC 5869): a key used for one thing opens nothing else."""
    secret = settings.secret_key.get_secret_value().encode()
    return HKDF(SHA256(), length=32, salt=None, info=f"backend:{purpose}".encode()).derive(secret)


def new_token() -> str:
    """A secret for a link: 256 random bits, safe in a URL (ASVS 5.0 6.5.1 asks for 128)."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_token(token: str) -> str:
    """What is stored of a token. It has entropy enough, so a plain SHA-256 cannot be reversed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def seal(purpose: str, data: bytes) -> bytes:
    """Encrypts and authenticates, for what must lie in the database and be read again."""
    return _fernet(purpose).encrypt(data)


def open_sealed(purpose: str, sealed: bytes) -> bytes:
    """Reverses `seal`; ValueError where it was sealed with another secret, or altered."""
    try:
        return _fernet(purpose).decrypt(sealed)
    except InvalidToken:
        raise ValueError(f"this {purpose} was sealed with another SECRET_KEY, or altered") from None


def _fernet(purpose: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derive_key(purpose)))
