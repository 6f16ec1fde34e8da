"""What services raise: errors of the domain, which know nothing of HTTP.

`core.problems` turns each into an RFC 9457 answer with the class's status and code.
"""

from typing import ClassVar

__all__ = [
    "ConflictError",
    "DomainError",
    "ForbiddenError",
    "InvalidInputError",
    "LostWriteError",
    "NotFoundError",
    "UnavailableError",
]


class DomainError(Exception):
    """A refusal that the client may read. Subclass it for a code of your own."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidInputError(DomainError):
    """Well-formed, but not a value that this can take."""

    status = 422
    code = "invalid_input"


class NotFoundError(DomainError):
    """It does not exist, or not for this caller: the two answers must not differ."""

    status = 404
    code = "not_found"


class ConflictError(DomainError):
    status = 409
    code = "conflict"


class ForbiddenError(DomainError):
    status = 403
    code = "forbidden"


class UnavailableError(DomainError):
    """Something that this depends on does not answer now; the client may try again."""

    status = 503
    code = "unavailable"


class LostWriteError(RuntimeError):
    """A session was closed with changes that nobody committed: a mistake in a service."""
