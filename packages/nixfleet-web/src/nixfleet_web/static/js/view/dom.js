/** Small hands for the document. Text goes in as text; nothing here makes markup from strings. */

/** Icons are symbols at the end of index.html. @param {string} name */
export const iconUrl = (name) => `#icon-${name}`;

/** @template {Element} T @param {string} id @param {new () => T} type @returns {T} */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`index.html has no ${id}`);
  return element;
}

/** @param {string} tag @param {string} [className] @param {string} [text] */
export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** Touches the document only when something changes. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Null takes the attribute away. @param {Element} element @param {string} name @param {string|null} value */
export function setAttribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** @param {string} name @returns {SVGSVGElement} */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", iconUrl(name));
  svg.append(use);
  return svg;
}

/**
 * A copy of a template's one element with its `data-slot` parts by name.
 * @param {string} id @returns {{element: HTMLElement, slots: Record<string, HTMLElement>}}
 */
export function stamp(id) {
  const copy = /** @type {DocumentFragment} */ (byId(id, HTMLTemplateElement).content.cloneNode(true));
  const element = /** @type {HTMLElement} */ (copy.firstElementChild);
  /** @type {Record<string, HTMLElement>} */
  const slots = {};
  for (const slot of element.querySelectorAll("[data-slot]")) {
    slots[/** @type {string} */ (slot.getAttribute("data-slot"))] = /** @type {HTMLElement} */ (slot);
  }
  return { element, slots };
}
