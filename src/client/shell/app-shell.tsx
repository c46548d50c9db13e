/**
 * The frame of every page: navigation, theme, the not-found and error states.
 * This folder must not know features.
 * Invariant: the frame shows without any data from the server.
 */
import { Link, Outlet, useMatchRoute } from "@tanstack/react-router";
import { Monitor, Moon, Sun } from "lucide-react";
import { Button, classNames } from "../ui/index.ts";
import { nextTheme, useTheme } from "./theme.ts";

const NAV_CLASS = "rounded-lg px-2.5 py-1.5 text-sm font-medium text-faint transition-colors hover:text-ink sm:px-3";
const ACTIVE = { className: "bg-hover text-ink!", "aria-current": "page" as const };

function Logo() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden className="size-6">
      <rect width="32" height="32" rx="8" className="fill-accent-fill" />
      <path d="M8 10h16M8 16h16M8 22h10" className="stroke-on-accent" strokeWidth="2.6" strokeLinecap="round" />
    </svg>
  );
}

function ThemeToggle() {
  const [theme, chooseTheme] = useTheme();
  const Icon = { system: Monitor, light: Sun, dark: Moon }[theme];
  return (
    <Button
      variant="ghost"
      size="icon"
      aria-label={`Theme: ${theme}`}
      title={`Theme: ${theme}. Click for ${nextTheme(theme)}.`}
      onClick={() => chooseTheme(nextTheme(theme))}
    >
      <Icon aria-hidden className="size-4" />
    </Button>
  );
}

/** The top navigation, with the page below it. */
export function AppShell() {
  const matchRoute = useMatchRoute();
  const inChat = matchRoute({ to: "/" }) !== false || matchRoute({ to: "/threads/$threadId" }) !== false;
  return (
    <div className="flex h-dvh flex-col">
      <header className="flex h-13 shrink-0 items-center gap-2 border-b border-line px-3 sm:gap-4 sm:px-4">
        <Link to="/" aria-label="Threadmill" className="flex items-center gap-2 rounded-lg">
          <Logo />
          <span className="hidden text-[0.95rem] font-semibold tracking-tight sm:inline">Threadmill</span>
        </Link>
        <nav aria-label="Main" className="flex items-center gap-0.5">
          <Link
            to="/"
            className={classNames(NAV_CLASS, inChat && ACTIVE.className)}
            aria-current={inChat ? "page" : undefined}
          >
            Chat
          </Link>
          <Link to="/jobs" className={NAV_CLASS} activeProps={ACTIVE} activeOptions={{ includeSearch: false }}>
            Jobs
          </Link>
          <Link to="/workers" className={NAV_CLASS} activeProps={ACTIVE}>
            Workers
          </Link>
          <Link to="/schedules" className={NAV_CLASS} activeProps={ACTIVE}>
            Schedules
          </Link>
        </nav>
        <div className="ml-auto">
          <ThemeToggle />
        </div>
      </header>
      <div className="min-h-0 flex-1">
        <Outlet />
      </div>
    </div>
  );
}
