"""A rule as an endpoint: who asks is let in or not here, and what is done is written down here, so that no route can
forget either."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from nixfleet_server import audit
from nixfleet_server.api.body import Answer
from nixfleet_server.api.rules import Rule, undocumented
from nixfleet_server.auth.guard import Principal, authenticate, permit, who_are_you
from nixfleet_server.errors import Declined, Refused


def guarded(rule: Rule) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of a rule."""

    async def endpoint(request: Request) -> Response:
        outcome, detail = "internal", ""
        principal = await authenticate(request) if rule.scope is not None else None
        try:
            result = await _let_in(rule, request, principal)
            outcome = "ok"
        except Declined as error:
            outcome, detail = error.code, str(error)
            if error.code not in rule.codes:
                undocumented(rule, error.code)
            raise
        finally:
            if rule.action and (principal or rule.scope is None):
                await audit.record(request, rule.action, principal.name if principal else "", outcome, detail)
        _check(rule, result)
        return result

    return endpoint


async def _let_in(rule: Rule, request: Request, principal: Principal | None) -> Response:
    """Raises Declined."""
    result: Any
    try:
        if rule.scope is None:
            result = await rule.endpoint(request)
        else:
            if principal is None:
                raise Declined("not_authenticated", who_are_you(request))
            permit(request, principal, rule.scope, changes=rule.changes)
            result = await rule.endpoint(request, principal)
    except Refused as error:
        raise Declined(error.code, str(error)) from None
    assert isinstance(result, Response)
    return result


def _check(rule: Rule, result: Response) -> None:
    carries = result.carries if isinstance(result, Answer) else None
    if carries is not rule.answer and rule.media is None:
        undocumented(rule, f"carries {carries}")
    if result.status_code not in (rule.status, rule.or_status):
        undocumented(rule, f"status {result.status_code}")
