/** The request for one page of a conversation's messages. */
import { z } from "zod";
import { idSchema } from "./fields.ts";

/** `threads.get`: a thread, and the end of the page of messages; unless given, the newest messages. */
export const threadInputSchema = z.object({
  threadId: idSchema("threadId"),
  /** The `olderCursor` of the page with newer messages. */
  cursor: z
    .string()
    .regex(/^[0-9]{1,18}$/, "cursor must be an olderCursor of threads.get")
    .nullish(),
});
