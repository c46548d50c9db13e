/** An indented JSON value in a scrolling box. */
export function JsonBlock({ label, value }: { label: string; value: unknown }) {
  return (
    <pre
      aria-label={label}
      tabIndex={0}
      className="max-h-96 overflow-auto rounded-xl border border-line bg-panel p-4 font-mono text-xs leading-relaxed whitespace-pre-wrap [overflow-wrap:anywhere]"
    >
      {JSON.stringify(value, null, 2) ?? "null"}
    </pre>
  );
}
