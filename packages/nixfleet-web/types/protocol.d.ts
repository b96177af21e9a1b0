/** Made by `python -m scripts.web_types` from the protocol's JSON schema: change the messages, not this. */
declare namespace protocol {
  /** GET /about: versions of all parts. */
  interface About {
    server_version: string;
    web_version: string;
    protocol: string;
    python: string;
    /** as `sqlite 3.45.1` */
    database: string;
    /** milliseconds since 1970-01-01 UTC */
    started_at: number;
    /** seconds */
    uptime: number;
    /** size of the data directory */
    data_bytes: number;
    /** space left where it is */
    free_bytes: number;
  }
  /** GET /access: how one logs in here. */
  interface AccessView {
    /** where it is set; `environment` can't be changed here */
    password: "environment" | "database" | "none";
    /** where the second factor is set */
    totp: "environment" | "database" | "none";
    /** unused ones */
    recovery_codes: number;
  }
  /** Every record of the run up to `seq` is durable at the server; with `ended` its result is too. */
  interface Ack {
    /** id of the run, given by the server */
    run_id: string;
    /** last durable record; 0 when there is none */
    seq: number;
    /** the result is durable; the agent may forget the run */
    ended: boolean;
  }
  /** Something that somebody did, or tried to. */
  interface AuditEntry {
    id: number;
    /** milliseconds since 1970-01-01 UTC */
    at: number;
    /** `admin`, an API token's name, a host, or empty for a stranger */
    who: string;
    /** the client's address */
    address: string;
    /** as `login`, `run.start`, `host.remove` */
    action: string;
    /** what it was done to */
    subject: string;
    /** `ok`, or the problem's code */
    outcome: string;
    detail: string;
    /** id of the run, given by the server */
    run_id: string | null;
  }
  /** GET /audit, newest first. `?limit=N&before=ID`. */
  interface AuditPage {
    entries: (AuditEntry)[];
    /** pass as `before` for the next page; null on the last */
    next: number | null;
  }
  /** A derivation that did not build: its own failure, not that of something it needs. */
  interface BuildFailure {
    name: string;
    /** store path, for `nix log` */
    derivation: string;
    /** what Nix says went wrong */
    reason: string;
    /** the last lines its builder printed */
    log: string;
  }
  /** One host of a bulk dispatch. */
  interface BulkItem {
    /** the host's short name, which is its id everywhere */
    host_id: string;
    /** null while it waits its turn, and where it was refused */
    run: RunView | null;
    /** why it was refused, as `host_offline`; empty if it was not */
    problem: string;
    detail: string;
  }
  /** POST /runs: one command on many hosts, one run each. Answers BulkView. */
  interface BulkRequest {
    /** the host's short name, which is its id everywhere */
    hosts: (string)[];
    /** name of the command */
    command: string;
    options: Options;
    /** at most so many run at a time, in the order given; 0: all */
    concurrency: number;
    /** after one fails, what has not begun is not begun */
    stop_on_failure: boolean;
  }
  /** Answer to POST /runs, GET /bulk/{id} and POST /bulk/{id}/stop. */
  interface BulkView {
    /** id of the run, given by the server */
    bulk_id: string;
    /** name of the command */
    command: string;
    state: "running" | "ended";
    /** in the order given */
    items: (BulkItem)[];
  }
  /** Start a run. Sent again under the same `run_id` it is answered with that run's state, never started twice. */
  interface CommandMessage {
    /** id of the run, given by the server */
    run_id: string;
    /** name of the command */
    command: string;
    options: Options;
  }
  /** One record of a subscribed run's log, in order and without gaps. */
  interface CommandOutput {
    /** the host's short name, which is its id everywhere */
    host_id: string;
    /** id of the run, given by the server */
    run_id: string;
    /** name of the command */
    command: string;
    /** counts from 1 without gaps over all streams of the run */
    seq: number;
    /** where the line came from; `note` is NixFleet's own word between the program's lines */
    stream: "stdout" | "stderr" | "note";
    /** the output as text, see Encoding of bytes; never holds a line feed */
    line: string;
    /** milliseconds since 1970-01-01 UTC */
    at: number;
    /** the line goes on in the next record of this stream */
    partial: boolean;
  }
  /** How far a run is. */
  interface CommandProgress {
    /** the host's short name, which is its id everywhere */
    host_id: string;
    /** id of the run, given by the server */
    run_id: string;
    /** name of the command */
    command: string;
    progress: ProgressState;
  }
  /** POST /enroll: public, the token is all it needs. */
  interface Enroll {
    token: string;
    /** the host's short name, which is its id everywhere */
    hostname: string;
  }
  /** GET /enroll-tokens, newest first. DELETE /enroll-tokens/{id} revokes one. */
  interface EnrollTokenList {
    tokens: (EnrollTokenView)[];
  }
  /** POST /enroll-tokens: lets one agent in once and creates its host. */
  interface EnrollTokenRequest {
    /** the only name it may take; null: what the agent calls itself */
    host: string | null;
    /** seconds */
    expires_in: number;
  }
  /** A one-time enrolment token, without its secret. */
  interface EnrollTokenView {
    id: string;
    /** the host's short name, which is its id everywhere */
    host: string | null;
    /** milliseconds since 1970-01-01 UTC */
    created_at: number;
    /** milliseconds since 1970-01-01 UTC */
    expires_at: number;
    /** the host that came of it */
    used_by: string | null;
  }
  /** Answer to POST /enroll. */
  interface Enrolled {
    /** the host's short name, which is its id everywhere */
    host_id: string;
    /** the host's own, shown this once */
    token: string;
  }
  /** What a host is and runs. A missing fact is null, never a guess. */
  interface Facts {
    /** operating system, as `NixOS` or `macOS` or a distribution's name */
    os: string | null;
    /** its version */
    os_version: string | null;
    /** nixpkgs version or revision the system was built from */
    nixpkgs_version: string | null;
    /** the deployed system: profile generation number, or a short id */
    generation: string | null;
    /** the current system's store path */
    store_path: string | null;
    /** commit checked out in the agent's repository */
    commit: string | null;
    /** branch the repository follows */
    branch: string | null;
    /** why the repository can't be used, if so */
    repo_error: string | null;
    /** changes with each boot */
    boot_id: string | null;
    /** commit the running system was built from, where its flake tells; `-dirty` if it was */
    configuration_revision: string | null;
    /** newest commit of the branch, as last fetched */
    wanted_commit: string | null;
    /** when it was last fetched */
    wanted_at: number | null;
    /** commits from `commit` to `wanted_commit` */
    behind: number | null;
    /** the working tree has changes of its own */
    dirty: boolean | null;
    /** store path of the profile's system: what the next boot starts */
    profile_path: string | null;
    /** store path of the system that was booted */
    booted_path: string | null;
    /** the specialisation that runs, if one does */
    specialisation: string | null;
    /** version of the kernel that runs */
    kernel_running: string | null;
    /** version of the kernel that the next boot starts */
    kernel_next: string | null;
    /** `staged`: the next boot starts another system; `test`: it runs another on trial; `drift`: it differs unasked */
    system: "normal" | "staged" | "test" | "drift" | "unknown" | null;
    /** somebody else changed the system since NixFleet left it */
    changed_outside: boolean | null;
    /** whether a reboot is needed for all of the profile to run */
    reboot: "required" | "advised" | "no" | "unknown" | null;
    /** as `kernel`, `initrd` */
    reboot_reasons: (string)[];
    /** units in failed state */
    failed_units: (string)[];
    /** the newest, rising by number */
    generations: (Generation)[];
    /** bytes free where the store is */
    store_free: number | null;
    /** bytes of that file system */
    store_total: number | null;
    /** `socket`: a root runner by socket activation; `spawn`: runners of the agent's own user */
    launcher: "socket" | "spawn" | null;
  }
  /** GET /stats: the last 30 days. */
  interface FleetStats {
    hosts: number;
    online: number;
    /** switches, roll backs and updates that ended */
    deployments: number;
    /** of them, those that ended as `ok` */
    successful: number;
    /** mean over the hosts */
    availability: number | null;
  }
  /** One generation of the host's profile: something one can return to. */
  interface Generation {
    number: number;
    /** null if it was deleted from the store */
    store_path: string | null;
    /** milliseconds since 1970-01-01 UTC */
    created_at: number | null;
    /** its version label, where it has one */
    version: string | null;
    /** the profile points to it */
    selected: boolean;
    /** it is what runs now */
    current: boolean;
  }
  /** The server is about to close; come back between `retry_min` and `retry_max` seconds from now. */
  interface Goodbye {
    reason: "shutdown" | "replaced" | "revoked" | "removed";
    /** the reason in words */
    message: string;
    /** seconds to stay away at least */
    retry_min: number;
    /** seconds to stay away at most */
    retry_max: number;
  }
  /** Sent right after `registered` and then every interval, also while a command runs. */
  interface Heartbeat {
    /** the agent's clock, to reveal skew */
    at: number;
    /** null when unchanged since the last one sent on this connection */
    facts: Facts | null;
    /** null when not available */
    metrics: Metrics | null;
    /** the command that runs, if any */
    pending_command: string | null;
    /** process id of its runner */
    command_pid: number | null;
    /** its run */
    run_id: string | null;
  }
  /** The server's answer to a KnownRun. */
  interface HeldRun {
    /** id of the run, given by the server */
    run_id: string;
    /** the server has every record up to this one, durably; send from the next */
    have: number;
    /** the server holds the result durably; the agent may forget the run */
    ended: boolean;
  }
  /** PATCH /hosts/{id}; null leaves a field as it is. Answers HostView. */
  interface HostChange {
    /** how much it matters, for the order of the list */
    criticality: "high" | "medium" | "low" | null;
    notes: string | null;
  }
  /** GET /hosts: by criticality, then name. */
  interface HostList {
    hosts: (HostView)[];
  }
  /** A host was removed. */
  interface HostRemoved {
    /** the host's short name, which is its id everywhere */
    host_id: string;
  }
  /** POST /hosts: add one. Answers HostToken. */
  interface HostRequest {
    /** the host's short name, which is its id everywhere */
    host_id: string;
    /** how much it matters, for the order of the list */
    criticality: "high" | "medium" | "low";
    notes: string;
  }
  /** Answer to POST /hosts and POST /hosts/{id}/token. */
  interface HostToken {
    /** the host's short name, which is its id everywhere */
    host_id: string;
    /** shown this once */
    token: string;
    /** until then the token before it works too */
    overlap_until: number | null;
  }
  /** A host is new or changed; replaces all that was known of it. At most one per host is ever waiting to be sent. */
  interface HostUpdate {
    /** the host's short name, which is its id everywhere */
    host_id: string;
    /** how much it matters, for the order of the list */
    criticality: "high" | "medium" | "low";
    /** `new`: never connected; `stale`: silent for 2 to 3 intervals; `unreachable`: not connected while a run is under way */
    presence: "new" | "online" | "stale" | "offline" | "unreachable";
    /** its agent is connected now */
    connected: boolean;
    /** last message from it, by the server's clock */
    last_seen_at: number | null;
    /** seconds between its heartbeats */
    interval: number;
    /** how its configuration is applied */
    platform: "nixos" | "nix-darwin" | "home-manager" | "script" | "unknown";
    /** version of the nixfleet-agent package */
    agent_version: string | null;
    /** protocol version, MAJOR.MINOR */
    protocol: string | null;
    /** false: its agent is too old or too new, only `update` is possible */
    compatible: boolean;
    /** commands it can do */
    commands: (string)[];
    /** as last told; null when it never connected */
    facts: Facts | null;
    /** from the last heartbeat; null when it sent none */
    metrics: Metrics | null;
    /** the command under way, `stop` and `restart` aside */
    pending_command: string | null;
    /** process id of the runner on the host */
    command_pid: number | null;
    /** the run under way */
    run_id: string | null;
    /** the newest run: the one under way, else the last that ended */
    last_run: RunView | null;
    /** runs that wait for it to connect */
    queued: number;
    /** the operator's own words about it */
    notes: string;
    /** when it was added */
    created_at: number | null;
    /** share of the last 30 days it was there, while it was known */
    availability: number | null;
    /** two agents take turns with its token */
    flapping: boolean;
    /** until then its token before the last rotation works too */
    token_overlap_until: number | null;
  }
  /** A host as the server knows it. */
  interface HostView {
    /** the host's short name, which is its id everywhere */
    host_id: string;
    /** how much it matters, for the order of the list */
    criticality: "high" | "medium" | "low";
    /** `new`: never connected; `stale`: silent for 2 to 3 intervals; `unreachable`: not connected while a run is under way */
    presence: "new" | "online" | "stale" | "offline" | "unreachable";
    /** its agent is connected now */
    connected: boolean;
    /** last message from it, by the server's clock */
    last_seen_at: number | null;
    /** seconds between its heartbeats */
    interval: number;
    /** how its configuration is applied */
    platform: "nixos" | "nix-darwin" | "home-manager" | "script" | "unknown";
    /** version of the nixfleet-agent package */
    agent_version: string | null;
    /** protocol version, MAJOR.MINOR */
    protocol: string | null;
    /** false: its agent is too old or too new, only `update` is possible */
    compatible: boolean;
    /** commands it can do */
    commands: (string)[];
    /** as last told; null when it never connected */
    facts: Facts | null;
    /** from the last heartbeat; null when it sent none */
    metrics: Metrics | null;
    /** the command under way, `stop` and `restart` aside */
    pending_command: string | null;
    /** process id of the runner on the host */
    command_pid: number | null;
    /** the run under way */
    run_id: string | null;
    /** the newest run: the one under way, else the last that ended */
    last_run: RunView | null;
    /** runs that wait for it to connect */
    queued: number;
    /** the operator's own words about it */
    notes: string;
    /** when it was added */
    created_at: number | null;
    /** share of the last 30 days it was there, while it was known */
    availability: number | null;
    /** two agents take turns with its token */
    flapping: boolean;
    /** until then its token before the last rotation works too */
    token_overlap_until: number | null;
  }
  /** A run that the agent holds a journal of and the server has not confirmed as ended. */
  interface KnownRun {
    /** id of the run, given by the server */
    run_id: string;
    /** name of the command */
    command: string;
    /** the journal has a result */
    ended: boolean;
    /** last output record in the journal, 0 if none */
    last_seq: number;
  }
  /** One record that holds the words. */
  interface LogMatch {
    seq: number;
    /** the output as text, see Encoding of bytes; never holds a line feed */
    line: string;
  }
  /** GET /runs/{id}/log. `?from=SEQ&limit=N`; with `?format=raw` the program's own bytes instead. */
  interface LogPage {
    /** id of the run, given by the server */
    run_id: string;
    records: (LogRecord)[];
    /** ask from here for what follows */
    next_seq: number;
    /** the run has ended and this page reaches its last record */
    complete: boolean;
  }
  /** One record of a log. */
  interface LogRecord {
    /** counts from 1 without gaps over all streams of the run */
    seq: number;
    /** milliseconds since 1970-01-01 UTC */
    at: number;
    /** where the line came from; `note` is NixFleet's own word between the program's lines */
    stream: "stdout" | "stderr" | "note";
    /** the output as text, see Encoding of bytes; never holds a line feed */
    line: string;
    /** the line goes on in the next record of this stream */
    partial: boolean;
  }
  /** GET /runs/{id}/search. `?q=TEXT&from=SEQ&limit=N`: case-insensitive, over the whole log. */
  interface LogSearch {
    /** id of the run, given by the server */
    run_id: string;
    /** rising by seq, from `from` on */
    matches: (LogMatch)[];
    /** matches in the whole log, counted to 100,000 */
    total: number;
    /** ask from here for more; null when there is no more */
    next_seq: number | null;
  }
  /** POST /session. */
  interface Login {
    password: string;
    /** the second factor, where one is set */
    code: string | null;
  }
  /** Load of the host, from StaSysMo files or measured by the agent. */
  interface Metrics {
    /** busy share of all cores since the last heartbeat, percent */
    cpu: number | null;
    /** memory in use, percent */
    ram: number | null;
    /** swap in use, percent */
    swap: number | null;
    /** 1-minute load average */
    load: number | null;
    /** logical processors, to judge the load by */
    cores: number | null;
  }
  /** GET /hosts/{id}/metrics: the last 24 hours, as columns of one length, rising by time. */
  interface MetricsHistory {
    /** the host's short name, which is its id everywhere */
    host_id: string;
    /** milliseconds since 1970-01-01 UTC */
    at: (number)[];
    cpu: (number | null)[];
    ram: (number | null)[];
    swap: (number | null)[];
    load: (number | null)[];
  }
  /** Answer to POST /enroll-tokens. */
  interface NewEnrollToken {
    id: string;
    /** the host's short name, which is its id everywhere */
    host: string | null;
    /** milliseconds since 1970-01-01 UTC */
    created_at: number;
    /** milliseconds since 1970-01-01 UTC */
    expires_at: number;
    /** the host that came of it */
    used_by: string | null;
    /** shown this once */
    token: string;
  }
  /** Answer to POST /tokens. */
  interface NewToken {
    id: string;
    name: string;
    /** `operate`: also start and stop runs; `admin`: everything */
    scope: "read" | "operate" | "admin";
    /** milliseconds since 1970-01-01 UTC */
    created_at: number;
    /** milliseconds since 1970-01-01 UTC */
    expires_at: number | null;
    /** milliseconds since 1970-01-01 UTC */
    last_used_at: number | null;
    /** shown this once */
    token: string;
  }
  /** How far Nix is, as its own progress bar counts. Totals grow while it plans. */
  interface NixProgress {
    /** totals are still a guess: show no percentage */
    planning: boolean;
    /** derivations built */
    built: number;
    /** derivations to build in all */
    to_build: number;
    /** derivations being built now */
    building: number;
    /** derivations that failed */
    failed: number;
    /** store paths copied */
    copied: number;
    /** store paths to copy in all */
    to_copy: number;
    /** bytes added to the store */
    unpacked: number;
    /** bytes to add in all */
    to_unpack: number;
    /** bytes received over the network */
    downloaded: number;
    /** bytes to receive in all */
    to_download: number;
    /** name of what it builds now, else of what it copies */
    current: string;
    /** phase of `current`, as `buildPhase` */
    build_phase: string;
  }
  /** Something to tell the operator. */
  interface Notice {
    level: "info" | "warning" | "error";
    /** for the operator to read */
    text: string;
    /** the run it is about, as for a subscription that was refused */
    run_id: string | null;
  }
  /** Options of a command; which command takes which is in the commands table. */
  interface Options {
    /** branch, tag or commit instead of the configured branch */
    ref: string | null;
    /** generation to return to, or to compare with what runs */
    generation: number | null;
    /** for `stop`: the run to stop; without it whatever runs */
    target: string | null;
    /** seconds after which the run is ended as `timed_out` */
    timeout: number | null;
    /** keep the run until the host is connected and free, instead of refusing it */
    queue: boolean;
    /** seconds a queued run waits for its host; then it is `expired` */
    expires: number | null;
    /** switch: also to a system that was rolled back before; stop: also an activation */
    force: boolean;
    /** why, for the record */
    reason: string | null;
  }
  /** What a command left behind beyond its result; every part is empty where it doesn't apply. */
  interface Outcome {
    steps: (Step)[];
    /** units that failed to start */
    failed_units: (string)[];
    /** what did not build */
    failures: (BuildFailure)[];
    /** closure difference, one package a line */
    changes: string;
    /** units that would change, as dry activation tells */
    units: string;
    /** the system that was built */
    store_path: string | null;
    /** the system that ran before */
    previous: string | null;
    /** whether a reboot is needed afterwards */
    reboot: "required" | "advised" | "no" | "unknown" | null;
    reboot_reasons: (string)[];
  }
  /** One record of a run's log, already on the agent's disk. */
  interface Output {
    /** id of the run, given by the server */
    run_id: string;
    /** name of the command */
    command: string;
    /** counts from 1 without gaps over all streams of the run */
    seq: number;
    /** where the line came from; `note` is NixFleet's own word between the program's lines */
    stream: "stdout" | "stderr" | "note";
    /** the output as text, see Encoding of bytes; never holds a line feed */
    line: string;
    /** milliseconds since 1970-01-01 UTC */
    at: number;
    /** the line goes on in the next record of this stream */
    partial: boolean;
  }
  /** POST /password. Every other session ends. */
  interface PasswordChange {
    current: string;
    new: string;
  }
  /** Sent every 15 seconds, so that silence means a dead connection. */
  interface Ping {
    /** milliseconds since 1970-01-01 UTC */
    at: number;
  }
  /** Answer to `ping`. */
  interface Pong {
    /** copied from the ping */
    at: number;
  }
  /** Every error answer (RFC 9457, application/problem+json). */
  interface Problem {
    type: string;
    /** the kind of error in words */
    title: string;
    /** the HTTP status, again */
    status: number;
    /** stable word to branch on, as `host_offline` */
    code: string;
    /** what was wrong and what to do */
    detail: string;
  }
  /** How far a run is, at most 4 times a second. */
  interface Progress {
    /** id of the run, given by the server */
    run_id: string;
    /** name of the command */
    command: string;
    progress: ProgressState;
  }
  /** How far a run is. Latest wins; it is not kept when a connection breaks. */
  interface ProgressState {
    /** what it does now: `fetch`, `switch`, `test`, … */
    phase: string;
    /** steps done */
    current: number;
    /** steps in all; 0 while unknown */
    total: number;
    /** tests passed so far */
    passed: number | null;
    /** tests failed so far */
    failed: number | null;
    /** the current step in words, as `3/10 T03-dns.sh` */
    label: string;
    /** what Nix builds and copies, while it does */
    nix: NixProgress | null;
  }
  /** Answer to POST /totp/confirm and POST /totp/recovery: shown once; each works once instead of a code. */
  interface RecoveryCodes {
    codes: (string)[];
  }
  /** First message on a connection: who the agent is, what it can do, which runs it holds. */
  interface Register {
    /** for display and checks only: the token alone says which host this is */
    hostname: string;
    /** highest version the agent speaks */
    protocol: string;
    /** version of the nixfleet-agent package */
    agent_version: string;
    /** how its configuration is applied */
    platform: "nixos" | "nix-darwin" | "home-manager" | "script";
    /** seconds between heartbeats */
    interval: number;
    /** see `versions.CAPABILITIES` */
    capabilities: (string)[];
    /** commands this host can do */
    commands: (string)[];
    facts: Facts;
    /** journals the server may not have whole */
    runs: (KnownRun)[];
  }
  /** The connection is established: what was agreed, and where each run goes on. */
  interface Registered {
    /** the host's short name, which is its id everywhere */
    host_id: string;
    /** the agreed version */
    protocol: string;
    /** version of the nixfleet-server package */
    server_version: string;
    /** the server's clock */
    at: number;
    /** false: only `command update` can follow */
    compatible: boolean;
    /** what both can do */
    capabilities: (string)[];
    /** one for each run of `register` */
    runs: (HeldRun)[];
  }
  /** GET /runs, newest first. `?host=NAME&limit=N&before=RUN`. */
  interface RunList {
    runs: (RunView)[];
    /** pass as `before` for the next page; null on the last */
    next: string | null;
  }
  /** POST /hosts/{id}/runs. */
  interface RunRequest {
    /** name of the command */
    command: string;
    options: Options;
  }
  /** A run is new or changed. Also the first answer to `subscribe`. */
  interface RunUpdate {
    /** id of the run, given by the server */
    run_id: string;
    /** the host's short name, which is its id everywhere */
    host_id: string;
    /** name of the command */
    command: string;
    options: Options;
    /** see States of a run */
    state: "queued" | "sent" | "running" | "ended";
    /** null until `ended` */
    result: "ok" | "failed" | "degraded" | "unconfirmed" | "stopped" | "rolled_back" | "rejected" | "interrupted" | "expired" | "timed_out" | "lost" | null;
    /** the command's own exit code; 128+n for signal n */
    exit_code: number | null;
    /** the outcome in one line */
    message: string;
    /** `admin`, or the API token's name */
    started_by: string;
    /** milliseconds since 1970-01-01 UTC */
    created_at: number;
    /** when the agent began */
    started_at: number | null;
    /** when the result became durable here */
    ended_at: number | null;
    /** records in the log so far; final once `ended` */
    lines: number;
    /** the host's generation afterwards */
    generation: string | null;
    /** the repository's commit afterwards */
    commit: string | null;
    /** for `test` */
    tests: TestReport | null;
    /** steps, failed units, failed builds, closure difference */
    outcome: Outcome | null;
    /** the bulk dispatch it belongs to */
    bulk_id: string | null;
    /** when it is given up, while it is queued */
    expires_at: number | null;
    /** when it counts as slow; null once the operator chose to ignore that */
    warn_at: number | null;
    /** when it is ended as `timed_out`; null: never */
    timeout_at: number | null;
    /** the newest, while it runs */
    progress: ProgressState | null;
    /** when its log was removed, as the operator's settings say */
    log_removed_at: number | null;
  }
  /** A run as the server knows it. */
  interface RunView {
    /** id of the run, given by the server */
    run_id: string;
    /** the host's short name, which is its id everywhere */
    host_id: string;
    /** name of the command */
    command: string;
    options: Options;
    /** see States of a run */
    state: "queued" | "sent" | "running" | "ended";
    /** null until `ended` */
    result: "ok" | "failed" | "degraded" | "unconfirmed" | "stopped" | "rolled_back" | "rejected" | "interrupted" | "expired" | "timed_out" | "lost" | null;
    /** the command's own exit code; 128+n for signal n */
    exit_code: number | null;
    /** the outcome in one line */
    message: string;
    /** `admin`, or the API token's name */
    started_by: string;
    /** milliseconds since 1970-01-01 UTC */
    created_at: number;
    /** when the agent began */
    started_at: number | null;
    /** when the result became durable here */
    ended_at: number | null;
    /** records in the log so far; final once `ended` */
    lines: number;
    /** the host's generation afterwards */
    generation: string | null;
    /** the repository's commit afterwards */
    commit: string | null;
    /** for `test` */
    tests: TestReport | null;
    /** steps, failed units, failed builds, closure difference */
    outcome: Outcome | null;
    /** the bulk dispatch it belongs to */
    bulk_id: string | null;
    /** when it is given up, while it is queued */
    expires_at: number | null;
    /** when it counts as slow; null once the operator chose to ignore that */
    warn_at: number | null;
    /** when it is ended as `timed_out`; null: never */
    timeout_at: number | null;
    /** the newest, while it runs */
    progress: ProgressState | null;
    /** when its log was removed, as the operator's settings say */
    log_removed_at: number | null;
  }
  /** One session of the operator. */
  interface SessionInfo {
    id: string;
    /** the one that asks */
    current: boolean;
    /** milliseconds since 1970-01-01 UTC */
    created_at: number;
    /** milliseconds since 1970-01-01 UTC */
    expires_at: number;
    /** milliseconds since 1970-01-01 UTC */
    last_seen_at: number | null;
    /** where it was last used from */
    address: string;
    /** browser and system, as it tells */
    client: string;
  }
  /** GET /sessions, newest first. DELETE /sessions/{id} ends one, DELETE /sessions all but the one that asks. */
  interface SessionList {
    sessions: (SessionInfo)[];
  }
  /** Answer to POST and GET /session. */
  interface SessionView {
    /** to be sent as X-CSRF-Token with every request that changes something */
    csrf: string;
    /** milliseconds since 1970-01-01 UTC */
    expires_at: number;
  }
  /** POST /setup: the first password, with the code of the one-time link the server printed: `…/setup#CODE`, behind `#` so that no log gets it. Answers SessionView; a password has at least 12 characters. */
  interface SetUp {
    code: string;
    password: string;
  }
  /** First message on a connection: everything, in the order to show it. Updates follow. */
  interface Snapshot {
    /** protocol version, MAJOR.MINOR */
    protocol: string;
    /** version of the nixfleet-server package */
    server_version: string;
    /** the server's clock */
    at: number;
    /** by criticality, then name */
    hosts: (HostView)[];
  }
  /** A run began (`running`) or ended (any other status). The end is sent until the server acknowledges it. */
  interface Status {
    /** id of the run, given by the server */
    run_id: string;
    /** name of the command */
    command: string;
    /** `running` when it began, else how it ended */
    status: "running" | "ok" | "failed" | "degraded" | "unconfirmed" | "stopped" | "rolled_back" | "rejected" | "interrupted" | "timed_out";
    /** when it began or ended, by the agent's clock */
    at: number;
    /** last record of the log; the run ends at the server when it is durable through it */
    last_seq: number;
    /** the command's exit code; 128+n for signal n */
    exit_code: number | null;
    /** the outcome in one line */
    message: string;
    /** process id of the runner */
    pid: number | null;
    /** generation afterwards */
    generation: string | null;
    /** the repository's commit afterwards */
    commit: string | null;
    /** for `test` */
    tests: TestReport | null;
    /** steps, failed units, failed builds, closure difference */
    outcome: Outcome | null;
  }
  /** One step of a command that has several, in the order they began. */
  interface Step {
    /** `pull`, `build`, `activate`, `confirm`, `profile`, `boot`, `rollback`, … */
    name: string;
    /** `skipped`: not needed, `message` says why */
    outcome: "ok" | "degraded" | "failed" | "skipped" | "stopped";
    /** the outcome in one line */
    message: string;
    /** how long it took */
    seconds: number;
  }
  /** Send a run's log from a record on: history, then live, through one path. Subscribing beyond the end is legal. */
  interface Subscribe {
    /** id of the run, given by the server */
    run_id: string;
    /** first record wanted */
    from_seq: number;
  }
  /** One failed test. */
  interface TestFailure {
    /** the script's file name */
    name: string;
    /** 128+n for signal n */
    exit_code: number | null;
    /** the end of what it printed */
    output: string;
  }
  /** Outcome of `test`. `passed + failed < total` when it was stopped. */
  interface TestReport {
    /** tests found */
    total: number;
    /** tests that exited with 0 */
    passed: number;
    /** tests that did not */
    failed: number;
    /** in the order they ran */
    failures: (TestFailure)[];
  }
  /** POST /runs/{id}/timeout: what to do about a run that takes long. Answers RunView. */
  interface TimeoutChoice {
    /** `wait`: `seconds` more; `ignore`: as long as it takes */
    action: "wait" | "stop" | "ignore";
    seconds: number | null;
  }
  /** GET /tokens, newest first. DELETE /tokens/{id} revokes one at once. */
  interface TokenList {
    tokens: (TokenView)[];
  }
  /** POST /tokens: a token for scripts. */
  interface TokenRequest {
    name: string;
    /** `operate`: also start and stop runs; `admin`: everything */
    scope: "read" | "operate" | "admin";
    /** seconds; null: never */
    expires_in: number | null;
  }
  /** POST /hosts/{id}/token: a new token. DELETE there revokes all of the host's tokens at once. */
  interface TokenRotation {
    /** seconds that the old token goes on to work; 0 ends its connection */
    overlap: number;
  }
  /** A token for scripts, without its secret. */
  interface TokenView {
    id: string;
    name: string;
    /** `operate`: also start and stop runs; `admin`: everything */
    scope: "read" | "operate" | "admin";
    /** milliseconds since 1970-01-01 UTC */
    created_at: number;
    /** milliseconds since 1970-01-01 UTC */
    expires_at: number | null;
    /** milliseconds since 1970-01-01 UTC */
    last_used_at: number | null;
  }
  /** POST /totp/confirm, DELETE /totp and POST /totp/recovery: a code, or a recovery code, and the password. */
  interface TotpCode {
    code: string;
    password: string;
  }
  /** Answer to POST /totp: a new secret, in force once POST /totp/confirm sends a code made with it. */
  interface TotpStart {
    secret: string;
    /** otpauth:// for an authenticator */
    uri: string;
    /** the same as an SVG image */
    qr: string;
  }
  /** No more of this run. */
  interface Unsubscribe {
    /** id of the run, given by the server */
    run_id: string;
  }
}
