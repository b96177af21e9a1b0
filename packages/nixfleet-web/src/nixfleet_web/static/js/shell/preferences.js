/** What the operator chose on this machine. Where storage is blocked, choices last until the page is left. */

/** Looked at where it may throw. @param {boolean} tab what is of one tab, and gone with it */
const place = (tab) => (tab ? sessionStorage : localStorage);

/** @param {string} name @param {string} fallback @param {boolean} [tab] */
export function recall(name, fallback, tab = false) {
  try {
    return place(tab).getItem(`nixfleet.${name}`) ?? fallback;
  } catch {
    return fallback;
  }
}

/** @param {string} name @param {string} value @param {boolean} [tab] */
export function remember(name, value, tab = false) {
  try {
    place(tab).setItem(`nixfleet.${name}`, value);
  } catch {
    // nothing to do: the choice is in effect already
  }
}

/** @param {string} theme `light`, `dark`, or `system` */
export function applyTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
