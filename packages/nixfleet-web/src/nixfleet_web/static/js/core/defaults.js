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
};

const FACTS = { os: null, os_version: null, generation: null, commit: null, branch: null, repo_error: null };
const METRICS = { cpu: null, ram: null, swap: null, load: null, cores: null };
const PROGRESS = { phase: "", current: 0, total: 0, passed: null, failed: null, label: "" };
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
export const progress = (raw) => ({ ...PROGRESS, ...raw });

/** @param {any} raw @returns {import("./types.js").TestReport} */
const tests = (raw) => ({
  ...TESTS,
  ...raw,
  failures: (raw.failures ?? []).map((/** @type {any} */ failure) => ({ ...FAILURE, ...failure })),
});

/** @param {any} raw a RunView @returns {import("./types.js").Run} */
export const run = (raw) => ({
  ...RUN,
  ...raw,
  tests: optional(raw.tests, tests),
  progress: optional(raw.progress, progress),
});

/** @param {any} raw a HostView @returns {import("./types.js").Host} */
export const host = (raw) => ({
  ...HOST,
  ...raw,
  facts: optional(raw.facts, (facts) => ({ ...FACTS, ...facts })),
  metrics: optional(raw.metrics, (metrics) => ({ ...METRICS, ...metrics })),
  last_run: optional(raw.last_run, run),
});

/** @param {any} raw a CommandOutput or LogRecord @returns {import("./types.js").LogRecord} */
export const record = (raw) => ({ ...RECORD, ...raw });
