/** `?`: the list of keys, and whether single letters are keys at all. */

import { grouped } from "../core/shortcuts.js";

/** @param {import("../shell/keys.js").Keys} keys @param {HTMLDialogElement} dialog */
export const help = (keys, dialog) => () => ({
  single: keys.single,
  groups: grouped().map(({ name, shortcuts }) => ({
    name,
    shortcuts: shortcuts.map(({ id, label, keys: said }) => ({ id, label, keys: said.split(/[+ ]/) })),
  })),
  init() {
    keys.on("help", () => dialog.showModal());
  },
  toggle() {
    keys.single = this.single = !this.single;
  },
});
