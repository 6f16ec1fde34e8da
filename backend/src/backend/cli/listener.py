"""The listening socket, and why there is none."""

import errno
import socket

from backend.cli.errors import CommandError

__all__ = ["listen"]


def listen(host: str, port: int) -> socket.socket:
    """Listens before the app is there: who connects early waits instead of being refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CommandError(_why_not(error, host, port)) from error


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is taken by another program on {host}. Stop that program, or choose "
            "another port with --port or BACKEND_PORT."
        )
    if error.errno == errno.EACCES:
        return (
            f"This user may not listen on port {port}. Choose one above 1023 with --port or "
            "BACKEND_PORT."
        )
    # Below zero are the errors of looking a name up.
    if error.errno == errno.EADDRNOTAVAIL or (error.errno or 0) < 0:
        return f"This machine does not have the address {host}. Correct --host or BACKEND_HOST."
    return f"Cannot listen on {host}, port {port}: {error.strerror}. Correct --host or --port."
