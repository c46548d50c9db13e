import type { ReactNode } from "react";

interface SelectProps {
  /** Read by screen readers; not visible. */
  label: string;
  value: string;
  onChange: (value: string) => void;
  /** `<option>` elements. */
  children: ReactNode;
}

/** A small select box for use beside other controls. */
export function Select({ label, value, onChange, children }: SelectProps) {
  return (
    <select
      aria-label={label}
      value={value}
      onChange={(event) => onChange(event.target.value)}
      className="h-7 max-w-full rounded-md border border-line bg-raised px-1.5 text-xs text-soft"
    >
      {children}
    </select>
  );
}
