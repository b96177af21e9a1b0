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
  const reboot = REBOOT[facts.reboot ?? ""];
  if (reboot) {
    // First: where there is no room for all of them, this one must be seen.
    const why = facts.reboot_reasons.join(", ");
    found.push({ label: reboot[0], tone: reboot[1], shape: "power", title: why ? `Because of: ${why}` : "So that all of its profile runs" });
  }
  const { behind, wanted_commit: wanted, wanted_at: fetched } = facts;
  if (behind) {
    const as = fetched === null ? "" : `, as fetched ${ago(fetched, now)}`;
    found.push({ label: `${behind} behind`, tone: "warn", shape: "down", title: `${plural(behind, "commit")} behind ${facts.branch ?? "its branch"} (${shortCommit(wanted)})${as}` });
  }
  if (facts.dirty) found.push({ label: "dirty", tone: "warn", shape: "triangle", title: "Its repository has changes that are in no commit" });
  const system = SYSTEM[facts.system ?? ""];
  if (system) found.push({ label: system[0], tone: "warn", shape: "half", title: system[1] });
  if (facts.specialisation) found.push({ label: facts.specialisation, tone: "idle", shape: "half", title: "The specialisation that runs" });
  return found;
}

/**
 * How many of the chips are shown where there is room for one line of them: all, or as many as leave room to say how many
 * more there are.
 * @param {number[]} widths pixels of each @param {number} room @param {number} gap between two @param {number} more width of what says that
 */
export function fitting(widths, room, gap, more) {
  let used = -gap;
  let shown = 0; // that leave room for `more`
  for (const [at, width] of widths.entries()) {
    used += width + gap;
    if (used + gap + more <= room) shown = at + 1;
  }
  return used <= room ? widths.length : Math.max(1, shown);
}

/** Load against the number of processors: percent of what they can take. @param {import("./types.js").Metrics} metrics */
export const loadShare = ({ load, cores }) => (load === null || !cores ? null : Math.min(100, (100 * load) / cores));
