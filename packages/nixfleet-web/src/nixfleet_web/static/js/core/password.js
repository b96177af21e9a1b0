/** How good a password is, roughly, and a good one made. Pure: chance is given. */

export const PASSWORD_MIN = 12;

const LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"; // none that is taken for another
const GROUPS = 5;
const GROUP = 5;

/**
 * 0 (too short) to 4. Length counts, variety a little: long and plain beats short and odd.
 * @param {string} password
 */
export function strength(password) {
  if (password.length < PASSWORD_MIN) return password ? 1 : 0;
  const variety = new Set(password).size;
  if (variety < 5) return 1;
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z\d]/].filter((kind) => kind.test(password)).length;
  const points = password.length + variety + kinds * 2;
  return points >= 44 ? 4 : points >= 32 ? 3 : 2;
}

/** About 120 bits, to be read out and typed. @param {(below: number) => number} chance whole numbers from 0 */
export function suggestion(chance) {
  const group = () => Array.from({ length: GROUP }, () => LETTERS[chance(LETTERS.length)]).join("");
  return Array.from({ length: GROUPS }, group).join("-");
}

/**
 * Why it can't be taken; empty when it can.
 * @param {string} password @param {string} again
 */
export function objection(password, again) {
  if (password.length < PASSWORD_MIN) return `The password needs at least ${PASSWORD_MIN} characters; it has ${password.length}.`;
  if (strength(password) < 2) return "The password repeats itself too much.";
  if (password !== again) return "The two are not the same.";
  return "";
}
