/** Rising order of versions such as 0.2.0 and 0.10.1; what is no number counts as 0. @param {string} a @param {string} b */
export function compareVersions(a, b) {
  const [left, right] = [a, b].map((text) => text.split(/[.+-]/).map((part) => Number.parseInt(part, 10) || 0));
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference) return difference;
  }
  return 0;
}
