"""`backend routes`: what the app answers, and whom."""

from typing import Annotated

import typer

__all__ = ["routes"]


def routes(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List every route: method, path, who may, operation id.

    `anyone` needs no sign-in, `optional` takes one; the others need it.
    """
    from backend.app import app
    from backend.cli.output import print_json, table
    from backend.cli.route_list import find_routes

    found = find_routes(app)
    if as_json:
        print_json([route.__dict__ for route in found])
        return
    rows = [[item.method, item.path, item.who, item.operation_id or ""] for item in found]
    print(table(["method", "path", "who may", "operation id"], rows))
