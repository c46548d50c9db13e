/** Schemas of fields that several requests have. */
import { z } from "zod";
import { INT32_MAX, INT32_MIN, MAX_CONTENT_CHARS } from "./limits.ts";

const NUL = "\u0000";

/** Text that PostgreSQL can store, also as JSON: no NUL character and no lone surrogate. */
const storable = (name: string) =>
  z
    .string()
    .refine((text) => !text.includes(NUL), { message: `${name} must not contain NUL characters` })
    .refine((text) => !/\p{Surrogate}/u.test(text), { message: `${name} must be well-formed Unicode` });

/** Storable text of 1 to `maxChars` characters. */
export const shortText = (name: string, maxChars: number) =>
  storable(name).min(1, `${name} must not be empty`).max(maxChars, `${name} must have at most ${maxChars} characters`);

/** A UUID of any version, converted to lower case. */
export const idSchema = (name: string) => z.guid(`${name} must be a UUID`).transform((id) => id.toLowerCase());

/** The text of a chat message: 1 to 32,000 characters, not only white space. */
export const contentSchema = storable("content")
  .describe("Not only white space.")
  .max(MAX_CONTENT_CHARS, `content must have at most ${MAX_CONTENT_CHARS.toLocaleString("en-US")} characters`)
  .refine((text) => text.trim().length > 0, { message: "content must not be empty" });

/** A 32-bit integer; higher runs first. */
export const prioritySchema = z
  .int("priority must be a whole number")
  .min(INT32_MIN, `priority must be at least ${INT32_MIN}`)
  .max(INT32_MAX, `priority must be at most ${INT32_MAX}`);
