// Shows the theme that `shell/theme.ts` stored, before the first paint.
try {
  const theme = localStorage.getItem("threadmill.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be denied: the system's theme is used.
}
