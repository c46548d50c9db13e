import type { ReactNode } from "react";

interface SelectProps {
  /** Said to those who cannot see it. */
  label: string;
  value: string;
  onChange: (value: string) => void;
  /** Its options. */
  children: ReactNode;
}

/** A small choice beside other controls. */
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
