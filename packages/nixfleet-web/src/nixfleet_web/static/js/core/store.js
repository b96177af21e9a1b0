/**
 * What the page knows of the fleet: a value and one function. `reduce` takes the state and a message and returns the new
 * state; it never changes what it was given, so a view sees by identity what is new.
 */
import * as defaults from "./defaults.js";

/** @typedef {import("./types.js").Fleet} Fleet @typedef {import("./types.js").Host} Host @typedef {import("./types.js").Run} Run */

const RUNS_KEPT = 300; // enough for the history on screen; older ones are asked for again

const RANK = { high: 0, medium: 1, low: 2 };

/** @returns {Fleet} */
export const initial = () => ({
  synced: false,
  serverVersion: "",
  clockOffset: 0,
  hosts: new Map(),
  runs: new Map(),
});

/** By criticality, then name: the server's order, for a host that arrives between snapshots. @param {Host} a @param {Host} b */
export function compareHosts(a, b) {
  const rank = (RANK[a.criticality] ?? 1) - (RANK[b.criticality] ?? 1);
  if (rank !== 0) return rank;
  return a.host_id < b.host_id ? -1 : a.host_id > b.host_id ? 1 : 0;
}

/** @type {Record<string, (fleet: Fleet, payload: any, now: number) => Fleet>} */
const HANDLERS = {
  snapshot(_, payload, now) {
    const hosts = (payload.hosts ?? []).map(defaults.host);
    return {
      synced: true,
      serverVersion: payload.server_version,
      clockOffset: payload.at - now,
      hosts: new Map(hosts.map((/** @type {Host} */ host) => [host.host_id, host])),
      runs: new Map(),
    };
  },

  host_update(fleet, payload) {
    const host = defaults.host(payload);
    const before = fleet.hosts.get(host.host_id);
    const hosts = new Map(fleet.hosts).set(host.host_id, host);
    if (before && before.criticality === host.criticality) return { ...fleet, hosts };
    return { ...fleet, hosts: new Map([...hosts].sort(([, a], [, b]) => compareHosts(a, b))) };
  },

  host_removed(fleet, payload) {
    if (!fleet.hosts.has(payload.host_id)) return fleet;
    const hosts = new Map(fleet.hosts);
    hosts.delete(payload.host_id);
    return { ...fleet, hosts };
  },

  run_update(fleet, payload) {
    const run = defaults.run(payload);
    return { ...fleet, runs: withRun(fleet.runs, run), hosts: withLastRun(fleet.hosts, run) };
  },

  command_progress(fleet, payload) {
    const run = fleet.runs.get(payload.run_id) ?? lastRun(fleet, payload.host_id, payload.run_id);
    if (!run || run.state === "ended") return fleet;
    const moved = { ...run, progress: defaults.progress(payload.progress) };
    return { ...fleet, runs: withRun(fleet.runs, moved), hosts: withLastRun(fleet.hosts, moved) };
  },
};

/**
 * @param {Fleet} fleet
 * @param {import("./types.js").Message} message one of the server's messages; of an unknown type: no change
 * @param {number} [now] this machine's clock, milliseconds
 * @returns {Fleet}
 */
export function reduce(fleet, message, now = 0) {
  const handler = Object.hasOwn(HANDLERS, message.type) ? HANDLERS[message.type] : undefined;
  return handler ? handler(fleet, message.payload ?? {}, now) : fleet;
}

/** The run, from what was heard of it or as some host's newest. @param {Fleet} fleet @param {string} runId @returns {Run|null} */
export function findRun(fleet, runId) {
  const heard = fleet.runs.get(runId);
  if (heard) return heard;
  for (const host of fleet.hosts.values()) if (host.last_run?.run_id === runId) return host.last_run;
  return null;
}

/** @param {Map<string, Run>} runs @param {Run} run */
function withRun(runs, run) {
  const kept = new Map(runs);
  kept.delete(run.run_id); // so that it goes to the end: what is dropped is what was quiet longest
  kept.set(run.run_id, run);
  if (kept.size > RUNS_KEPT) kept.delete(/** @type {string} */ (kept.keys().next().value));
  return kept;
}

/** A host's newest run is a copy of the run: they must never tell different stories. @param {Map<string, Host>} hosts @param {Run} run */
function withLastRun(hosts, run) {
  const host = hosts.get(run.host_id);
  if (host?.last_run?.run_id !== run.run_id) return hosts;
  return new Map(hosts).set(host.host_id, { ...host, last_run: run });
}

/** @param {Fleet} fleet @param {string} hostId @param {string} runId */
function lastRun(fleet, hostId, runId) {
  const run = fleet.hosts.get(hostId)?.last_run;
  return run?.run_id === runId ? run : null;
}
