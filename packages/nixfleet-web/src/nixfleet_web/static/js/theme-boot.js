/* Sets the chosen theme before the first paint; a plain script because a module would run after it. */
(() => {
  try {
    const theme = localStorage.getItem("nixfleet.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // storage is blocked: the system's theme it is
  }
})();
