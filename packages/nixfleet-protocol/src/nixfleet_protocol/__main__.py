"""`python -m nixfleet_protocol schema` and `docs`: what the code says about itself, for machines and for readers."""

import argparse
import json
import sys
from pathlib import Path

from nixfleet_protocol.docs import refreshed
from nixfleet_protocol.schema import schema


def main(argv: list[str] | None = None) -> int:
    """Run one of the two. Exit codes: 0 done, 1 the document is stale (`docs --check`), 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m nixfleet_protocol", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("schema", help="print the JSON Schema of all messages").set_defaults(do=_schema)
    docs = commands.add_parser("docs", help="rewrite the generated part of docs/protocol.md")
    docs.add_argument("file", metavar="FILE", nargs="?", type=Path, default=Path("docs/protocol.md"))
    docs.add_argument("--check", action="store_true", help="change nothing; exit 1 when the file is stale")
    docs.set_defaults(do=_docs)
    try:
        args = parser.parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    code: int = args.do(args)
    return code


def _schema(args: argparse.Namespace) -> int:
    print(json.dumps(schema(), indent=2, ensure_ascii=False))
    return 0


def _docs(args: argparse.Namespace) -> int:
    try:
        old = args.file.read_text(encoding="utf-8")
        new = refreshed(old)
    except (OSError, ValueError) as error:
        print(f"{args.file}: {error}", file=sys.stderr)
        return 2
    if new == old:
        return 0
    if args.check:
        print(f"{args.file} is stale: `hatch run docs` renews it", file=sys.stderr)
        return 1
    args.file.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
