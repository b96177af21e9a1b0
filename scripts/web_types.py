"""What the page knows of the protocol, made from its JSON schema: types for the checker, defaults for what the wire
leaves out; and its version, for pages to ask for. `python -m scripts.web_types` writes them; a test fails when they are
not as the protocol and the package say.
"""

import json
from pathlib import Path
from typing import Any

import nixfleet_web
from nixfleet_protocol.schema import schema
from nixfleet_protocol.versions import PROTOCOL

PACKAGE = Path(__file__).parents[1] / "packages" / "nixfleet-web"
TYPES = PACKAGE / "types" / "protocol.d.ts"
VERSION = PACKAGE / "src" / "nixfleet_web" / "static" / "version.json"
DEFAULTS = PACKAGE / "src" / "nixfleet_web" / "static" / "js" / "core" / "wire.js"
FILLED = ("HostView", "RunView", "LogRecord")
"""What arrives with fields left out; with every part inside."""
MADE = "Made by `python -m scripts.web_types` from the protocol's JSON schema: change the messages, not this."
Schema = dict[str, Any]


def kind(node: Schema) -> str:
    """A schema as a TypeScript type. Words of a table are told as those words, though a newer peer may send others."""
    if "$ref" in node:
        return str(node["$ref"]).rsplit("/", 1)[1]
    if "enum" in node:
        return " | ".join(json.dumps(word) for word in node["enum"])
    if "const" in node:
        return json.dumps(node["const"])
    if "anyOf" in node:
        options = node["anyOf"]
        if any("enum" in option for option in options):
            options = [option for option in options if option.get("type") != "string" or "enum" in option]
        return " | ".join(dict.fromkeys(kind(option) for option in options))
    if node.get("type") == "array":
        return f"({kind(node.get('items', {}))})[]"
    simple = {
        "string": "string",
        "integer": "number",
        "number": "number",
        "boolean": "boolean",
        "null": "null",
    }
    return simple.get(str(node.get("type")), "unknown")


def types(definitions: Schema) -> str:
    """The declarations of every message and part."""
    lines = [f"/** {MADE} */", "declare namespace protocol {"]
    for name, definition in definitions.items():
        if "properties" not in definition:
            continue
        lines += [f"  /** {definition.get('description', name)} */", f"  interface {name} {{"]
        for field, node in definition["properties"].items():
            if text := node.get("description"):
                lines.append(f"    /** {text} */")
            unlisted = [json.dumps(node["default"])] if _unlisted(node) else []
            lines.append(f"    {field}: {' | '.join([kind(node), *unlisted])};")
        lines.append("  }")
    return "\n".join([*lines, "}", ""])


def _unlisted(node: Schema) -> bool:
    """The default is a word that the table of words doesn't hold, as `unknown`."""
    words = [word for option in node.get("anyOf", ()) for word in option.get("enum", ())]
    return bool(words) and isinstance(node.get("default"), str) and node["default"] not in words


def part(node: Schema) -> str | None:
    """The part a field holds, one or many of."""
    if "$ref" in node:
        return kind(node)
    inner = [*node.get("anyOf", ()), *([node["items"]] if "items" in node else [])]
    return next(filter(None, map(part, inner)), None)


def defaults(definitions: Schema) -> Schema:
    """For each class in FILLED and each part inside: its defaults, and which fields hold which part."""
    found: Schema = {}
    waiting = list(FILLED)
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        definition = definitions[name]
        required = set(definition.get("required", ()))
        fields = definition["properties"]
        parts = {field: held for field, node in fields.items() if (held := part(node))}
        known = {field: node.get("default", {}) for field, node in fields.items() if field not in required}
        found[name] = {"defaults": known, "parts": parts}
        waiting += parts.values()
    return found


def files() -> dict[Path, str]:
    """Path → text of each file."""
    definitions = schema()["$defs"]
    table = json.dumps(defaults(definitions), indent=2, ensure_ascii=False)
    return {
        TYPES: types(definitions),
        VERSION: json.dumps({"version": nixfleet_web.__version__, "protocol": str(PROTOCOL)}) + "\n",
        DEFAULTS: f"/** {MADE} */\n\n/** Message or part → what its fields are when the wire leaves them out, and which hold parts. */\n"
        f"export const WIRE = /** @type {{const}} */ ({table});\n",
    }


def main() -> int:
    for path, text in files().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
