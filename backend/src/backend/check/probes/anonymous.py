"""BK202: what a route that is not public answers to nobody."""

from backend.check.probes.result import Detail, Probes
from backend.check.probes.rows import Rows
from backend.check.probes.values import NoValueError
from backend.check.routes import Route

__all__ = ["is_private", "probe_anonymous"]


def is_private(route: Route) -> bool:
    """By declaration: neither public, nor for users and visitors alike."""
    if route.public:
        return False
    return not route.requirements or route.requires_user


async def probe_anonymous(rows: Rows, route: Route, found: Probes) -> None:
    first = rows.people.first
    path = await rows.path_for(route, first)
    if path is None:
        found.not_examined.append(f"{route.name}: there is no row for its path")
        return
    try:
        body = await rows.body_for(route, first)
    except (ValueError, NoValueError) as error:
        # Who is not let in is refused before the body is looked at.
        found.not_examined.append(f"{route.name} as nobody with a body: {error}")
        body = None
    answer = await rows.client.send(route, person=None, path=path, body=body)
    if answer.is_success:
        found.unrefused.append(
            Detail(
                route,
                f"{route.name} without signing in answered {answer.status}.",
                "Take the caller as a parameter, `user: CurrentUser` of "
                "backend.services.auth.utils; or, if it is meant for everybody, put `@public` of "
                "backend.core.access under the decorator.",
            )
        )
    elif answer.status in {400, 409, 415, 422} and not route.requires_user and not route.schemes:
        found.not_examined.append(
            f"{route.name} as nobody: it answered {answer.status} to the body that was made"
        )
