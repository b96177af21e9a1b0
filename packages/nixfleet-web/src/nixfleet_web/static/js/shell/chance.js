/** Numbers that nobody can guess. */

/** A whole number from 0 to below the bound, each as likely. @param {number} below at most 65,536 */
export function chance(below) {
  const limit = 65_536 - (65_536 % below);
  const box = new Uint16Array(1);
  do crypto.getRandomValues(box);
  while (box[0] >= limit);
  return box[0] % below;
}
