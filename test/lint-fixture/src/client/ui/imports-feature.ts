// violates: layers/client-parts
import { draft } from "../features/chat/draft.ts";
export const copy = draft;
