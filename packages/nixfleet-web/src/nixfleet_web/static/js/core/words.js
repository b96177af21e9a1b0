/** What the server's words are called on screen, with the tone (colour) and the shape (never colour alone) of each. */

export const NO_CONNECTION = "No connection to the server";

/** @typedef {{label: string, tone: "ok"|"warn"|"bad"|"work"|"idle", shape: string}} Word */

/** @type {Record<string, Word>} */
export const PRESENCE = {
  online: { label: "Online", tone: "ok", shape: "disc" },
  stale: { label: "Stale", tone: "warn", shape: "half" },
  offline: { label: "Offline", tone: "idle", shape: "ring" },
  unreachable: { label: "Unreachable", tone: "warn", shape: "triangle" },
  new: { label: "Never connected", tone: "idle", shape: "dashed" },
};

/** @type {Record<string, Word>} */
const RESULT = {
  ok: { label: "ok", tone: "ok", shape: "check" },
  failed: { label: "failed", tone: "bad", shape: "cross" },
  degraded: { label: "active, degraded", tone: "warn", shape: "triangle" },
  unconfirmed: { label: "unconfirmed", tone: "warn", shape: "triangle" },
  stopped: { label: "stopped", tone: "warn", shape: "square" },
  rolled_back: { label: "rolled back", tone: "bad", shape: "back" },
  rejected: { label: "rejected", tone: "bad", shape: "cross" },
  interrupted: { label: "interrupted", tone: "bad", shape: "cross" },
  expired: { label: "expired", tone: "warn", shape: "half" },
  timed_out: { label: "timed out", tone: "bad", shape: "half" },
  lost: { label: "lost", tone: "bad", shape: "ring" },
};

/** @type {Record<string, Word>} */
const STATE = {
  queued: { label: "queued", tone: "idle", shape: "dashed" },
  sent: { label: "sent", tone: "work", shape: "dashed" },
  running: { label: "running", tone: "work", shape: "spin" },
};

/** @type {Record<string, string>} */
const COMMAND = {
  pull: "Pull",
  switch: "Switch",
  "pull-switch": "Pull + Switch",
  test: "Test",
  stop: "Stop",
  restart: "Restart agent",
  update: "Update agent",
  rollback: "Roll back",
  reboot: "Reboot",
  fetch: "Fetch",
  check: "Check",
};

/** @type {Record<string, string>} */
const PLATFORM = {
  nixos: "NixOS",
  "nix-darwin": "nix-darwin",
  "home-manager": "Home Manager",
  script: "Script",
};

/** @param {string} presence */
export const presenceWord = (presence) => PRESENCE[presence] ?? PRESENCE.offline;

/** State while it goes on, result once it ended. @param {import("./types.js").Run} run @returns {Word} */
export function runWord(run) {
  if (run.state !== "ended") return STATE[run.state] ?? STATE.running;
  return RESULT[run.result ?? ""] ?? { label: run.result ?? "ended", tone: "bad", shape: "cross" };
}

/** @param {string} command */
export const commandName = (command) => COMMAND[command] ?? command;

/** Operating system with version, or the platform's name. @param {import("./types.js").Host} host */
export function systemName(host) {
  const { os, os_version: version } = host.facts ?? {};
  if (os) return version ? `${os} ${version}` : os;
  return PLATFORM[host.platform] ?? "Unknown system";
}

/** @param {import("./types.js").Host} host */
export const platformName = (host) => PLATFORM[host.platform] ?? host.platform;
