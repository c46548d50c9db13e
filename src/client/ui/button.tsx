import type { ComponentProps } from "react";
import { classNames } from "./class-names.ts";

const VARIANTS = {
  primary: "bg-accent-fill text-on-accent hover:opacity-90",
  secondary: "border border-line bg-raised text-ink hover:bg-hover",
  ghost: "text-soft hover:bg-hover hover:text-ink",
} as const;

const SIZES = {
  sm: "h-7 gap-1.5 rounded-md px-2 text-xs",
  md: "h-9 gap-2 rounded-lg px-3 text-sm",
  icon: "size-9 justify-center rounded-lg",
  "icon-sm": "size-7 justify-center rounded-md",
} as const;

interface ButtonProps extends ComponentProps<"button"> {
  variant?: keyof typeof VARIANTS;
  size?: keyof typeof SIZES;
}

export function Button({ variant = "secondary", size = "md", className, type = "button", ...rest }: ButtonProps) {
  return (
    <button
      type={type}
      className={classNames(
        "inline-flex shrink-0 items-center font-medium transition-colors disabled:cursor-not-allowed disabled:opacity-40",
        VARIANTS[variant],
        SIZES[size],
        className,
      )}
      {...rest}
    />
  );
}
