"""The part of `Client` that manages: hosts, many runs at once, history, and who gets in."""

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


class Manage(ABC):
    """Most of it needs a token with scope `admin`. Errors are those of `Client`."""

    @abstractmethod
    def call(self, call: Call[T]) -> T:
        """Send one request and read its answer."""

    @abstractmethod
    def carry_out(self, plan: Plan[T]) -> T:
        """Send the requests of a plan, one after the other."""

    def add_host(self, host_id: str, criticality: str = "medium", notes: str = "") -> HostToken:
        """Add a host; `token` is its agent's, shown this once. Raises Refused (`host_exists`)."""
        return self.call(more_calls.add_host(host_id, criticality, notes))

    def change_host(
        self, host_id: str, *, criticality: str | None = None, notes: str | None = None
    ) -> HostView:
        """Change what is given; None leaves a field as it is."""
        return self.call(more_calls.change_host(host_id, criticality, notes))

    def remove_host(self, host_id: str) -> None:
        """Remove a host: its runs under way end as `lost`, its history stays."""
        self.call(more_calls.remove_host(host_id))

    def rotate_host_token(self, host_id: str, overlap: int = 86400) -> HostToken:
        """A new token for a host; the old one works for `overlap` seconds more, 0 ends its connection."""
        return self.call(more_calls.rotate_host_token(host_id, overlap))

    def revoke_host_token(self, host_id: str) -> None:
        """No token lets the host in any more, until `rotate_host_token`."""
        self.call(more_calls.revoke_host_token(host_id))

    def run_many(
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
        return self.call(
            more_calls.run_many(tuple(hosts), command, Options(**options), concurrency, stop_on_failure, key)
        )

    def bulk(self, bulk_id: str) -> BulkView:
        """How far a dispatch on many hosts is."""
        return self.call(more_calls.bulk(bulk_id))

    def stop_bulk(self, bulk_id: str) -> BulkView:
        """Begin no more of it and stop what runs; on a host that is away once it is back. Raises Refused (`no_such_bulk`)."""
        return self.call(more_calls.stop_bulk(bulk_id))

    def decide(self, run_id: str, action: str, seconds: float | None = None) -> RunView:
        """What to do about a run that takes long: `wait` (`seconds` more), `stop` or `ignore`."""
        return self.call(more_calls.decide(run_id, action, seconds))

    def search(self, run_id: str, text: str, limit: int = 100) -> list[LogMatch]:
        """The first records of a whole log that hold the text, whatever its case."""
        return self.carry_out(more_calls.search(run_id, text, limit))

    def metrics(self, host_id: str) -> MetricsHistory:
        """A host's last 24 hours."""
        return self.call(more_calls.metrics(host_id))

    def stats(self) -> FleetStats:
        """The fleet's last 30 days."""
        return self.call(more_calls.stats())

    def access(self) -> AccessView:
        """How one logs in."""
        return self.call(more_calls.show_access())

    def about(self) -> About:
        """Versions of all parts, and the room that is left."""
        return self.call(more_calls.about())

    def change_password(self, current: str, new: str) -> None:
        """Set another password; every session ends."""
        self.call(more_calls.change_password(current, new))

    def start_totp(self) -> TotpStart:
        """A new second factor, in force once `confirm_totp` sends a code made with it."""
        return self.call(more_calls.start_totp())

    def confirm_totp(self, code: str, password: str) -> RecoveryCodes:
        """Put the new second factor in force."""
        return self.call(more_calls.confirm_totp(code, password))

    def remove_totp(self, code: str, password: str) -> None:
        """Turn the second factor off."""
        self.call(more_calls.remove_totp(code, password))

    def new_recovery_codes(self, code: str, password: str) -> RecoveryCodes:
        """New recovery codes; those before work no more."""
        return self.call(more_calls.new_recovery_codes(code, password))

    def sessions(self) -> tuple[SessionInfo, ...]:
        """The operator's sessions, newest first."""
        return self.call(more_calls.sessions()).sessions

    def end_session(self, session_id: str) -> None:
        """End one session and its live connections."""
        self.call(more_calls.end_session(session_id))

    def end_sessions(self) -> None:
        """End all sessions."""
        self.call(more_calls.end_sessions())

    def tokens(self) -> tuple[TokenView, ...]:
        """The API tokens, newest first."""
        return self.call(more_calls.tokens()).tokens

    def add_token(self, name: str, scope: str = "read", expires_in: int | None = None) -> NewToken:
        """An API token with scope `read`, `operate` or `admin`; `expires_in` seconds, None: never."""
        return self.call(more_calls.add_token(name, scope, expires_in))

    def revoke_token(self, token_id: str) -> None:
        """Revoke an API token, by its `id`; its connections end."""
        self.call(more_calls.revoke_token(token_id))

    def enroll_tokens(self) -> tuple[EnrollTokenView, ...]:
        """The one-time enrolment tokens, newest first."""
        return self.call(more_calls.enroll_tokens()).tokens

    def add_enroll_token(self, host: str | None = None, expires_in: int = 3600) -> NewEnrollToken:
        """A one-time token that lets one agent in and adds its host, as `host` if given."""
        return self.call(more_calls.add_enroll_token(host, expires_in))

    def revoke_enroll_token(self, token_id: str) -> None:
        """Revoke an enrolment token, by its `id`."""
        self.call(more_calls.revoke_enroll_token(token_id))

    def audit(self, limit: int = 50) -> list[AuditEntry]:
        """What was done and tried, newest first."""
        return self.carry_out(more_calls.audit(limit))

    def openapi(self) -> bytes:
        """The API's OpenAPI 3.1 document, as JSON."""
        return self.call(more_calls.openapi())
