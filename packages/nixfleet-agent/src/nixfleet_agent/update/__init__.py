"""`update` (FR-1.4): brings the agent itself to its newest version, the way it came here."""

import importlib.metadata
import json
import sys

from nixfleet_agent import kinds
from nixfleet_agent.runner.context import Context
from nixfleet_agent.runner.ends import Done, Failed
from nixfleet_agent.update import by_nix, by_pip

PACKAGE = "nixfleet-agent"


def run(context: Context) -> Done:
    """Update, and tell from which version to which. Raises Failed; then the agent that was there runs again."""
    if sys.prefix.startswith("/nix/store/") or kinds.is_nix(context.config.platform):
        return by_nix.run(context)
    return by_pip.run(context, _distribution())


def _distribution() -> importlib.metadata.Distribution:
    """How pip knows this agent. Raises Failed when it isn't pip's to update."""
    try:
        found = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise Failed("this agent was not installed by pip: update it the way it was installed", 2) from None
    origin = json.loads(found.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        raise Failed(f"this agent runs from a checkout ({origin.get('url')}): update that", 2)
    return found
