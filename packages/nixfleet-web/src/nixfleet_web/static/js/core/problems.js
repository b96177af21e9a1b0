/** Why a host needs its operator: one table, worst first. Pure. */

import { ago, plural, span } from "./format.js";
import { testWords } from "./run-result.js";
import { commandName, runWord } from "./words.js";

/**
 * @typedef {import("./types.js").Host} Host
 * @typedef {{kind: string, tone: "bad"|"warn", label: string, text: string}} Problem
 */

const FULL = 0.9; // share of the store's disk, or of memory, from which on there is little left

/** Results that need nobody: they are as wanted, or somebody just did them. */
const GOOD = new Set(["ok", "stopped"]);

/** Kind → tone, label, and the text where it holds. @type {[string, "bad"|"warn", string, (host: Host, now: number) => string][]} */
const TABLE = [
  ["unreachable", "bad", "Running, unreachable", (host, now) =>
    host.presence === "unreachable" ? `${commandName(host.pending_command ?? "A command")} was running when it was last heard, ${ago(host.last_seen_at, now)}` : ""],
  ["slow", "warn", "Takes long", (host, now) => {
    const run = host.last_run;
    if (!run || run.state !== "running" || run.warn_at === null || now < run.warn_at) return "";
    const end = run.timeout_at === null ? "" : `; it is ended in ${span(Math.max(0, run.timeout_at - now))}`;
    return `${commandName(run.command)} has run for ${span(now - (run.started_at ?? run.created_at))}${end}`;
  }],
  ["run", "bad", "Last run failed", (host) => {
    const run = host.last_run;
    if (!run || run.state !== "ended" || GOOD.has(run.result ?? "")) return "";
    return [`${commandName(run.command)} ${runWord(run).label}`, run.message || testWords(run)].filter(Boolean).join(": ");
  }],
  ["units", "bad", "Failed units", (host) =>
    host.facts?.failed_units.length ? `${plural(host.facts.failed_units.length, "unit")} failed: ${host.facts.failed_units.slice(0, 3).join(", ")}` : ""],
  ["repository", "bad", "Repository error", (host) => host.facts?.repo_error ?? ""],
  ["incompatible", "bad", "Agent too old", (host) =>
    host.compatible ? "" : `agent ${host.agent_version ?? "unknown"} can only be updated`],
  ["flapping", "bad", "Two agents, one token", (host) =>
    host.flapping ? "Two agents take turns with its token: rotate it" : ""],
  ["offline", "warn", "Offline", (host, now) =>
    host.presence === "offline" ? `Last heard ${ago(host.last_seen_at, now)}` : ""],
  ["stale", "warn", "Stale", (host, now) =>
    host.presence === "stale" ? `Connected, but silent: last heard ${ago(host.last_seen_at, now)}` : ""],
  ["disk", "warn", "Store nearly full", (host) => {
    const { store_free: free, store_total: total } = host.facts ?? {};
    if (typeof free !== "number" || !total || free / total > 1 - FULL) return "";
    return `${Math.round((free / total) * 100)} % of the store's disk is free`;
  }],
  ["memory", "warn", "Memory nearly full", (host) =>
    host.presence === "online" && (host.metrics?.ram ?? 0) >= 100 * FULL ? `${Math.round(host.metrics?.ram ?? 0)} % of memory in use` : ""],
  ["changed", "warn", "Changed from outside", (host) =>
    host.facts?.changed_outside ? "Somebody else changed its system since NixFleet left it" : ""],
];

/** @param {Host} host @param {number} now by the server's clock @returns {Problem[]} worst first */
export function problemsOf(host, now) {
  const found = [];
  for (const [kind, tone, label, say] of TABLE) {
    const text = say(host, now);
    if (text) found.push({ kind, tone, label, text });
  }
  return found;
}

/** Worst tone of one host: "" when it needs nobody. @param {Host} host @param {number} now by the server's clock @returns {"bad"|"warn"|""} */
export function need(host, now) {
  let worst = /** @type {"bad"|"warn"|""} */ ("");
  for (const [, tone, , say] of TABLE) {
    if (worst !== "bad" && say(host, now)) worst = tone;
    if (worst === "bad") return worst;
  }
  return worst;
}

/**
 * The fleet in one word, for the tab's icon and title.
 * @param {import("./types.js").Fleet} fleet
 * @param {number} now by the server's clock
 * @returns {{tone: "ok"|"warn"|"bad"|"work", needing: number}} `needing`: hosts with a problem
 */
export function fleetState(fleet, now) {
  const found = { bad: 0, warn: 0, work: 0 };
  for (const host of fleet.hosts.values()) {
    const tone = need(host, now);
    if (tone) found[tone] += 1;
    if (host.pending_command) found.work += 1;
  }
  const tone = found.bad ? "bad" : found.warn ? "warn" : found.work ? "work" : "ok";
  return { tone, needing: found.bad + found.warn };
}
