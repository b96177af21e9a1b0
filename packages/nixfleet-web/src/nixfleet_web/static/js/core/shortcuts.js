/** Every key that does something: one table for the page that listens, the list that `?` shows, and the manual. */

/**
 * @typedef {object} Shortcut
 * @property {string} id what main.js or a view gives a hand to
 * @property {string} keys as `Ctrl+K`, `?`, or two after each other: `g f`
 * @property {string} label
 * @property {string} group
 * @property {boolean} [dialogs] also while a dialog is open
 */

/** @type {Shortcut[]} */
export const SHORTCUTS = [
  { id: "find", keys: "Ctrl+K", label: "Find a host, a page or an action", group: "Everywhere", dialogs: true },
  { id: "help", keys: "?", label: "Show these keys", group: "Everywhere" },
  { id: "fleet", keys: "g f", label: "Go to the fleet", group: "Everywhere" },
  { id: "settings", keys: "g s", label: "Go to the settings", group: "Everywhere" },
  { id: "add", keys: "n", label: "Add a host", group: "Everywhere" },
  { id: "filter", keys: "/", label: "Filter the hosts", group: "Fleet" },
  { id: "next", keys: "j", label: "Next host", group: "Fleet" },
  { id: "previous", keys: "k", label: "Previous host", group: "Fleet" },
  { id: "select", keys: "x", label: "Select the host", group: "Fleet" },
  { id: "pull", keys: "p", label: "Pull", group: "The host in focus, or open" },
  { id: "switch", keys: "s", label: "Switch", group: "The host in focus, or open" },
  { id: "pull-switch", keys: "u", label: "Pull + Switch", group: "The host in focus, or open" },
  { id: "test", keys: "t", label: "Test", group: "The host in focus, or open" },
  { id: "rollback", keys: "b", label: "Roll back", group: "The host in focus, or open" },
  { id: "stop", keys: ".", label: "Stop what runs", group: "The host in focus, or open" },
  { id: "log-find", keys: "Ctrl+F", label: "Search the whole log", group: "The log in focus" },
  { id: "log-leave", keys: "Esc", label: "To the log; again: end the search", group: "The log in focus" },
  { id: "log-next", keys: "n", label: "Next match (Shift: the last)", group: "The log in focus" },
  { id: "log-error", keys: "e", label: "First error", group: "The log in focus" },
  { id: "log-link", keys: "l", label: "Copy the link to this line", group: "The log in focus" },
  { id: "log-follow", keys: "f", label: "Follow the end", group: "The log in focus" },
  { id: "log-times", keys: "t", label: "Time of each line", group: "The log in focus" },
  { id: "log-wrap", keys: "w", label: "Wrap long lines", group: "The log in focus" },
  { id: "log-print", keys: "Ctrl+P", label: "Print the log", group: "The log in focus" },
];

/** A key press as the table writes it. @param {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean}} event */
export function pressed({ key, ctrlKey, metaKey, altKey }) {
  if (altKey) return "";
  return ctrlKey || metaKey ? `Ctrl+${key.toUpperCase()}` : key;
}

/**
 * What a press means after the one before it.
 * @param {string} press from `pressed`
 * @param {string} before the unfinished first of two, or empty
 * @returns {{shortcut: Shortcut|null, waiting: string}} `waiting`: the press that may begin two
 */
export function meaning(press, before) {
  const two = before && SHORTCUTS.find((shortcut) => shortcut.keys === `${before} ${press}`);
  if (two) return { shortcut: two, waiting: "" };
  const one = SHORTCUTS.find((shortcut) => shortcut.keys === press) ?? null;
  const begins = press.length === 1 && SHORTCUTS.some((shortcut) => shortcut.keys.startsWith(`${press} `));
  return { shortcut: one, waiting: begins ? press : "" };
}

/** By group, in the order of the table. */
export function grouped() {
  /** @type {Map<string, Shortcut[]>} */
  const groups = new Map();
  for (const shortcut of SHORTCUTS) groups.set(shortcut.group, [...(groups.get(shortcut.group) ?? []), shortcut]);
  return [...groups].map(([name, shortcuts]) => ({ name, shortcuts }));
}
