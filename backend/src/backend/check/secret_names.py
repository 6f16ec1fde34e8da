"""Which names say that what they hold is a secret."""

import re

__all__ = ["holds_credentials", "is_secret_name", "is_secret_setting"]

_SECRET = re.compile(
    r"(^|_)(secret|secret_key|password|passwd|passphrase|token|api_key|private_key|credentials)$"
)
_KEY = re.compile(r"(^|_)(pwd|(?<!public_)(?<!publishable_)(?<!site_)key)$")
_CREDENTIALS = re.compile(
    r"://[^/@\s]*:[^/@\s]+@|^(sk|rk|pk)_(live|test)_|^whsec_|^gh[opsu]_|^xox[abp]-|^AKIA[0-9A-Z]{12}"
)


def is_secret_name(name: str) -> bool:
    return bool(_SECRET.search(name.lower()))


def is_secret_setting(name: str) -> bool:
    """Wider: a setting that is called a key is one that opens something."""
    return is_secret_name(name) or bool(_KEY.search(name.lower()))


def holds_credentials(value: str) -> bool:
    """A password in a URL, or a key as the well-known services write theirs."""
    return bool(_CREDENTIALS.search(value))
