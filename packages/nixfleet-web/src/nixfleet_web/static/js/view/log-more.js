/** The menu of a narrow bar: what has no room there. */

import { byId } from "./dom.js";
import { openMenu } from "./menu.js";

/**
 * @param {HTMLElement} button @param {Record<"copy"|"print"|"runLink"|"link"|"full", () => void>} act
 * @param {string} download address; empty: none @param {boolean} full whether it fills the screen
 */
export function openMore(button, act, download, full) {
  const menu = byId("menu", HTMLDivElement);
  if (menu.closest("[inert]")) document.body.append(menu); // it lies in the page, which the run may cover
  openMenu(button, "More of the log", [
    { label: "Copy the log", icon: "copy", run: act.copy },
    ...(download ? [{ label: "Download the log", icon: "download", run: () => location.assign(download) }] : []),
    { label: "Print the log", icon: "print", run: act.print },
    "line",
    { label: "Copy the link to this run", icon: "link", run: act.runLink },
    { label: "Copy the link to the line in view", icon: "link", run: act.link },
    "line",
    { label: "Full screen", checked: full, run: act.full },
  ]);
}
