/**
 * The login page; the server sends those who are logged in away from it. What was asked for, host or run, stays in the
 * address (#…) through the login. Whether a code is needed the server tells nobody: the field comes with the first
 * refusal that speaks of one, by the button, and where one was used before.
 */
import { Api } from "./shell/api.js";
import { recall, remember } from "./shell/preferences.js";
import { enter, onSubmit, part, revealing } from "./view/entry.js";

const api = new Api();
const password = part("password", HTMLInputElement);
const code = part("code", HTMLInputElement);
const second = part("second", HTMLDivElement);
const withCode = part("with-code", HTMLButtonElement);
const error = part("error", HTMLParagraphElement);
const used = recall("code", "no") === "yes";

part("server", HTMLParagraphElement).textContent = location.host;
revealing(password);

/** @param {boolean} on */
function askCode(on) {
  second.hidden = !on;
  withCode.hidden = on;
}

/** @param {string} words */
function tell(words) {
  error.textContent = words;
  const wrong = String(Boolean(words));
  password.setAttribute("aria-invalid", wrong);
  code.setAttribute("aria-invalid", wrong);
  if (!words) return;
  if (/\bcode\b/.test(words)) askCode(true);
  // The server says the same whichever was wrong; most of those without a code here have none, and mistyped the password.
  const field = used && !code.value ? code : password;
  field.select();
  field.focus();
}

askCode(used);
withCode.addEventListener("click", () => {
  askCode(true);
  (password.value ? code : password).focus();
});

onSubmit(
  part("login", HTMLFormElement),
  async () => {
    const given = second.hidden ? "" : code.value.trim();
    await api.login(password.value, given);
    remember("code", given ? "yes" : "no");
    enter(location.hash);
  },
  tell,
);
