import type { ComponentProps, ReactNode } from "react";
import { classNames } from "./class-names.ts";

/** A table in a frame; it scrolls inside the frame where the window is too narrow, never the page. */
export function TableFrame({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="overflow-x-auto rounded-xl border border-line bg-raised">
      <table aria-label={label} className="w-full border-collapse text-left text-sm">
        {children}
      </table>
    </div>
  );
}

export function HeadCell({ className, ...rest }: ComponentProps<"th">) {
  return (
    <th
      scope="col"
      className={classNames(
        "border-b border-line bg-panel px-2.5 py-2 text-xs font-medium whitespace-nowrap text-faint first:pl-4 last:pr-4 sm:px-3",
        className,
      )}
      {...rest}
    />
  );
}

export function Row({ className, ...rest }: ComponentProps<"tr">) {
  return (
    <tr
      className={classNames("border-b border-line transition-colors last:border-b-0 hover:bg-hover/60", className)}
      {...rest}
    />
  );
}

export function Cell({ className, ...rest }: ComponentProps<"td">) {
  return <td className={classNames("px-2.5 py-2.5 align-middle first:pl-4 last:pr-4 sm:px-3", className)} {...rest} />;
}
