/** What the settings show of sessions, tokens, the audit log and versions. Pure: the server's answers in, words out. */

import { ago, moment, span } from "./format.js";
import { compareVersions } from "./versions.js";

/** @type {[RegExp, string][]} the first that fits: most claim to be others too */
const BROWSERS = [
  [/\bEdg(?:e|A|iOS)?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bFirefox\/|\bFxiOS\//, "Firefox"],
  [/\bHeadlessChrome\/|\bChrome\/|\bCriOS\//, "Chrome"],
  [/\bSafari\//, "Safari"],
];
/** @type {[RegExp, string][]} */
const SYSTEMS = [
  [/\bAndroid\b/, "Android"],
  [/\biPhone\b|\biPad\b/, "iOS"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b/, "macOS"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bLinux\b/, "Linux"],
];

/** "Firefox on Linux"; what is not known stays as it came. @param {string} agent */
export function clientWords(agent) {
  const name = (/** @type {[RegExp, string][]} */ table) => table.find(([pattern]) => pattern.test(agent))?.[1];
  const [browser, system] = [name(BROWSERS), name(SYSTEMS)];
  if (browser && system) return `${browser} on ${system}`;
  return browser ?? (agent.slice(0, 60) || "An unknown browser");
}

/** @param {any} session a SessionInfo @param {number} now */
export const sessionView = (session, now) => ({
  id: session.id,
  current: session.current === true,
  client: clientWords(session.client ?? ""),
  address: session.address ?? "",
  seen: session.current ? "now" : ago(session.last_seen_at ?? session.created_at, now),
  began: moment(session.created_at, now),
  ends: session.expires_at > now ? `in ${span(session.expires_at - now)}` : "now",
});

/** @type {Record<string, string>} */
export const SCOPES = {
  read: "Read: see hosts, runs and logs",
  operate: "Operate: also start and stop runs",
  admin: "Admin: everything",
};

/** @param {any} token a TokenView @param {number} now */
export const tokenView = (token, now) => ({
  id: token.id,
  name: token.name,
  scope: token.scope,
  made: moment(token.created_at, now),
  used: token.last_used_at ? ago(token.last_used_at, now) : "never",
  ends: !token.expires_at ? "never" : token.expires_at > now ? `in ${span(token.expires_at - now)}` : "expired",
});

/**
 * A one-time token that lets a host in: still good, used up, or past its end.
 * @param {any} token an EnrollTokenView @param {number} now
 */
export function enrollView(token, now) {
  const left = token.expires_at - now;
  const [tone, shape, state] = token.used_by
    ? ["ok", "check", "let in"]
    : left > 0
      ? ["work", "clock", `waits, ends in ${span(left)}`]
      : ["idle", "dashed", "ended unused"];
  return {
    id: token.id,
    host: token.host ?? "any host",
    made: moment(token.created_at, now),
    usedBy: token.used_by ?? "",
    open: tone === "work",
    tone,
    shape,
    state,
  };
}

/** @param {any} entry an AuditEntry @param {number} now */
export const auditView = (entry, now) => ({
  id: entry.id,
  at: moment(entry.at, now),
  who: entry.who || "a stranger",
  address: entry.address ?? "",
  action: entry.action,
  subject: [entry.subject, entry.detail].filter(Boolean).join(" · "),
  ok: (entry.outcome ?? "ok") === "ok",
  outcome: entry.outcome ?? "ok",
  href: entry.run_id ? `#/runs/${entry.run_id}` : null,
});

/**
 * Hosts whose agent is older than the newest in the fleet, or speaks an older protocol than the server.
 * @param {import("./types.js").Host[]} hosts @param {string} protocol the server's
 */
export function behind(hosts, protocol) {
  const newest = hosts.map((host) => host.agent_version ?? "").reduce((best, one) => (compareVersions(one, best) > 0 ? one : best), "");
  const old = hosts.filter((host) => {
    if (!host.agent_version) return false;
    return !host.compatible || compareVersions(host.agent_version, newest) < 0 || compareVersions(host.protocol ?? protocol, protocol) < 0;
  });
  return {
    newest,
    hosts: old.map((host) => ({
      name: host.host_id,
      version: host.agent_version ?? "",
      why: host.compatible ? (compareVersions(host.protocol ?? protocol, protocol) < 0 ? `speaks protocol ${host.protocol}` : "older than the newest here") : "too old for this server",
    })),
  };
}

/** "1.2 GB". @param {number} bytes */
export function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let at = 0;
  let value = bytes;
  while (value >= 1000 && at < units.length - 1) [value, at] = [value / 1000, at + 1];
  return `${at === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}

/**
 * A QR code as the server draws it, reduced to what can be drawn without trusting it: a size and one path of numbers.
 * Null when it is something else.
 * @param {string} svg @returns {{size: number, path: string}|null}
 */
export function qrView(svg) {
  const paths = [...svg.matchAll(/<path\b[^>]*?\bd="([MmHhVvLlZz\d\s.,-]+)"[^>]*>/g)];
  const dark = paths.find(([tag]) => /\bstroke="#000/.test(tag)) ?? paths.at(-1);
  const width = Number(/<svg\b[^>]*?\bwidth="(\d+)"/.exec(svg)?.[1] ?? 0);
  const scale = Number(/\btransform="scale\((\d+)\)"/.exec(svg)?.[1] ?? 1);
  const side = width / scale;
  return dark && side > 0 && side < 400 ? { size: side, path: dark[1] } : null;
}
