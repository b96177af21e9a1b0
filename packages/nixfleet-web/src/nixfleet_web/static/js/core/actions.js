/** What one can have a host do: one table, and when each is allowed. Decided from the server's state alone. */

import { commandName } from "./words.js";

/**
 * @typedef {object} Action
 * @property {string} command
 * @property {string} icon
 * @property {boolean} [always] allowed while a command runs
 * @property {(host: string, pending: string) => {title: string, text: string, confirm: string}} [ask]
 *   what to tell before doing it
 */

/** @type {Action[]} in the order of the buttons */
export const ACTIONS = [
  { command: "pull", icon: "pull" },
  {
    command: "switch",
    icon: "switch",
    ask: (host) => ({
      title: `Switch ${host}?`,
      text: `${host} builds the configuration of its checked-out commit and activates it at once. Services whose configuration changed are restarted.`,
      confirm: "Switch",
    }),
  },
  {
    command: "pull-switch",
    icon: "pull-switch",
    ask: (host) => ({
      title: `Pull and switch ${host}?`,
      text: `${host} fetches the newest commit of its branch, builds it and activates it at once. Services whose configuration changed are restarted. If the pull fails, nothing is activated.`,
      confirm: "Pull + Switch",
    }),
  },
  { command: "test", icon: "test" },
  {
    command: "stop",
    icon: "stop",
    always: true,
    ask: (host, pending) => ({
      title: `Stop “${commandName(pending)}” on ${host}?`,
      text: `Every process of the command is ended: first asked to, killed three seconds later. ${CONSEQUENCE[pending] ?? "What it has done so far stays done."} Its output so far is kept.`,
      confirm: "Stop it",
    }),
  },
  { command: "restart", icon: "restart", always: true },
];

/** @type {Record<string, string>} */
const CONSEQUENCE = {
  switch: "A switch that is stopped half-way may leave services stopped until the next switch.",
  "pull-switch": "A switch that is stopped half-way may leave services stopped until the next switch.",
  pull: "The repository stays at its last commit or, if that was just changed, at the new one.",
  test: "Tests that have not run yet are left out.",
};

/**
 * Why the action is not possible now; empty when it is.
 * @param {Action} action
 * @param {import("./types.js").Host} host
 * @param {boolean} live the page has a connection to the server
 * @returns {string}
 */
export function whyNot(action, host, live) {
  if (!live) return "No connection to the server";
  if (!host.connected) return host.presence === "new" ? `${host.host_id} has never connected` : `${host.host_id} is not connected`;
  if (!host.commands.includes(action.command)) return `${host.host_id} can't do this`;
  if (action.command === "stop") return host.pending_command ? "" : "Nothing runs";
  if (host.pending_command && !action.always) return `${commandName(host.pending_command)} is running`;
  return "";
}
