/** Small marks in a row: a shape, a word, a tone. */

import { iconUrl, make, setAttribute } from "./dom.js";

/** @param {string} name of the shape @returns {SVGSVGElement} */
export function shape(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "shape");
  svg.setAttribute("aria-hidden", "true");
  svg.dataset.shape = name;
  use.setAttribute("href", iconUrl(name));
  svg.append(use);
  return svg;
}

/** Draws them anew only when they differ. @param {HTMLElement} box @param {import("../core/build.js").Chip[]} chips */
export function drawChips(box, chips) {
  const key = chips.map((chip) => chip.label + chip.title).join("\n");
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  box.replaceChildren(
    ...chips.map((chip) => {
      const element = make("span", "chip");
      element.dataset.tone = chip.tone;
      setAttribute(element, "title", chip.title);
      element.append(shape(chip.shape), make("span", "foreign", chip.label));
      return element;
    }),
  );
}
