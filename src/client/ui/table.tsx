import type { ComponentProps, ReactNode } from "react";
import { classNames } from "./class-names.ts";

/** By header: the alignment of the column. "wide" takes the free width, "hidden" shows the header to screen readers only. */
type Columns = Readonly<Record<string, "left" | "right" | "wide" | "hidden">>;

interface TableFrameProps {
  label: string;
  columns: Columns;
  children: ReactNode;
}

/** A table in a frame. In a narrow window the frame scrolls sideways, not the page. */
export function TableFrame({ label, columns, children }: TableFrameProps) {
  return (
    <div className="overflow-x-auto rounded-xl border border-line bg-raised">
      <table aria-label={label} className="w-full border-collapse text-left text-sm">
        <thead>
          <tr>
            {Object.entries(columns).map(([header, kind]) => (
              <th
                key={header}
                scope="col"
                className={classNames(
                  "border-b border-line bg-panel px-2.5 py-2 text-xs font-medium whitespace-nowrap text-faint first:pl-4 last:pr-4 sm:px-3",
                  kind === "right" && "text-right",
                  kind === "wide" && "w-full",
                )}
              >
                {kind === "hidden" ? <span className="sr-only">{header}</span> : header}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
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
