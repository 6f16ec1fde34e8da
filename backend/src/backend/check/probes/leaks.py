"""BK705 and BK206: what all the probes together logged and printed, and which of them failed."""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl

from backend.check.probes.client import Exchange
from backend.check.probes.people import People
from backend.check.probes.result import Detail, Probes
from backend.check.probes.texts import HARD
from backend.check.probes.values import PASSWORD

__all__ = ["find_crashes", "find_leaks"]

SERVER_ERROR = 500
_MINIMUM = 16
"""Shorter ones are not secrets, and may be part of something else."""
_LINK = re.compile(r"https?://[^\s<>\"']+")
_TOKEN_IN_LINK = re.compile(r"[=/]([\w.~-]{16,})")
_SECRET_FIELD = re.compile(r"token|secret|password|api_?key|code$", re.IGNORECASE)


def find_leaks(exchanges: Iterable[Exchange], people: People, found: Probes) -> None:
    exchanges = list(exchanges)
    secrets = {
        person.token: "the caller's access token"
        for person in (people.first, people.second, people.superuser, people.spare)
    }
    secrets[PASSWORD] = "a password"
    for exchange in exchanges:
        for mail in exchange.mails:
            for link in _LINK.findall(mail.text):
                for token in _TOKEN_IN_LINK.findall(link.partition("://")[2]):
                    secrets[token] = f"the link mailed with “{mail.subject}”"
        for name, value in _secret_fields(exchange.json):
            secrets.setdefault(value, f"`{name}` of its answer")
    reported = set()
    for exchange in exchanges:
        output = exchange.output
        for secret, what in secrets.items():
            key = (exchange.route.name, what)
            if secret in output and secret not in exchange.target and key not in reported:
                reported.add(key)
                where = "printed" if secret in exchange.printed else "logged"
                found.leaked.append(
                    Detail(
                        exchange.route,
                        f"{exchange.route.name} answered {exchange.status} and {where} {what}.",
                        "Take it out of the line; log an id in its place. In development the mail "
                        "is at /dev/mail.",
                    )
                )


def _secret_fields(body: Any) -> Iterator[tuple[str, str]]:
    if isinstance(body, dict):
        for name, value in body.items():
            if isinstance(value, str) and len(value) >= _MINIMUM and _SECRET_FIELD.search(name):
                yield name, value
            yield from _secret_fields(value)
    elif isinstance(body, list):
        for item in body:
            yield from _secret_fields(item)


def find_crashes(exchanges: Iterable[Exchange], found: Probes) -> None:
    reported = set()
    # What failed on rows of the service's own tells more than what failed on others.
    for exchange in sorted(exchanges, key=lambda item: item.on_inserted):
        is_stopped = exchange.stopped and exchange.status >= SERVER_ERROR
        if exchange.status != SERVER_ERROR and not is_stopped and not exchange.answer.failure:
            continue
        if exchange.route.name in reported:
            continue
        reported.add(exchange.route.name)
        error = exchange.error or "no traceback was logged"
        if exchange.stopped:
            found.not_examined.append(f"{exchange.route.name}: {exchange.stopped}")
            continue
        if exchange.on_inserted:
            found.not_examined.append(
                f"{exchange.route.name}: it failed on rows that the probe put into the table "
                f"itself ({error})"
            )
            continue
        how = "answered 500" if exchange.status == SERVER_ERROR else "failed after its answer"
        found.crashed.append(
            Detail(
                exchange.route,
                f"{exchange.route.name}{_asked(exchange)}{_as_whom(exchange)} {how}: {error}.",
                f"`backend call {exchange.route.method} …` shows the traceback. Raise an error of "
                "backend.core.errors for what a client can cause, and commit before the answer.",
            )
        )


def _asked(exchange: Exchange) -> str:
    """What of the query may be the cause."""
    query = exchange.target.partition("?")[2]
    hard = [(name, value) for name, value in parse_qsl(query) if value in HARD]
    return "".join(f" with {name}={value!r}" for name, value in hard)


def _as_whom(exchange: Exchange) -> str:
    return " without signing in" if exchange.person is None else ""
