/** What one can have a host do: one table, and when each is allowed. Decided from the server's state alone. */

import { moment } from "./format.js";
import { compareVersions } from "./versions.js";
import { NO_CONNECTION, commandName } from "./words.js";

/**
 * @typedef {import("./types.js").Host} Host
 * @typedef {{title: string, text: string, confirm: string, danger: boolean}} Question
 *
 * @typedef {object} Action
 * @property {string} command
 * @property {string} icon
 * @property {boolean} [main] has a button of its own in each row; the others are in the menu
 * @property {boolean} [always] allowed while a command runs
 * @property {boolean} [danger] ends or undoes something
 * @property {(who: string, host: Host|null) => string} [harm] what it does, told before it is done; `who` is a host, or
 *   "Each of the 3 hosts", then `host` is null
 * @property {(who: string, host: Host|null) => string} [amid] the same, but only told while a command runs there
 */

const BUILDS = "activates it at once. Services whose configuration changed are restarted. If that fails, or the host no longer reaches this server, it returns to the system it has now.";

/** @type {Action[]} in the order of the buttons */
export const ACTIONS = [
  { command: "pull", icon: "pull", main: true },
  {
    command: "switch",
    icon: "switch",
    main: true,
    harm: (who) => `${who} builds the configuration of its checked-out commit and ${BUILDS}`,
  },
  {
    command: "pull-switch",
    icon: "pull-switch",
    main: true,
    harm: (who) => `${who} fetches the newest commit of its branch, builds it and ${BUILDS} If the pull fails, nothing is activated.`,
  },
  { command: "test", icon: "test", main: true },
  {
    command: "stop",
    icon: "stop",
    always: true,
    danger: true,
    harm: (who, host) => `${host && isAway(host) ? `${who} is away: it is told as soon as it is back. ` : ""}${stopHarm(host?.pending_command ?? "")}`,
  },
  { command: "check", icon: "check-list" },
  { command: "fetch", icon: "fetch" },
  {
    command: "rollback",
    icon: "back",
    danger: true,
    harm: (who, host) =>
      `${who} activates ${earlier(host)} at once. Services whose configuration differs are restarted. The repository stays as it is, so the next switch brings the newer configuration back.`,
  },
  {
    command: "update",
    icon: "update",
    harm: (who) => `${who} brings its agent to the newest version and restarts it. It is away for some seconds; nothing else changes.`,
  },
  {
    command: "restart",
    icon: "restart",
    always: true,
    amid: (who, host) =>
      `${who} restarts its agent and is away for some seconds. ${host ? commandName(host.pending_command ?? "") : "A command that runs"} goes on meanwhile: it is not the agent's process. Its output is shown again, from where it was, once the agent is back.`,
  },
  {
    command: "reboot",
    icon: "power",
    danger: true,
    harm: (who, host) =>
      `${who} shuts down all it runs and starts again. It is away for minutes${host?.facts?.system === "staged" ? ", then it runs the system that is staged for its next boot" : ""}. A host that doesn't come up needs somebody at its console.`,
  },
];

/** @param {string} command */
export const actionOf = (command) => /** @type {Action} */ (ACTIONS.find((action) => action.command === command));

/** @type {Record<string, string>} */
const STOPPED = {
  switch: "A switch that is stopped half-way may leave services stopped until the next switch.",
  "pull-switch": "A switch that is stopped half-way may leave services stopped until the next switch.",
  pull: "The repository stays at its last commit or, if that was just changed, at the new one.",
  test: "Tests that have not run yet are left out.",
};

/** What stopping it does. @param {string} command */
export const stopHarm = (command) =>
  `Every process of the command is ended: first asked to, killed three seconds later. ${STOPPED[command] ?? "What it has done so far stays done."} Its output so far is kept.`;

/** The generation that a roll back without a number leads to. @param {Host|null} host */
function earlier(host) {
  const generations = host?.facts?.generations ?? [];
  const at = generations.findIndex((generation) => generation.selected || generation.current);
  const before = at > 0 ? generations[at - 1] : undefined;
  if (!before) return "the generation before the one it has now";
  const made = before.created_at === null ? "" : ` of ${moment(before.created_at, Date.now())}`;
  return `generation ${before.number}${made}`;
}

/**
 * What to ask before it is done to one host; null where it does no harm.
 * @param {Action} action @param {Host} host @param {number} [generation] to return to
 * @returns {Question|null}
 */
export function question(action, host, generation) {
  const tell = action.harm ?? (host.pending_command ? action.amid : undefined);
  if (!tell) return null;
  const text = tell(host.host_id, host);
  const name = commandName(action.command);
  if (action.command === "stop") {
    return { title: `Stop “${commandName(host.pending_command ?? "")}” on ${host.host_id}?`, text, confirm: "Stop it", danger: true };
  }
  const to = generation === undefined ? "" : ` to generation ${generation}`;
  return {
    title: `${ASKED[action.command] ?? name} ${host.host_id}${to}?`,
    text: generation === undefined ? text : text.replace(/activates .+? at once/, `activates generation ${generation} at once`),
    confirm: name,
    danger: Boolean(action.danger),
  };
}

/** @type {Record<string, string>} */
const ASKED = { "pull-switch": "Pull and switch", update: "Update the agent of", restart: "Restart the agent of" };

const NAMED = 12; // hosts a question names; all of a larger fleet nobody reads

/**
 * The same for many, with their names: those that matter most are named whatever their place, in the order given.
 * @param {Action} action @param {Host[]} hosts @param {(hostId: string) => boolean} hidden by the filter
 */
export function questionForMany(action, hosts, hidden = () => false) {
  const name = commandName(action.command);
  const many = hosts.length > 1;
  const named = hosts.map((host, at) => ({ name: host.host_id, high: host.criticality === "high", hidden: hidden(host.host_id), at }));
  const tell = action.harm ?? (hosts.some((host) => host.pending_command) ? action.amid : undefined);
  const unseen = named.filter((host) => host.hidden).length;
  const weighed = [...named].sort((a, b) => Number(b.high) - Number(a.high) || Number(b.hidden) - Number(a.hidden));
  return {
    title: hosts.length ? `${ASKED[action.command] ?? name} ${many ? `${hosts.length} hosts` : hosts[0].host_id}?` : `${name}: none of them can now`,
    text: (hosts.length && tell?.(many ? `Each of the ${hosts.length} hosts` : hosts[0].host_id, many ? null : hosts[0])) || "",
    confirm: many ? `${name} · ${hosts.length}` : name,
    danger: Boolean(action.danger),
    hosts: weighed.slice(0, NAMED).sort((a, b) => a.at - b.at),
    more: hosts.length > NAMED ? `and ${hosts.length - NAMED} more` : "",
    hidden: unseen ? `${unseen === hosts.length ? (many ? "All of them are" : "It is") : `${unseen} of them ${unseen === 1 ? "is" : "are"}`} hidden by the filter.` : "",
  };
}

/**
 * Why the action is not possible now; empty when it is.
 * @param {Action} action
 * @param {Host} host
 * @param {boolean} live the page has a connection to the server
 * @returns {string}
 */
export function whyNot(action, host, live) {
  if (!live) return NO_CONNECTION;
  const stops = action.command === "stop" && host.pending_command !== null; // one that is away is told when it is back
  if (!stops && absence(host)) return absence(host);
  if (!host.commands.includes(action.command)) return `${host.host_id} can't do this`;
  if (action.command === "stop") return stops ? "" : "Nothing runs";
  if (host.pending_command && !action.always) return `${commandName(host.pending_command)} is running`;
  return "";
}

/** That it is not connected, in words; empty when it is. @param {Host} host */
export const absence = ({ host_id, connected, presence }) => (connected ? "" : presence === "new" ? `${host_id} has never connected` : `${host_id} is not connected`);

/** Protocol from which on an agent compares what it runs with a generation of its own. */
const COMPARES = "1.1";

/** Why a host can't compare a generation now; empty when it can. @param {Host} host @param {boolean} live @returns {string} */
export function whyNotCompare(host, live) {
  const why = whyNot(actionOf("check"), host, live);
  return why || (compareVersions(host.protocol ?? "", COMPARES) < 0 ? `The agent of ${host.host_id} is too old for this: update it` : "");
}

/** Server from which on a run can wait for its host. */
const QUEUES = "0.2.0";
/** Options of a run that waits for its host; `expires` in seconds. */
export const QUEUED = { queue: true, expires: 3600 };

/** Also where the line to it still stands and nothing comes over it. @param {Host} host */
const isAway = (host) => !host.connected || host.presence === "offline" || host.presence === "unreachable";

/**
 * Whether the host could be given it for later: it is away or at work, and can do it as far as one knows.
 * @param {Action} action @param {Host} host @param {string} serverVersion
 */
export function canWait(action, host, serverVersion) {
  const able = host.commands.length === 0 || host.commands.includes(action.command);
  return able && !action.always && (isAway(host) || host.pending_command !== null) && compareVersions(serverVersion, QUEUES) >= 0;
}

/** When a run that waits would begin. @param {Host} host */
export function whenOf(host) {
  if (!isAway(host)) return "afterwards";
  return host.presence === "new" ? "when it connects" : "when it is back";
}

/** What to ask before it waits for the host; null where it does no harm. @param {Action} action @param {Host} host @returns {Question|null} */
export function questionLater(action, host) {
  const asked = question(action, host);
  if (!asked) return null;
  return { ...asked, title: asked.title.replace("?", ` ${whenOf(host)}?`), text: `${asked.text} ${patience(host)}` };
}

/** How long a run waits for the host, in words. @param {Host} host */
export const patience = (host) => `It waits for ${host.host_id} ${isAway(host) ? "to be back" : "to be free"}, for an hour at most.`;
