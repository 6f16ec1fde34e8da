"""Requests that `backend check` sends to the app: as nobody, as an ordinary user and as another.

They are answered by the real app with every middleware and real authentication, on a database made
for them; the developer's is not touched, nothing is mailed, and nothing leaves the process.
"""

from backend.check.probes.result import Detail, Probes
from backend.check.probes.run import run_probes

__all__ = ["Detail", "Probes", "run_probes"]
