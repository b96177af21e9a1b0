/** What to do on a machine so that it joins the fleet: one table of ways, each a few steps to copy. Pure. */

export const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/;

/**
 * @typedef {{title: string, text: string}} Step `text`: to be copied as it is
 * @typedef {{name: string, url: string, token: string, repository: string, branch: string}} Given
 *
 * @typedef {object} Way
 * @property {string} id
 * @property {string} label
 * @property {"host"|"enroll"} token `host`: the host's own, put into a file; `enroll`: one that the agent changes for its own
 * @property {(given: Given) => Step[]} steps
 */

/** @type {Way[]} */
export const WAYS = [
  {
    id: "nixos",
    label: "NixOS",
    token: "host",
    steps: (given) => [
      { title: "On the host, put its token into a file that only root reads", text: tokenFile(given.token, "/etc/nixfleet/token", "sudo ") },
      { title: `In its configuration, with the module imported${blank(given)}`, text: module(given, "/etc/nixfleet/token") },
      { title: "Switch once by hand; from then on the fleet does it", text: "sudo nixos-rebuild switch" },
    ],
  },
  {
    id: "nix-darwin",
    label: "nix-darwin",
    token: "host",
    steps: (given) => [
      { title: "On the Mac, put its token into a file that only root reads", text: tokenFile(given.token, "/etc/nixfleet/token", "sudo ") },
      { title: `In its configuration, with the module imported${blank(given)}`, text: module(given, "/etc/nixfleet/token") },
      { title: "Switch once by hand; from then on the fleet does it", text: "sudo darwin-rebuild switch" },
    ],
  },
  {
    id: "home-manager",
    label: "home-manager",
    token: "host",
    steps: (given) => [
      { title: "As the user, put the token into a file that only you read", text: tokenFile(given.token, "~/.config/nixfleet/token", "") },
      { title: `In the home configuration, with the module imported${blank(given)}`, text: module(given, "${config.home.homeDirectory}/.config/nixfleet/token") },
      { title: "Switch once by hand; from then on the fleet does it", text: "home-manager switch" },
    ],
  },
  {
    id: "pip",
    label: "pip",
    token: "enroll",
    steps: (given) => [
      {
        title: "On the host, as root (or as the user whose home it is to manage)",
        text: `pip install nixfleet-agent && nixfleet-agent enroll ${given.url} ${given.token}`,
      },
    ],
  },
];

/** @param {string} id @returns {Way} */
export const wayOf = (id) => WAYS.find((way) => way.id === id) ?? WAYS[0];

/** @param {string} token @param {string} path @param {string} as */
function tokenFile(token, path, as) {
  const folder = path.slice(0, path.lastIndexOf("/"));
  const write = as ? `printf '%s\\n' '${token}' | ${as}install -m 600 /dev/stdin ${path}` : `(umask 077 && printf '%s\\n' '${token}' > ${path})`;
  return `${as}mkdir -p ${folder}\n${write}`;
}

/** What is still to be filled in, in a step's title. @param {Given} given */
const blank = ({ repository }) => (repository.trim() ? "" : ", and its repository filled in");

/**
 * Nix as it stands, also without a repository: a comment then, for an address of ours could be taken for theirs. The
 * module refuses to switch until it is filled in.
 * @param {Given} given @param {string} file
 */
function module({ name, url, repository, branch }, file) {
  const from = repository.trim();
  const source = from ? `\n  repository.url = ${string(from)};` : `\n  # Fill in the repository of its configuration:\n  # repository.url = "";`;
  const more = from && branch && branch !== "main" ? `\n  repository.branch = ${string(branch)};` : "";
  return `services.nixfleet-agent = {
  enable = true;
  url = ${string(url)};
  hostname = ${string(name)};
  tokenFile = "${file}";${source}${more}
};`;
}

/** A string of the Nix language. @param {string} text */
const string = (text) => `"${text.replace(/["\\]/g, "\\$&").replace(/\$\{/g, "\\${")}"`;

/**
 * Why the name can't be taken; empty when it can.
 * @param {string} name @param {ReadonlyMap<string, unknown>} hosts @param {Way} way
 */
export function objection(name, hosts, way) {
  if (!name && way.token === "enroll") return ""; // the agent tells its own
  if (!name) return "Give the host a name.";
  if (!NAME.test(name)) return "A name has letters, digits, - and _, begins and ends with a letter or digit, and is at most 63 long.";
  return hosts.has(name) ? `There is a host ${name} already.` : "";
}

/** Agents refuse to send their token over it. @param {{protocol: string, hostname: string}} address */
export const isPlain = ({ protocol, hostname }) => protocol === "http:" && !/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
