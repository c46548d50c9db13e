import { useSyncExternalStore } from "react";

/** `public/theme.js` reads it too. */
const STORAGE_KEY = "threadmill.theme";
const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const readers = new Set<() => void>();
let theme: Theme = "system";

function show(): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

/** Takes over the theme that `public/theme.js` has shown; call once. */
export function restoreTheme(): void {
  const shown = document.documentElement.dataset["theme"];
  theme = THEMES.find((known) => known === shown) ?? "system";
}

/** Chooses a theme and remembers it. */
function chooseTheme(next: Theme): void {
  theme = next;
  show();
  try {
    localStorage.setItem(STORAGE_KEY, next);
  } catch {
    // Not remembered where storage is denied.
  }
  for (const read of readers) read();
}

/** The theme after this one in the order system, light, dark. */
export function nextTheme(current: Theme): Theme {
  return THEMES[(THEMES.indexOf(current) + 1) % THEMES.length] ?? "system";
}

function subscribe(read: () => void): () => void {
  readers.add(read);
  return () => readers.delete(read);
}

/** The chosen theme and how to choose another. */
export function useTheme(): [Theme, (next: Theme) => void] {
  return [
    useSyncExternalStore(
      subscribe,
      () => theme,
      () => theme,
    ),
    chooseTheme,
  ];
}
