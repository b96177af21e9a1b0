"""The OpenAPI 3.1 document, made from the table of routes and the message classes: neither can say something else."""

import asyncio
import json
import re
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from nixfleet_protocol.messages.access import Id
from nixfleet_protocol.messages.api import Problem
from nixfleet_protocol.messages.fields import HostId, RunId
from nixfleet_protocol.schema import definitions
from nixfleet_server.__about__ import __version__
from nixfleet_server.api.problems import PROBLEMS
from nixfleet_server.api.rules import Query, Rule
from nixfleet_server.auth.guard import Principal
from nixfleet_server.auth.sessions import COOKIE

_REF = "#/components/schemas/{model}"
_PATH_TYPES: dict[str, Any] = {"host_id": HostId, "run_id": RunId, "bulk_id": RunId, "id": Id}


async def show(request: Request, principal: Principal) -> Response:
    """GET /openapi.json."""
    text = await asyncio.get_running_loop().run_in_executor(None, _text)
    return Response(text, media_type="application/json")


@cache
def _text() -> str:
    from nixfleet_server.api.routes import RULES  # which has our own route

    return json.dumps(document(RULES), ensure_ascii=False, separators=(",", ":"))


def document(rules: tuple[Rule, ...]) -> dict[str, Any]:
    """The document of a table of routes."""
    paths: dict[str, Any] = {}
    for rule in rules:
        paths.setdefault(rule.path, {})[rule.method.lower()] = _operation(rule)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "NixFleet",
            "version": __version__,
            "description": "The JSON API of a NixFleet server. Errors are application/problem+json with a stable `code`.",
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "paths": paths,
        "components": {
            "schemas": definitions(_REF),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "an API token"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": COOKIE,
                    "description": f"the page's; over https its name is __Host-{COOKIE}. Changes also need Origin and"
                    " X-CSRF-Token.",
                },
            },
        },
    }


def _operation(rule: Rule) -> dict[str, Any]:
    module = rule.endpoint.__module__.rpartition(".")[2]
    summary = " ".join((rule.endpoint.__doc__ or "").split())
    operation: dict[str, Any] = {
        "operationId": f"{module}_{rule.endpoint.__name__}",
        "tags": [module],
        "summary": summary,
        "description": f"Needs scope {rule.scope}." if rule.scope else "Public.",
        "security": [{"token": []}, {"session": []}] if rule.scope else [],
        "responses": {
            **{str(status): _success(rule) for status in (rule.status, rule.or_status) if status},
            **_failures(rule),
        },
    }
    parameters = [*map(_path, re.findall(r"{(\w+)}", rule.path)), *map(_query, rule.query)]
    parameters += [
        {"name": name, "in": "header", "description": text, "schema": {"type": "string", "maxLength": 255}}
        for name, text in rule.headers
    ]
    if parameters:
        operation["parameters"] = parameters
    if rule.body:
        operation["requestBody"] = {"required": True, "content": {"application/json": _schema(rule.body)}}
    return operation


def _success(rule: Rule) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if rule.answer:
        content["application/json"] = _schema(rule.answer)
    if rule.media:
        content.setdefault(rule.media, {})
    return {"description": "done", **({"content": content} if content else {})}


def _failures(rule: Rule) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in rule.codes:
        by_status.setdefault(PROBLEMS[code][0], []).append(code)
    return {
        str(status): {
            "description": "; ".join(f"`{code}`: {PROBLEMS[code][1]}" for code in codes),
            "content": {
                "application/problem+json": {
                    "schema": {
                        "allOf": [
                            {"$ref": _REF.format(model=Problem.__name__)},
                            {"properties": {"code": {"enum": codes}}},
                        ]
                    }
                }
            },
        }
        for status, codes in sorted(by_status.items())
    }


def _schema(cls: type) -> dict[str, Any]:
    return {"schema": {"$ref": _REF.format(model=cls.__name__)}}


def _path(name: str) -> dict[str, Any]:
    schema = TypeAdapter(_PATH_TYPES[name]).json_schema()
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(query: Query) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if query.low is not None:
        schema = {"type": "integer", "minimum": query.low, "maximum": query.high}
    elif query.words:
        schema = {"enum": list(query.words)}
    return {"name": query.name, "in": "query", "description": query.text, "schema": schema}
