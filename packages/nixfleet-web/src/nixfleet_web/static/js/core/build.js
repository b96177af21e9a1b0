/** What a host runs, in a line, and what sets it apart from what it should run, as chips. Pure. */

import { ago, plural, shortCommit } from "./format.js";

/**
 * @typedef {{label: string, tone: "ok"|"warn"|"bad"|"work"|"idle", shape: string, title: string}} Chip
 * @typedef {import("./types.js").Facts} Facts
 */

/** What `facts.system` says beyond `normal`. @type {Record<string, [string, string]>} */
const SYSTEM = {
  staged: ["staged", "The next boot starts another system than the one that runs"],
  test: ["on trial", "It runs a system that the next boot doesn't start"],
  drift: ["drifted", "It runs another system than its profile says, and NixFleet didn't do that"],
};

/** @type {Record<string, [string, "warn"|"idle"]>} */
const REBOOT = { required: ["reboot needed", "warn"], advised: ["reboot advised", "idle"] };

/** @param {Facts|null} facts */
export const generationOf = (facts) => (facts?.generation ? `Gen ${facts.generation}` : "–");

/** @param {Facts|null} facts @param {number} now @returns {Chip[]} */
export function chips(facts, now) {
  if (!facts) return [];
  const found = /** @type {Chip[]} */ ([]);
  const { behind, wanted_commit: wanted, wanted_at: fetched } = facts;
  if (behind) {
    const as = fetched === null ? "" : `, as fetched ${ago(fetched, now)}`;
    found.push({ label: `${behind} behind`, tone: "warn", shape: "down", title: `${plural(behind, "commit")} behind ${facts.branch ?? "its branch"} (${shortCommit(wanted)})${as}` });
  }
  if (facts.dirty) found.push({ label: "dirty", tone: "warn", shape: "triangle", title: "Its repository has changes that are in no commit" });
  const system = SYSTEM[facts.system ?? ""];
  if (system) found.push({ label: system[0], tone: "warn", shape: "half", title: system[1] });
  const reboot = REBOOT[facts.reboot ?? ""];
  if (reboot) {
    const why = facts.reboot_reasons.join(", ");
    found.push({ label: reboot[0], tone: reboot[1], shape: "power", title: why ? `Because of: ${why}` : "So that all of its profile runs" });
  }
  if (facts.specialisation) found.push({ label: facts.specialisation, tone: "idle", shape: "half", title: "The specialisation that runs" });
  return found;
}

/** Load against the number of processors: percent of what they can take. @param {import("./types.js").Metrics} metrics */
export const loadShare = ({ load, cores }) => (load === null || !cores ? null : Math.min(100, (100 * load) / cores));
