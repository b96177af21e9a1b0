"""`hatch run bench [NAME] [--json FILE]`: run one benchmark, or all, and print its figures."""

import argparse
import importlib
import json
import sys
from pathlib import Path

NAMES = sorted(path.stem.replace("_", "-") for path in Path(__file__).parent.glob("[a-z]*.py"))


def main(argv: list[str] | None = None) -> int:
    """Exit codes: 0 measured, 2 wrong usage. A figure is never judged here; that is what readers do."""
    parser = argparse.ArgumentParser(prog="hatch run bench", description=__doc__)
    parser.add_argument("name", nargs="?", choices=NAMES, help="default: all of them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    options = parser.parse_args(argv)
    figures = {}
    for name in [options.name] if options.name else NAMES:
        module = importlib.import_module(f"bench.{name.replace('-', '_')}")
        print(f"{name}: {module.__doc__.splitlines()[0]}", flush=True)
        figures[name] = module.main()
        for figure, value in figures[name].items():
            print(f"  {figure:<44} {value}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
