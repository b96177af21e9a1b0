/** How far Nix is, in words and as a share. Pure. */

/** "building 12/40, copying 3/9". While Nix still plans, totals would only jump. @param {import("./types.js").NixProgress} nix */
export function nixWords(nix) {
  const of = (/** @type {number} */ done, /** @type {number} */ all) => (nix.planning && done >= all ? `${done}` : `${done}/${all}`);
  const parts = [];
  if (nix.to_build > 0) parts.push(`building ${of(nix.built, nix.to_build)}`);
  if (nix.to_copy > 0) parts.push(`copying ${of(nix.copied, nix.to_copy)}`);
  if (nix.failed > 0) parts.push(`${nix.failed} failed`);
  return parts.join(", ");
}

/** @param {import("./types.js").NixProgress} nix @returns {number|null} 0–1 */
export function nixShare(nix) {
  const all = nix.to_build + nix.to_copy;
  if (nix.planning || all === 0) return null;
  return Math.min(1, (nix.built + nix.copied) / all);
}
