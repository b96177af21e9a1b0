/** What differs between two systems, as tables in a <details>: drawn when it is opened, for it may be of a thousand packages. */

import { differenceOf } from "../core/difference.js";
import { make, setText } from "./dom.js";

/** @type {WeakMap<HTMLElement, string>} */
const shown = new WeakMap();

/** @param {HTMLElement} box within a <details> whose summary ends in a <span> for the count @param {string} text */
export function showDifference(box, text) {
  const details = box.closest("details");
  const count = details?.querySelector("summary span");
  if (!details || !count || shown.get(box) === text) return;
  shown.set(box, text);
  const { groups, words, rest } = differenceOf(text);
  setText(count, words);
  const draw = () => {
    if (!details.open) return;
    details.ontoggle = null;
    box.replaceChildren(...groups.map(table), ...(rest ? [make("pre", "", rest)] : []));
  };
  details.ontoggle = draw; // in the place of the one for an earlier text
  draw();
}

/** @param {import("../core/difference.js").Group} group */
function table({ title, tone, changes }) {
  const made = make("table");
  made.dataset.tone = tone;
  const caption = make("caption", "", `${title} `);
  caption.append(make("span", "", String(changes.length)));
  const body = make("tbody");
  body.append(...changes.map(row));
  made.append(caption, body);
  return made;
}

/** @param {import("../core/difference.js").Change} change */
function row({ name, before, after, size }) {
  const made = make("tr");
  const head = make("th", "", name);
  head.setAttribute("scope", "row");
  const versions = make("td");
  if (before) versions.append(make("span", after ? "before" : "", before));
  if (before && after) versions.append(make("span", "arrow", " → "));
  if (after) versions.append(make("span", "", after));
  made.append(head, versions, make("td", "size", size));
  return made;
}
