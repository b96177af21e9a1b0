"""Bodies of the JSON API about who gets in: set-up, second factor, sessions, tokens, audit."""

from dataclasses import dataclass
from typing import Annotated

from nixfleet_protocol import limits
from nixfleet_protocol.markers import Items, Number, OneOf, Text, Whole
from nixfleet_protocol.messages.fields import Bool, Count, HostId, Millis, RunId, Sentence, Word

Password = Annotated[str, Text(limits.PASSWORD_MAX, min=1)]
Secret = Annotated[str, Text(256, min=1)]
Name = Annotated[str, Text(limits.WORD_MAX, min=1, pattern="[A-Za-z0-9]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?")]
Id = Annotated[str, Text(limits.WORD_MAX, min=1, pattern="[A-Za-z0-9_-]{1,64}")]
Scope = Annotated[
    str, OneOf("read", "operate", "admin"), "`operate`: also start and stop runs; `admin`: everything"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    """POST /setup: the first password, with the code of the one-time link the server printed: `…/setup#CODE`, behind `#` so
    that no log gets it. Answers SessionView; a password has at least 12 characters.
    """

    code: Secret
    password: Password


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChange:
    """POST /password. Every other session ends."""

    current: Password
    new: Password


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessView:
    """GET /access: how one logs in here."""

    password: Annotated[
        str, OneOf("environment", "database", "none"), "where it is set; `environment` can't be changed here"
    ]
    totp: Annotated[str, OneOf("environment", "database", "none"), "where the second factor is set"]
    recovery_codes: Annotated[Count, "unused ones"] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TotpStart:
    """Answer to POST /totp: a new secret, in force once POST /totp/confirm sends a code made with it."""

    secret: Secret
    uri: Annotated[str, Text(limits.PATH_MAX), "otpauth:// for an authenticator"]
    qr: Annotated[str, Text(64 * limits.KIB), "the same as an SVG image"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TotpCode:
    """POST /totp/confirm, DELETE /totp and POST /totp/recovery: a code, or a recovery code, and the password."""

    code: Secret
    password: Password


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodes:
    """Answer to POST /totp/confirm and POST /totp/recovery: shown once; each works once instead of a code."""

    codes: Annotated[tuple[Secret, ...], Items(20)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """One session of the operator."""

    id: Id
    current: Annotated[Bool, "the one that asks"] = False
    created_at: Millis
    expires_at: Millis
    last_seen_at: Millis | None = None
    address: Annotated[Word, "where it was last used from"] = ""
    client: Annotated[Sentence, "browser and system, as it tells"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionList:
    """GET /sessions, newest first. DELETE /sessions/{id} ends one, DELETE /sessions all but the one that asks."""

    sessions: Annotated[tuple[SessionInfo, ...], Items(1000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """POST /tokens: a token for scripts."""

    name: Name
    scope: Scope = "read"
    expires_in: Annotated[Annotated[int, Whole(60, 10 * 366 * 86400)] | None, "seconds; null: never"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenView:
    """A token for scripts, without its secret."""

    id: Id
    name: Word
    scope: Scope
    created_at: Millis
    expires_at: Millis | None = None
    last_used_at: Millis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken(TokenView):
    """Answer to POST /tokens."""

    token: Annotated[Secret, "shown this once"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenList:
    """GET /tokens, newest first. DELETE /tokens/{id} revokes one at once."""

    tokens: Annotated[tuple[TokenView, ...], Items(1000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollTokenRequest:
    """POST /enroll-tokens: lets one agent in once and creates its host."""

    host: Annotated[HostId | None, "the only name it may take; null: what the agent calls itself"] = None
    expires_in: Annotated[Annotated[int, Whole(60, 30 * 86400)], "seconds"] = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollTokenView:
    """A one-time enrolment token, without its secret."""

    id: Id
    host: HostId | None = None
    created_at: Millis
    expires_at: Millis
    used_by: Annotated[HostId | None, "the host that came of it"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEnrollToken(EnrollTokenView):
    """Answer to POST /enroll-tokens."""

    token: Annotated[Secret, "shown this once"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollTokenList:
    """GET /enroll-tokens, newest first. DELETE /enroll-tokens/{id} revokes one."""

    tokens: Annotated[tuple[EnrollTokenView, ...], Items(1000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enroll:
    """POST /enroll: public, the token is all it needs."""

    token: Secret
    hostname: HostId


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """Answer to POST /enroll."""

    host_id: HostId
    token: Annotated[Secret, "the host's own, shown this once"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Something that somebody did, or tried to."""

    id: Count
    at: Millis
    who: Annotated[Word, "`admin`, an API token's name, a host, or empty for a stranger"] = ""
    address: Annotated[Word, "the client's address"] = ""
    action: Annotated[Word, "as `login`, `run.start`, `host.remove`"]
    subject: Annotated[Sentence, "what it was done to"] = ""
    outcome: Annotated[Word, "`ok`, or the problem's code"] = "ok"
    detail: Sentence = ""
    run_id: RunId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """GET /audit, newest first. `?limit=N&before=ID`."""

    entries: Annotated[tuple[AuditEntry, ...], Items(1000)]
    next: Annotated[Count | None, "pass as `before` for the next page; null on the last"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """GET /about: versions of all parts."""

    server_version: Word
    web_version: Word
    protocol: Word
    python: Word
    database: Annotated[Word, "as `sqlite 3.45.1`"]
    started_at: Millis
    uptime: Annotated[Annotated[float, Number(0, 1e10)], "seconds"]
    data_bytes: Annotated[Count, "size of the data directory"] = 0
    free_bytes: Annotated[Count, "space left where it is"] = 0
