import { Check, Copy } from "lucide-react";
import { createContext, use, useEffect, useRef, useState } from "react";
import type { ComponentProps } from "react";
import Markdown from "react-markdown";
import remarkGfm from "remark-gfm";
import type { Usage } from "#shared/usage";
import { Button } from "../../../ui/index.ts";
import { formatUsage } from "../../../usage/format-usage.ts";

const COPIED_MS = 1_500;

/** Copies a text and confirms it for a moment. */
function CopyButton({ label, text }: { label: string; text: () => string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const Icon = copied ? Check : Copy;
  return (
    <Button
      variant="ghost"
      size="icon-sm"
      aria-label={copied ? "Copied" : label}
      title={copied ? "Copied" : label}
      onClick={() => void navigator.clipboard.writeText(text()).then(() => setCopied(true))}
    >
      <Icon aria-hidden className="size-3.5" />
    </Button>
  );
}

function CodeBlock(props: ComponentProps<"pre">) {
  const box = useRef<HTMLPreElement>(null);
  return (
    <div className="group relative">
      <pre ref={box} tabIndex={0} {...props} />
      <div className="absolute top-1.5 right-1.5 opacity-0 transition-opacity group-focus-within:opacity-100 group-hover:opacity-100">
        <CopyButton label="Copy code" text={() => box.current?.textContent ?? ""} />
      </div>
    </div>
  );
}

const InLink = createContext(false);

/** A link instead of an image: loading the image would tell its server that the reply was read. */
function ImageLink({ src, alt }: ComponentProps<"img">) {
  const text = [alt, src].find((one) => typeof one === "string" && one !== "") ?? "image";
  // HTML does not allow a link within a link.
  if (use(InLink) || typeof src !== "string" || src === "") return <span>{text}</span>;
  return (
    <a href={src} target="_blank" rel="noopener noreferrer">
      {text}
    </a>
  );
}

const PLUGINS = [remarkGfm];
const PARTS = {
  pre: ({ node: _node, ...props }: ComponentProps<"pre"> & { node?: unknown }) => <CodeBlock {...props} />,
  a: ({ node: _node, children, ...props }: ComponentProps<"a"> & { node?: unknown }) => (
    <a {...props} target="_blank" rel="noopener noreferrer">
      <InLink value={true}>{children}</InLink>
    </a>
  ),
  img: ImageLink,
  table: ({ node: _node, ...props }: ComponentProps<"table"> & { node?: unknown }) => (
    <div className="overflow-x-auto rounded-lg border border-line">
      <table {...props} />
    </div>
  ),
};

/** An assistant's reply in Markdown. HTML in it is shown as text. */
export function Reply({ content, usage }: { content: string; usage: Usage | null }) {
  return (
    <article aria-label="Reply" className="group/reply min-w-0">
      <div className="prose-reply">
        <Markdown remarkPlugins={PLUGINS} components={PARTS}>
          {content}
        </Markdown>
      </div>
      <div className="mt-1 -ml-1.5 flex items-center gap-2 opacity-0 transition-opacity group-focus-within/reply:opacity-100 group-hover/reply:opacity-100 pointer-coarse:opacity-100">
        <CopyButton label="Copy reply" text={() => content} />
        {usage && <span className="text-xs text-faint tabular-nums">{formatUsage(usage)}</span>}
      </div>
    </article>
  );
}
