"""`backend service list` and `show`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from backend.cli.errors import CommandError
from backend.scaffold.checkout import Checkout
from backend.scaffold.record import Record

__all__ = ["Shown", "show", "show_all"]


@dataclass(frozen=True)
class Shown:
    name: str
    generated: bool
    owner: str | None
    """`user` or `none`; None where it was written by hand."""
    fields: Sequence[str]
    tables: Sequence[str]
    routes: Sequence[tuple[str, str, str]]
    edited: Sequence[str]
    """Files that are not as they were generated."""
    added: Sequence[str]
    """Files in its folders that were not generated."""

    def as_document(self) -> dict[str, object]:
        document = asdict(self)
        document["routes"] = [
            dict(zip(("method", "path", "who"), route, strict=True)) for route in self.routes
        ]
        return document


def show_all(checkout: Checkout) -> list[Shown]:
    return [show(checkout, name) for name in checkout.services]


def _routes_of(name: str) -> list[tuple[str, str, str]]:
    try:
        from backend.scaffold.revising import service_routes  # noqa: PLC0415 - it imports the app
    except Exception as error:
        raise CommandError(
            f"The app cannot be imported ({type(error).__name__}: {error}). `backend check` says "
            "where the mistake is."
        ) from error
    return service_routes(name)


def show(checkout: Checkout, name: str) -> Shown:
    service = checkout.services.get(name)
    if service is None:
        raise CommandError(
            f"There is no service {name!r}. There are: {', '.join(checkout.services)}."
        )
    record = Record.read(checkout, name)
    return Shown(
        name=name,
        generated=record is not None,
        owner=record.owner if record else None,
        fields=record.fields if record else [],
        tables=sorted(service.tables),
        routes=_routes_of(name),
        edited=record.edited(checkout) if record else [],
        added=record.added(checkout) if record else [],
    )
