import { useSyncExternalStore } from "react";

/** `public/theme.js` reads this key as well. */
const STORAGE_KEY = "threadmill.theme";
const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const listeners = new Set<() => void>();
let theme: Theme = "system";

/** Adopts the theme that `public/theme.js` applied. Call it once. */
export function restoreTheme(): void {
  const shown = document.documentElement.dataset["theme"];
  theme = THEMES.find((known) => known === shown) ?? "system";
}

/** Applies a theme and stores it. */
function chooseTheme(next: Theme): void {
  theme = next;
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
  try {
    localStorage.setItem(STORAGE_KEY, next);
  } catch {
    // Storage may be denied; the theme then lasts until the page is closed.
  }
  for (const listener of listeners) listener();
}

/** The next theme in the order system, light, dark. */
export function nextTheme(current: Theme): Theme {
  return THEMES[(THEMES.indexOf(current) + 1) % THEMES.length] ?? "system";
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The current theme, and the function that changes it. */
export function useTheme(): [Theme, (next: Theme) => void] {
  return [useSyncExternalStore(subscribe, () => theme), chooseTheme];
}
