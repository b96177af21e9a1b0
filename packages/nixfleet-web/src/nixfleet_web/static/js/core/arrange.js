/** Which hosts are shown, and in which order. Pure. */

import { need } from "./problems.js";
import { platformName, presenceWord, systemName } from "./words.js";

/** @typedef {import("./types.js").Host} Host */

const NEED = { bad: 0, warn: 1, "": 2 };
const PRESENCE = { unreachable: 0, offline: 1, stale: 2, new: 3, online: 4 };

/** Highest first. @param {(host: Host) => number|null|undefined} value @returns {(a: Host, b: Host) => number} */
const highest = (value) => (a, b) => (value(b) ?? -1) - (value(a) ?? -1);

/**
 * Ways to sort; `moves`: changes with each heartbeat, so the page sorts again only now and then.
 * @type {Record<string, {label: string, moves?: boolean, compare: ((a: Host, b: Host) => number)|null}>}
 */
export const SORTS = {
  criticality: { label: "Criticality, then name", compare: null }, // as the store has them
  name: { label: "Name", compare: (a, b) => (a.host_id < b.host_id ? -1 : 1) },
  need: { label: "What needs you first", moves: true, compare: (a, b) => NEED[need(a)] - NEED[need(b)] },
  presence: { label: "Presence", moves: true, compare: (a, b) => PRESENCE[a.presence] - PRESENCE[b.presence] },
  run: { label: "Newest run first", moves: true, compare: highest((host) => host.last_run?.created_at) },
  behind: { label: "Furthest behind first", moves: true, compare: highest((host) => host.facts?.behind) },
  cpu: { label: "Highest CPU first", moves: true, compare: highest((host) => host.metrics?.cpu) },
  ram: { label: "Highest memory first", moves: true, compare: highest((host) => host.metrics?.ram) },
};

/** Groups one can narrow the list to, beside the presences. @type {Record<string, (host: Host) => boolean>} */
const GROUPS = {
  need: (host) => need(host) !== "",
  running: (host) => host.pending_command !== null,
  behind: (host) => (host.facts?.behind ?? 0) > 0 || host.facts?.dirty === true,
  reboot: (host) => host.facts?.reboot === "required" || host.facts?.reboot === "advised",
};

/** What the words of a filter are looked for in. @param {Host} host */
export function haystack(host) {
  const { facts } = host;
  const words = [
    host.host_id,
    host.criticality,
    presenceWord(host.presence).label,
    systemName(host),
    platformName(host),
    facts?.commit,
    facts?.branch,
    facts?.generation && `gen ${facts.generation}`,
    facts?.dirty && "dirty",
    (facts?.behind ?? 0) > 0 && "behind",
    GROUPS.reboot(host) && "reboot",
    host.agent_version && `agent ${host.agent_version}`,
    host.notes,
  ];
  return words.filter(Boolean).join(" ").toLowerCase();
}

/** @param {Host} host @param {string} group a presence or one of GROUPS; empty: all */
export const inGroup = (host, group) => !group || (GROUPS[group] ? GROUPS[group](host) : host.presence === group);

/**
 * @param {Iterable<Host>} hosts by criticality, then name
 * @param {{text: string, group: string, sort: string}} wanted `text`: all of its words must be found
 * @returns {string[]} names of the hosts to show, in order
 */
export function arrange(hosts, { text, group, sort }) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = [];
  for (const host of hosts) {
    if (!inGroup(host, group)) continue;
    if (words.length) {
      const hay = haystack(host);
      if (!words.every((word) => hay.includes(word))) continue;
    }
    shown.push(host);
  }
  const compare = SORTS[sort]?.compare;
  if (compare) shown.sort(compare); // stable: ties stay by criticality, then name
  return shown.map((host) => host.host_id);
}
