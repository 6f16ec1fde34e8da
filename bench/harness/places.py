"""Where things are."""

from pathlib import Path

__all__ = ["BACKEND", "DOCS", "ROOT", "SOURCES", "WORK"]

ROOT = Path(__file__).parents[2]
BACKEND = ROOT / "backend"
DOCS = ROOT / "docs"
SOURCES = ROOT / "bench/servers"
WORK = ROOT / "bench/.work"
