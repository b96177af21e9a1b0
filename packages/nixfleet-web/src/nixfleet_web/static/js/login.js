/** The login page; the server sends those who are logged in away from it. What was asked for, host or run, stays in the address (#…) through the login. */

import { Api, Refused } from "./shell/api.js";

/** @template {HTMLElement} T @param {string} id @param {new () => T} type @returns {T} */
function byId(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`login.html has no ${id}`);
  return element;
}

const api = new Api();
const form = byId("login", HTMLFormElement);
const password = byId("password", HTMLInputElement);
const error = byId("error", HTMLParagraphElement);
const button = byId("submit", HTMLButtonElement);

const enter = () => location.replace(`/${location.hash}`);

/** @param {string} text */
function tell(text) {
  error.textContent = text;
  password.setAttribute("aria-invalid", String(Boolean(text)));
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  tell("");
  try {
    await api.login(password.value);
    enter();
  } catch (problem) {
    tell(problem instanceof Refused ? problem.message : "Something went wrong in this page; reload it and try again.");
    password.select();
    password.focus();
  } finally {
    button.removeAttribute("aria-busy");
  }
});
