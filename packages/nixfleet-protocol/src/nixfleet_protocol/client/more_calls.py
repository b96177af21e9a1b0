"""The requests beyond hosts, runs and logs, as data: many hosts at once, history, and who gets in. No I/O."""

from json import dumps
from typing import Any, TypeVar

from nixfleet_protocol.client.calls import PAGE, Call, Plan, part
from nixfleet_protocol.encode import to_dict
from nixfleet_protocol.messages import access, fleet
from nixfleet_protocol.messages.browser import HostView
from nixfleet_protocol.messages.parts import Options, RunView

T = TypeVar("T")


def _send(method: str, path: str, reads: type[T], body: Any = None, key: str | None = None) -> Call[T]:
    raw = None if body is None else dumps(to_dict(body)).encode()
    return Call(method, path, reads, body=raw, key=key)


# Hosts


def add_host(host_id: str, criticality: str, notes: str) -> Call[fleet.HostToken]:
    body = fleet.HostRequest(host_id=host_id, criticality=criticality, notes=notes)
    return _send("POST", "/hosts", fleet.HostToken, body)


def change_host(host_id: str, criticality: str | None, notes: str | None) -> Call[HostView]:
    body = fleet.HostChange(criticality=criticality, notes=notes)
    return _send("PATCH", f"/hosts/{part(host_id, 'host')}", HostView, body)


def remove_host(host_id: str) -> Call[None]:
    return _send("DELETE", f"/hosts/{part(host_id, 'host')}", type(None))


def rotate_host_token(host_id: str, overlap: int) -> Call[fleet.HostToken]:
    body = fleet.TokenRotation(overlap=overlap)
    return _send("POST", f"/hosts/{part(host_id, 'host')}/token", fleet.HostToken, body)


def revoke_host_token(host_id: str) -> Call[None]:
    return _send("DELETE", f"/hosts/{part(host_id, 'host')}/token", type(None))


# Runs and history


def run_many(
    hosts: tuple[str, ...],
    command: str,
    options: Options,
    concurrency: int,
    stop_on_failure: bool,
    key: str | None,
) -> Call[fleet.BulkView]:
    body = fleet.BulkRequest(
        hosts=hosts,
        command=command,
        options=options,
        concurrency=concurrency,
        stop_on_failure=stop_on_failure,
    )
    return _send("POST", "/runs", fleet.BulkView, body, key)


def bulk(bulk_id: str) -> Call[fleet.BulkView]:
    return Call("GET", f"/bulk/{part(bulk_id, 'run')}", fleet.BulkView)


def stop_bulk(bulk_id: str) -> Call[fleet.BulkView]:
    return Call("POST", f"/bulk/{part(bulk_id, 'run')}/stop", fleet.BulkView)


def decide(run_id: str, action: str, seconds: float | None) -> Call[RunView]:
    body = fleet.TimeoutChoice(action=action, seconds=seconds)
    return _send("POST", f"/runs/{part(run_id, 'run')}/timeout", RunView, body)


def search(run_id: str, text: str, limit: int) -> Plan[list[fleet.LogMatch]]:
    """The first `limit` records that hold the text."""
    found: list[fleet.LogMatch] = []
    at: int | None = 1
    while at is not None and len(found) < limit:
        params = {"q": text, "from": str(at), "limit": str(min(PAGE, limit - len(found)))}
        page = yield Call("GET", f"/runs/{part(run_id, 'run')}/search", fleet.LogSearch, params)
        found += page.matches
        at = page.next_seq if page.matches or (page.next_seq or 0) > at else None
    return found


def metrics(host_id: str) -> Call[fleet.MetricsHistory]:
    return Call("GET", f"/hosts/{part(host_id, 'host')}/metrics", fleet.MetricsHistory)


def stats() -> Call[fleet.FleetStats]:
    return Call("GET", "/stats", fleet.FleetStats)


def backup() -> Call[bytes]:
    return Call("GET", "/backup", bytes)


# Who gets in


def show_access() -> Call[access.AccessView]:
    return Call("GET", "/access", access.AccessView)


def about() -> Call[access.About]:
    return Call("GET", "/about", access.About)


def change_password(current: str, new: str) -> Call[None]:
    return _send("POST", "/password", type(None), access.PasswordChange(current=current, new=new))


def start_totp() -> Call[access.TotpStart]:
    return Call("POST", "/totp", access.TotpStart)


def confirm_totp(code: str, password: str) -> Call[access.RecoveryCodes]:
    body = access.TotpCode(code=code, password=password)
    return _send("POST", "/totp/confirm", access.RecoveryCodes, body)


def remove_totp(code: str, password: str) -> Call[None]:
    return _send("DELETE", "/totp", type(None), access.TotpCode(code=code, password=password))


def new_recovery_codes(code: str, password: str) -> Call[access.RecoveryCodes]:
    body = access.TotpCode(code=code, password=password)
    return _send("POST", "/totp/recovery", access.RecoveryCodes, body)


def sessions() -> Call[access.SessionList]:
    return Call("GET", "/sessions", access.SessionList)


def end_session(id: str) -> Call[None]:
    return Call("DELETE", f"/sessions/{part(id, 'session')}", type(None))


def end_sessions() -> Call[None]:
    return Call("DELETE", "/sessions", type(None))


def tokens() -> Call[access.TokenList]:
    return Call("GET", "/tokens", access.TokenList)


def add_token(name: str, scope: str, expires_in: int | None) -> Call[access.NewToken]:
    body = access.TokenRequest(name=name, scope=scope, expires_in=expires_in)
    return _send("POST", "/tokens", access.NewToken, body)


def revoke_token(id: str) -> Call[None]:
    return Call("DELETE", f"/tokens/{part(id, 'token')}", type(None))


def enroll_tokens() -> Call[access.EnrollTokenList]:
    return Call("GET", "/enroll-tokens", access.EnrollTokenList)


def add_enroll_token(host: str | None, expires_in: int) -> Call[access.NewEnrollToken]:
    body = access.EnrollTokenRequest(host=host, expires_in=expires_in)
    return _send("POST", "/enroll-tokens", access.NewEnrollToken, body)


def revoke_enroll_token(id: str) -> Call[None]:
    return Call("DELETE", f"/enroll-tokens/{part(id, 'token')}", type(None))


def audit(limit: int) -> Plan[list[access.AuditEntry]]:
    """The newest `limit` entries."""
    found: list[access.AuditEntry] = []
    before: int | None = None
    while len(found) < limit:
        params = {"limit": str(min(PAGE, limit - len(found)))}
        params |= {} if before is None else {"before": str(before)}
        page = yield Call("GET", "/audit", access.AuditPage, params)
        found += page.entries
        before = page.next
        if before is None or not page.entries:
            break
    return found


def openapi() -> Call[bytes]:
    return Call("GET", "/openapi.json", bytes)
