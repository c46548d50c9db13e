/**
 * The visual parts of the pages: buttons, tables, notices, frames.
 * They must not know tRPC, routes or features; the lint rule denies such imports.
 * Invariant: a part shows only its props.
 */
export { Badge } from "./badge.tsx";
export type { Tone } from "./badge.tsx";
export { Button } from "./button.tsx";
export { classNames } from "./class-names.ts";
export { Drawer } from "./drawer.tsx";
export { JsonBlock } from "./json-block.tsx";
export { EmptyNotice, ErrorNotice, Skeleton } from "./notice.tsx";
export { Page } from "./page.tsx";
export { Select } from "./select.tsx";
export { Cell, Row, TableFrame } from "./table.tsx";
