"""Writes the table of all environment variables into docs/operations.md, from the code that reads them."""

import argparse
import sys
from pathlib import Path

from nixfleet_agent.variables import VARIABLES
from nixfleet_protocol.docs import refreshed
from nixfleet_server.settings import PREFIX, SECRETS, Settings

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "operations.md"


def table() -> str:
    """The two tables, as Markdown."""
    lines = ["**Server**", "", "| variable | meaning | default |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        variable = f"`{PREFIX}{name.upper()}`" + (", `…_FILE`" if name in SECRETS else "")
        shown = "" if field.default in (None, ()) else f"`{field.default}`"
        lines.append(f"| {variable} | {field.description} | {shown} |")
    lines += ["", "**Agent**", "", "| variable | meaning |", "|---|---|"]
    lines += [f"| `{variable.name}` | {variable.help} |" for variable in VARIABLES.values()]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 the document is stale (`--check`)."""
    parser = argparse.ArgumentParser(prog="python -m scripts.variables", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 when the document is stale"
    )
    options = parser.parse_args(argv)
    old = DOCUMENT.read_text()
    new = refreshed(old, table())
    if options.check:
        return int(new != old)
    DOCUMENT.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
