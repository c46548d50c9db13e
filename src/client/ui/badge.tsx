import type { ReactNode } from "react";
import { classNames } from "./class-names.ts";

const TONES = {
  neutral: "text-soft bg-hover",
  good: "text-good bg-good/10",
  bad: "text-bad bg-bad/10",
  warn: "text-warn bg-warn/12",
  info: "text-info bg-info/10",
  ask: "text-ask bg-ask/10",
} as const;

export type Tone = keyof typeof TONES;

interface BadgeProps {
  tone?: Tone;
  pulse?: boolean;
  children: ReactNode;
}

export function Badge({ tone = "neutral", pulse = false, children }: BadgeProps) {
  return (
    <span
      className={classNames(
        "inline-flex items-center gap-1.5 rounded-full px-2 py-0.5 text-xs font-medium whitespace-nowrap",
        TONES[tone],
      )}
    >
      <span aria-hidden className={classNames("size-1.5 rounded-full bg-current", pulse && "animate-pulse")} />
      {children}
    </span>
  );
}
