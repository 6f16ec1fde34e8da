"""The session that services use: it commits a single write in one round trip, and knows what would
be lost if it ended now."""

from functools import lru_cache
from inspect import signature
from typing import Any

from sqlalchemy import Connection, Engine, event, inspect
from sqlalchemy.orm import Mapper, Session, SessionTransaction

from backend.core.engines import unconcerned
from backend.core.quick import is_listened_to

__all__ = ["GuardedSession"]

_CONNECTION = "connection"


class GuardedSession(Session):
    """Knows whether it holds a connection, and changes that nobody has committed. Commits a single
    statement without BEGIN and COMMIT around it, which are two round trips of three."""

    def commit(self) -> None:
        if self._is_one_statement():
            try:
                self.connection(execution_options={"alone": True})
            except BaseException:
                self.rollback()  # as a flush that fails does
                raise
        super().commit()

    def _is_one_statement(self) -> bool:
        if self.holds_connection or self.in_nested_transaction():
            return False
        bind = self.get_bind()
        if not isinstance(bind, Engine):  # a connection has its own transaction
            return False
        changed = [*self.new, *self.dirty, *self.deleted]
        return (
            len(changed) == 1
            and _writes_one_statement(inspect(changed[0]).mapper)
            and not self._is_listened_to()
            and not is_listened_to(bind)
        )

    def _is_listened_to(self) -> bool:
        """By somebody who may write something else with it."""
        listeners: Any = self.dispatch
        return any(not unconcerned.issuperset(getattr(listeners, name)) for name in _OF_FLUSHES)

    @property
    def holds_connection(self) -> bool:
        return _CONNECTION in self.info

    @property
    def has_uncommitted_changes(self) -> bool:
        return bool(
            self._asked("wrote")
            or self.new
            or self.deleted
            or any(self.is_modified(instance) for instance in self.dirty)
        )

    @property
    def has_begun(self) -> bool:
        """The database has a transaction, for a lock or for what may have written something."""
        return self._asked("has_begun")

    def _asked(self, name: str) -> bool:
        connection: Connection | None = self.info.get(_CONNECTION)
        if connection is None or connection.closed or connection.invalidated:
            return False
        return bool(getattr(connection.connection.dbapi_connection, name, False))


_OF_FLUSHES = (
    "before_flush",
    "after_flush",
    "after_flush_postexec",
    "before_commit",
    "after_begin",
    "after_transaction_create",
    "pending_to_persistent",
    "persistent_to_deleted",
)


def _writes_one_statement(mapper: Mapper[Any]) -> bool:
    """For one of its objects; whoever listens to a change may write something else with it."""
    listeners: Any = mapper.dispatch
    return _is_alone(mapper) and not any(
        getattr(listeners, f"{when}_{what}")
        for when in ("before", "after")
        for what in ("insert", "update", "delete")
    )


@lru_cache(1000)
def _is_alone(mapper: Mapper[Any]) -> bool:
    """One table, and nothing is computed with it: neither by a function that may send a statement
    of its own, nor by the database, whose values may be refused when it is all done."""
    return (
        len(mapper.tables) == 1
        and not mapper.relationships
        and all(
            column.server_default is None
            and column.server_onupdate is None
            and column.computed is None
            and not _may_ask(column.default)
            and not _may_ask(column.onupdate)
            for column in mapper.columns
        )
    )


def _may_ask(default: Any) -> bool:
    """Whether it is more than a value, or a function of nothing."""
    if default is None or default.is_scalar:
        return False
    if not default.is_callable:
        return True
    given = getattr(default.arg, "__wrapped__", None)  # around what does not take a context
    try:
        return given is None or bool(signature(given).parameters)
    except ValueError:  # such as of `dict`
        return False


@event.listens_for(GuardedSession, "after_begin")
def _note_connection(
    session: Session, transaction: SessionTransaction, connection: Connection
) -> None:
    session.info[_CONNECTION] = connection


@event.listens_for(GuardedSession, "after_transaction_end")
def _forget_connection(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:  # not at the end of a savepoint
        session.info.pop(_CONNECTION, None)


unconcerned.add(_note_connection)
