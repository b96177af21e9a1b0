/** What the operator chose on this machine. Where storage is blocked, choices last until the page is left. */

/** @param {string} name @param {string} fallback */
export function recall(name, fallback) {
  try {
    return localStorage.getItem(`nixfleet.${name}`) ?? fallback;
  } catch {
    return fallback;
  }
}

/** @param {string} name @param {string} value */
export function remember(name, value) {
  try {
    localStorage.setItem(`nixfleet.${name}`, value);
  } catch {
    // nothing to do: the choice is in effect already
  }
}

/** @param {string} theme `light`, `dark`, or `system` */
export function applyTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
