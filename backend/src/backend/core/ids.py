import uuid

import uuid_utils.compat

__all__ = ["new_id"]


def new_id() -> uuid.UUID:
    """A UUIDv7 (RFC 9562): unguessable enough for a name, and its order is that of creation."""
    return uuid_utils.compat.uuid7()
