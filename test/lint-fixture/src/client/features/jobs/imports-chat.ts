// violates: layers/client-parts
import { draft } from "../chat/draft.ts";
export const copy = draft;
