/** The set-up page: the first password, with the code of the one-time link (/setup#CODE), which no server's log ever holds. */

import { objection, strength, suggestion } from "./core/password.js";
import { Api } from "./shell/api.js";
import { chance } from "./shell/chance.js";
import { enter, onSubmit, part, revealing } from "./view/entry.js";

const api = new Api();
const form = part("setup", HTMLFormElement);
const password = part("password", HTMLInputElement);
const again = part("again", HTMLInputElement);
const error = part("error", HTMLParagraphElement);
const level = part("strength", HTMLDivElement);
const code = location.hash.slice(1);

part("server", HTMLParagraphElement).textContent = location.host;
part("no-code", HTMLDivElement).hidden = code !== "";
form.hidden = code === "";
form.noValidate = true; // the words below say it better

const show = revealing(password);
const judge = () => (level.dataset.level = String(strength(password.value)));
password.addEventListener("input", judge);
part("suggest", HTMLButtonElement).addEventListener("click", () => {
  password.value = again.value = suggestion(chance);
  show(true);
  judge();
  password.focus();
  password.select();
});

/** @param {string} words */
function tell(words) {
  error.textContent = words;
  const differs = password.value !== again.value && password.value !== "";
  password.setAttribute("aria-invalid", String(Boolean(words) && !differs));
  again.setAttribute("aria-invalid", String(Boolean(words) && differs));
  if (words) (differs ? again : password).focus();
}

onSubmit(
  form,
  async () => {
    const words = objection(password.value, again.value);
    if (words) return tell(words);
    await api.send("POST", "/setup", { code, password: password.value });
    enter("");
  },
  tell,
);
