"""Every bound on what a peer may send, with its reason. No other file holds such a number."""

KIB = 1024
MIB = 1024 * KIB

# Frames and batches
FRAME_MAX = 1 * MIB
"""Bytes of one WebSocket message. Above it the connection is closed with 1009. Ten times the largest honest batch
(BATCH_BYTES), and small enough that 200 hostile agents can't fill a server's memory."""
SNAPSHOT_BYTES_MAX = 32 * MIB
"""Bytes of one frame that the scripting client accepts: a snapshot of HOSTS_MAX hosts with all their facts. Only the
operator's own server sends it."""
BATCH_MESSAGES = 200
"""Messages in one frame as we send them: enough to carry 1,000 lines a second in five frames."""
BATCH_MESSAGES_MAX = 1000
"""Messages in one frame as we accept them."""
BATCH_BYTES = 64 * KIB
"""Encoded bytes after which a batch is sent: one TLS record's worth times four, keeps the agent's buffers small."""

# Output
LINE_MAX = 16 * KIB
"""Bytes of one output record. A longer line is split over records marked `partial`. JSON escapes at most six-fold, so
a record stays under a tenth of FRAME_MAX."""
WINDOW_LINES = 1000
"""Unacknowledged output records an agent keeps in flight over all runs; the rest waits on its disk. At the server's
50 ms group commit this allows 20,000 lines a second."""
WINDOW_BYTES = 1 * MIB
"""Bytes of output in flight, for long lines."""
LOG_MAX_DEFAULT = 256 * MIB
"""Bytes of output kept for a run (`NIXFLEET_LOG_MAX`); beyond it one marker counts what was dropped."""
LOG_MAX_LIMIT = 1024 * MIB
"""Bytes of output an agent may be configured to keep for a run. More is a fault: the server takes no more of one run than
this and a MiB for the agent's own words, so that one host can't fill the disk of all."""
HOST_LOGS_BURST = 8 * 1024 * MIB
HOST_LOGS_PER_SECOND = HOST_LOGS_BURST / 86_400
"""Bytes of output taken of one host: eight of the largest logs at once, and as much again each day. What is kept of it
when the runs have ended is the operator's choice (`NIXFLEET_LOG_KEEP_HOST_BYTES`)."""

# Counts inside messages
RUNS_MAX = 256
"""Unfinished or undelivered runs an agent lists in `register`."""
HOSTS_MAX = 2000
"""Hosts in a snapshot: ten times the largest fleet we design for."""
NAMES_MAX = 64
"""Capabilities, commands, and similar short lists."""
FAILURES_MAX = 64
"""Failed tests detailed in one report; the rest is only counted."""
STEPS_MAX = 32
"""Steps of one command."""
BUILD_FAILURES_MAX = 16
"""Failed derivations detailed in one result, with the end of their logs: 16 × 4 KiB."""
CHANGES_MAX = 16 * KIB
"""Characters of a closure difference in a result (the log has the whole)."""
GENERATIONS_MAX = 100
"""Generations a host lists: the newest, which are what one returns to."""
BULK_MAX = 500
"""Hosts in one bulk dispatch."""
POINTS_MAX = 3000
"""Points of one metrics history: 24 hours at 30 seconds is 2,880."""
SUBSCRIPTIONS_MAX = 32
"""Runs one browser connection may follow at once."""
ADOPTED_MAX = 32
"""Runs the server takes over from one host, while it lives, that only the host knows: after a restored backup there are a
few. A host that makes up more would fill the table."""
CONNECTIONS_MAX = 2000
"""Connections a server serves at once: ten for each host of the largest fleet we design for. Fewer where the system
allows a process few files; half of those are left to logs and the database."""

WATCHERS_MAX = 64
"""Browser sockets of one session or token at once: many tabs and scripts, and not what fills a server with snapshots."""

# Rates, a second on one connection; so many more may come at once that an honest peer never meets them
PINGS_PER_SECOND = 10
"""WebSocket pings we answer: keep-alive needs one in many seconds, and each answer is work and memory of ours."""
TALK_PER_SECOND, TALK_BURST = 50, 1000
"""Messages of an agent that are not output: heartbeats at the shortest interval are 10, progress is 4 for each run. The
burst is the results of RUNS_MAX runs after a long outage, begun and ended, and some."""
REFUSED_PER_SECOND, REFUSED_BURST = 20, 2000
"""Output records whose content broke a rule: each is looked at by itself, which costs a hundred times a good one."""

# Texts, in characters
HOSTNAME_MAX = 63
"""RFC 1123 label."""
WORD_MAX = 64
"""Versions, platform names, commands, phases."""
PATH_MAX = 1024
NOTES_MAX = 4 * KIB
"""The operator's notes on a host."""
TEXT_MAX = 1024
"""One-line messages meant for a person."""
FAILURE_OUTPUT_MAX = 4 * KIB
"""The tail of a failed test's output inside its report (the whole is in the log)."""
PASSWORD_MAX = 1024
"""Characters of a password before hashing, so that a megabyte can't be hashed for a stranger."""
LOGIN_BODY_MAX = 4 * KIB
"""Bytes of a login's body: what a stranger may make the server read."""

# Time, in seconds
REGISTER_TIMEOUT = 10.0
"""From WebSocket upgrade to `register`."""
HEAD_TIMEOUT = 10.0
"""From connecting to the whole head of an HTTP request: who drips holds a connection no longer than that."""
BODY_TIMEOUT = 10.0
"""For the body of an HTTP request: 64 KiB on the slowest line one works over."""
PING_INTERVAL = 15.0
"""The server pings each agent this often, so that silence means something."""
SILENCE_MAX = 45.0
"""Nothing received for this long: the connection is dead (three pings missed)."""
INTERVAL_DEFAULT = 30.0
"""Heartbeats (FR-1.2)."""
INTERVAL_MIN, INTERVAL_MAX = 0.1, 3600.0
TIMEOUT_MAX = 7 * 24 * 3600.0
"""The longest time-out one may ask for a command."""
BACKOFF_MIN, BACKOFF_MAX = 1.0, 60.0
"""Reconnect: full jitter below an exponential ceiling (FR-1.8)."""

# Numbers
SEQ_MAX = 2**53 - 1
"""Sequence numbers, byte counts and milliseconds stay exact in JavaScript."""
