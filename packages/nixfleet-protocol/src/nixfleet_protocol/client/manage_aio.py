"""The part of `AsyncClient` that manages: `manage`, awaited."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, TypeVar

from nixfleet_protocol.client import more_calls
from nixfleet_protocol.client.calls import Call, Plan
from nixfleet_protocol.messages.access import (
    About,
    AccessView,
    AuditEntry,
    EnrollTokenView,
    NewEnrollToken,
    NewToken,
    RecoveryCodes,
    SessionInfo,
    TokenView,
    TotpStart,
)
from nixfleet_protocol.messages.browser import HostView
from nixfleet_protocol.messages.fleet import BulkView, FleetStats, HostToken, LogMatch, MetricsHistory
from nixfleet_protocol.messages.parts import Options, RunView

T = TypeVar("T")


class AsyncManage(ABC):
    """Most of it needs a token with scope `admin`. Errors are those of `Client`."""

    @abstractmethod
    async def call(self, call: Call[T]) -> T:
        """Send one request and read its answer."""

    @abstractmethod
    async def carry_out(self, plan: Plan[T]) -> T:
        """Send the requests of a plan, one after the other."""

    async def add_host(self, host_id: str, criticality: str = "medium", notes: str = "") -> HostToken:
        """Add a host; `token` is its agent's, shown this once. Raises Refused (`host_exists`)."""
        return await self.call(more_calls.add_host(host_id, criticality, notes))

    async def change_host(
        self, host_id: str, *, criticality: str | None = None, notes: str | None = None
    ) -> HostView:
        """Change what is given; None leaves a field as it is."""
        return await self.call(more_calls.change_host(host_id, criticality, notes))

    async def remove_host(self, host_id: str) -> None:
        """Remove a host: its runs under way end as `lost`, its history stays."""
        await self.call(more_calls.remove_host(host_id))

    async def rotate_host_token(self, host_id: str, overlap: int = 86400) -> HostToken:
        """A new token for a host; the old one works for `overlap` seconds more, 0 ends its connection."""
        return await self.call(more_calls.rotate_host_token(host_id, overlap))

    async def revoke_host_token(self, host_id: str) -> None:
        """No token lets the host in any more, until `rotate_host_token`."""
        await self.call(more_calls.revoke_host_token(host_id))

    async def run_many(
        self,
        hosts: Iterable[str],
        command: str,
        *,
        concurrency: int = 0,
        stop_on_failure: bool = False,
        key: str | None = None,
        **options: Any,
    ) -> BulkView:
        """Start a command on many hosts, one run each; at most `concurrency` at a time, 0: all.

        `bulk` tells how far it is. `key` and the options are those of `run`.
        """
        return await self.call(
            more_calls.run_many(tuple(hosts), command, Options(**options), concurrency, stop_on_failure, key)
        )

    async def bulk(self, bulk_id: str) -> BulkView:
        """How far a dispatch on many hosts is."""
        return await self.call(more_calls.bulk(bulk_id))

    async def stop_bulk(self, bulk_id: str) -> BulkView:
        """Begin no more of it and stop what runs; on a host that is away once it is back. Raises Refused (`no_such_bulk`)."""
        return await self.call(more_calls.stop_bulk(bulk_id))

    async def decide(self, run_id: str, action: str, seconds: float | None = None) -> RunView:
        """What to do about a run that takes long: `wait` (`seconds` more), `stop` or `ignore`."""
        return await self.call(more_calls.decide(run_id, action, seconds))

    async def search(self, run_id: str, text: str, limit: int = 100) -> list[LogMatch]:
        """The first records of a whole log that hold the text, whatever its case."""
        return await self.carry_out(more_calls.search(run_id, text, limit))

    async def metrics(self, host_id: str) -> MetricsHistory:
        """A host's last 24 hours."""
        return await self.call(more_calls.metrics(host_id))

    async def stats(self) -> FleetStats:
        """The fleet's last 30 days."""
        return await self.call(more_calls.stats())

    async def access(self) -> AccessView:
        """How one logs in."""
        return await self.call(more_calls.show_access())

    async def about(self) -> About:
        """Versions of all parts, and the room that is left."""
        return await self.call(more_calls.about())

    async def change_password(self, current: str, new: str) -> None:
        """Set another password; every session ends."""
        await self.call(more_calls.change_password(current, new))

    async def start_totp(self) -> TotpStart:
        """A new second factor, in force once `confirm_totp` sends a code made with it."""
        return await self.call(more_calls.start_totp())

    async def confirm_totp(self, code: str, password: str) -> RecoveryCodes:
        """Put the new second factor in force."""
        return await self.call(more_calls.confirm_totp(code, password))

    async def remove_totp(self, code: str, password: str) -> None:
        """Turn the second factor off."""
        await self.call(more_calls.remove_totp(code, password))

    async def new_recovery_codes(self, code: str, password: str) -> RecoveryCodes:
        """New recovery codes; those before work no more."""
        return await self.call(more_calls.new_recovery_codes(code, password))

    async def sessions(self) -> tuple[SessionInfo, ...]:
        """The operator's sessions, newest first."""
        return (await self.call(more_calls.sessions())).sessions

    async def end_session(self, session_id: str) -> None:
        """End one session and its live connections."""
        await self.call(more_calls.end_session(session_id))

    async def end_sessions(self) -> None:
        """End all sessions."""
        await self.call(more_calls.end_sessions())

    async def tokens(self) -> tuple[TokenView, ...]:
        """The API tokens, newest first."""
        return (await self.call(more_calls.tokens())).tokens

    async def add_token(self, name: str, scope: str = "read", expires_in: int | None = None) -> NewToken:
        """An API token with scope `read`, `operate` or `admin`; `expires_in` seconds, None: never."""
        return await self.call(more_calls.add_token(name, scope, expires_in))

    async def revoke_token(self, token_id: str) -> None:
        """Revoke an API token, by its `id`; its connections end."""
        await self.call(more_calls.revoke_token(token_id))

    async def enroll_tokens(self) -> tuple[EnrollTokenView, ...]:
        """The one-time enrolment tokens, newest first."""
        return (await self.call(more_calls.enroll_tokens())).tokens

    async def add_enroll_token(self, host: str | None = None, expires_in: int = 3600) -> NewEnrollToken:
        """A one-time token that lets one agent in and adds its host, as `host` if given."""
        return await self.call(more_calls.add_enroll_token(host, expires_in))

    async def revoke_enroll_token(self, token_id: str) -> None:
        """Revoke an enrolment token, by its `id`."""
        await self.call(more_calls.revoke_enroll_token(token_id))

    async def audit(self, limit: int = 50) -> list[AuditEntry]:
        """What was done and tried, newest first."""
        return await self.carry_out(more_calls.audit(limit))

    async def openapi(self) -> bytes:
        """The API's OpenAPI 3.1 document, as JSON."""
        return await self.call(more_calls.openapi())
