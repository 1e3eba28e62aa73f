"""What people read: progress and sentences on standard error."""

from __future__ import annotations

from rich.console import Console

stderr = Console(stderr=True)
