/** How a conversation is asked for, a page of messages at a time. Browser-safe. */
import { z } from "zod";
import { idSchema } from "./fields.ts";

/** `threads.get`: a thread, and where the page of its messages ends; its newest unless given. */
export const threadInputSchema = z.object({
  threadId: idSchema("threadId"),
  /** What the page after it returned as `olderCursor`. */
  cursor: z
    .string()
    .regex(/^[0-9]{1,18}$/, "cursor must be an olderCursor of threads.get")
    .nullish(),
});
