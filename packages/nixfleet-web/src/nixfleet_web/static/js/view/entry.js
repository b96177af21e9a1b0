/** What the login and the set-up page share: their parts by name, one attempt at a time, words about what failed. */

import { Refused } from "../shell/api.js";

/** @template {HTMLElement} T @param {string} id @param {new () => T} type @returns {T} */
export function part(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`this page has no ${id}`);
  return element;
}

/** @param {string} words */
const sentence = (words) => `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}`;

/** To the fleet, and there to what was asked for. @param {string} hash */
export const enter = (hash) => location.replace(`/${hash}`);

/** The button in a password's field shows and hides it. @param {HTMLInputElement} field */
export function revealing(field) {
  const button = part("reveal", HTMLButtonElement);
  const show = (/** @type {boolean} */ on) => {
    field.type = on ? "text" : "password";
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "Hide" : "Show";
  };
  button.addEventListener("click", () => show(field.type === "password"));
  return show;
}

/**
 * @param {HTMLFormElement} form
 * @param {() => Promise<void>} attempt throws what is to be told
 * @param {(words: string) => void} tell
 */
export function onSubmit(form, attempt, tell) {
  const button = part("submit", HTMLButtonElement);
  button.disabled = false; // until now a press would have sent the form past this script
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    tell("");
    try {
      await attempt();
    } catch (problem) {
      tell(problem instanceof Refused ? sentence(problem.message) : "Something went wrong in this page; reload it and try again.");
      if (!(problem instanceof Refused)) console.error(problem);
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}
