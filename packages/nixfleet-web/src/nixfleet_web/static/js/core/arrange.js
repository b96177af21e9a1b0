/** Which hosts are shown, and in which order. Pure. */

import { need } from "./problems.js";
import { platformName, presenceWord, systemName } from "./words.js";

/** @typedef {import("./types.js").Host} Host */

const NEED = { bad: 0, warn: 1, "": 2 };
const PRESENCE = { unreachable: 0, offline: 1, stale: 2, new: 3, online: 4 };

/** Highest first. @param {(host: Host) => number|null|undefined} value @returns {(host: Host) => number} */
const highest = (value) => (host) => -(value(host) ?? -1);

/**
 * Ways to sort: by a `key` that is worked out once a host, smallest first. `moves`: changes with each heartbeat, so the
 * page sorts again only now and then.
 * @type {Record<string, {label: string, moves?: boolean, key: ((host: Host, now: number) => number|string)|null}>}
 */
export const SORTS = {
  criticality: { label: "Criticality, then name", key: null }, // as the store has them
  name: { label: "Name", key: (host) => host.host_id },
  need: { label: "What needs you first", moves: true, key: (host, now) => NEED[need(host, now)] },
  presence: { label: "Presence", moves: true, key: (host) => PRESENCE[host.presence] },
  run: { label: "Newest run first", moves: true, key: highest((host) => host.last_run?.created_at) },
  behind: { label: "Furthest behind first", moves: true, key: highest((host) => host.facts?.behind) },
  cpu: { label: "Highest CPU first", moves: true, key: highest((host) => host.metrics?.cpu) },
  ram: { label: "Highest memory first", moves: true, key: highest((host) => host.metrics?.ram) },
};

/** @param {Host} host */
const reboot = ({ facts }) => facts?.reboot === "required" || facts?.reboot === "advised";

/** Groups one can narrow the list to, beside the presences. @type {Record<string, (host: Host, now: number) => boolean>} */
const GROUPS = {
  need: (host, now) => need(host, now) !== "",
  running: (host) => host.pending_command !== null,
  behind: (host) => (host.facts?.behind ?? 0) > 0 || host.facts?.dirty === true,
  reboot,
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
    reboot(host) && "reboot",
    host.agent_version && `agent ${host.agent_version}`,
    host.notes,
  ];
  return words.filter(Boolean).join(" ").toLowerCase();
}

/** @param {Host} host @param {string} group a presence or one of GROUPS; empty: all @param {number} now by the server's clock */
export const inGroup = (host, group, now) => !group || (GROUPS[group] ? GROUPS[group](host, now) : host.presence === group);

/**
 * @param {Iterable<Host>} hosts by criticality, then name
 * @param {{text: string, group: string, sort: string}} wanted `text`: all of its words must be found
 * @param {number} now by the server's clock
 * @returns {string[]} names of the hosts to show, in order
 */
export function arrange(hosts, { text, group, sort }, now) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = [];
  for (const host of hosts) {
    if (!inGroup(host, group, now)) continue;
    if (words.length) {
      const hay = haystack(host);
      if (!words.every((word) => hay.includes(word))) continue;
    }
    shown.push(host);
  }
  const key = SORTS[sort]?.key;
  if (!key) return shown.map((host) => host.host_id);
  const keyed = shown.map((host) => ({ id: host.host_id, key: key(host, now) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key))); // stable: ties stay by criticality, then name
  return keyed.map(({ id }) => id);
}
