import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";

/** An error in one sentence, with an action that may help. */
export function ErrorNotice({ children, action }: { children: ReactNode; action?: ReactNode }) {
  return (
    <div
      role="alert"
      className="flex flex-wrap items-center gap-x-3 gap-y-2 rounded-lg border border-bad/25 bg-bad/8 px-3.5 py-2.5 text-sm text-bad"
    >
      <CircleAlert aria-hidden className="size-4 shrink-0" />
      <div className="min-w-0 flex-1 [overflow-wrap:anywhere]">{children}</div>
      {action}
    </div>
  );
}

/** Explains why there is nothing to show. */
export function EmptyNotice({ icon, title, children }: { icon?: ReactNode; title: string; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 px-6 py-16 text-center">
      {icon && <div className="mb-1 grid size-11 place-items-center rounded-full bg-hover text-faint">{icon}</div>}
      <h2 className="text-base font-medium">{title}</h2>
      {children && <div className="max-w-sm text-sm text-faint">{children}</div>}
    </div>
  );
}

/** Grey bars as a placeholder while content loads. */
export function Skeleton({ label, rows = 4 }: { label: string; rows?: number }) {
  return (
    <div role="status" aria-label={label} className="flex animate-pulse flex-col gap-3 p-4">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="h-4 rounded bg-hover" style={{ width: `${92 - ((row * 17) % 45)}%` }} />
      ))}
    </div>
  );
}
