/** The wire leaves out fields that hold their default; here they come back, so that no view has to know. */

const RUN = {
  options: {},
  result: null,
  exit_code: null,
  message: "",
  started_by: "",
  started_at: null,
  ended_at: null,
  lines: 0,
  generation: null,
  commit: null,
  tests: null,
  outcome: null,
  bulk_id: null,
  expires_at: null,
  warn_at: null,
  timeout_at: null,
  log_removed_at: null,
  progress: null,
};

const HOST = {
  criticality: "medium",
  presence: "new",
  connected: false,
  last_seen_at: null,
  interval: 30,
  platform: "unknown",
  agent_version: null,
  protocol: null,
  compatible: true,
  commands: [],
  facts: null,
  metrics: null,
  pending_command: null,
  command_pid: null,
  run_id: null,
  last_run: null,
  queued: 0,
  notes: "",
  created_at: null,
  availability: null,
  flapping: false,
  token_overlap_until: null,
};

const FACTS = {
  os: null,
  os_version: null,
  nixpkgs_version: null,
  generation: null,
  store_path: null,
  commit: null,
  branch: null,
  repo_error: null,
  boot_id: null,
  configuration_revision: null,
  wanted_commit: null,
  wanted_at: null,
  behind: null,
  dirty: null,
  profile_path: null,
  booted_path: null,
  specialisation: null,
  kernel_running: null,
  kernel_next: null,
  system: null,
  changed_outside: null,
  reboot: null,
  reboot_reasons: [],
  failed_units: [],
  generations: [],
  store_free: null,
  store_total: null,
  launcher: null,
};
const GENERATION = { store_path: null, created_at: null, version: null, selected: false, current: false };
const METRICS = { cpu: null, ram: null, swap: null, load: null, cores: null };
const PROGRESS = { phase: "", current: 0, total: 0, passed: null, failed: null, label: "", nix: null };
const NIX = {
  planning: true,
  built: 0,
  to_build: 0,
  building: 0,
  failed: 0,
  copied: 0,
  to_copy: 0,
  unpacked: 0,
  to_unpack: 0,
  downloaded: 0,
  to_download: 0,
  current: "",
  build_phase: "",
};
const OUTCOME = {
  steps: [],
  failed_units: [],
  failures: [],
  changes: "",
  units: "",
  store_path: null,
  previous: null,
  reboot: null,
  reboot_reasons: [],
};
const STEP = { message: "", seconds: 0 };
const BUILD_FAILURE = { derivation: "", reason: "", log: "" };
const TESTS = { total: 0, passed: 0, failed: 0, failures: [] };
const FAILURE = { name: "", exit_code: null, output: "" };
const RECORD = { stream: "stdout", line: "", partial: false };

/**
 * @template T
 * @param {T|null|undefined} value
 * @param {(value: any) => any} fill
 */
const optional = (value, fill) => (value === null || value === undefined ? null : fill(value));

/** @param {any} raw @returns {import("./types.js").Progress} */
export const progress = (raw) => ({
  ...PROGRESS,
  ...raw,
  nix: optional(raw.nix, (nix) => ({ ...NIX, ...nix })),
});

/** @param {object} defaults @returns {(all: any[]|undefined) => any[]} */
const each = (defaults) => (all) => (all ?? []).map((one) => ({ ...defaults, ...one }));

/** @param {any} raw @returns {import("./types.js").Outcome} */
const outcome = (raw) => ({
  ...OUTCOME,
  ...raw,
  steps: each(STEP)(raw.steps),
  failures: each(BUILD_FAILURE)(raw.failures),
});

/** @param {any} raw @returns {import("./types.js").TestReport} */
const tests = (raw) => ({
  ...TESTS,
  ...raw,
  failures: each(FAILURE)(raw.failures),
});

/** @param {any} raw a RunView @returns {import("./types.js").Run} */
export const run = (raw) => ({
  ...RUN,
  ...raw,
  tests: optional(raw.tests, tests),
  outcome: optional(raw.outcome, outcome),
  progress: optional(raw.progress, progress),
});

/** @param {any} raw a HostView @returns {import("./types.js").Host} */
export const host = (raw) => ({
  ...HOST,
  ...raw,
  facts: optional(raw.facts, (facts) => ({ ...FACTS, ...facts, generations: each(GENERATION)(facts.generations) })),
  metrics: optional(raw.metrics, (metrics) => ({ ...METRICS, ...metrics })),
  last_run: optional(raw.last_run, run),
});

/** @param {any} raw a CommandOutput or LogRecord @returns {import("./types.js").LogRecord} */
export const record = (raw) => ({ ...RECORD, ...raw });
