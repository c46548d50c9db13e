// Applies the theme stored by `shell/theme.ts` before the first paint.
try {
  const theme = localStorage.getItem("threadmill.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be denied; the system theme then applies.
}
