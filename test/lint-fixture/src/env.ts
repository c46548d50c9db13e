// violates: layers/cross-layer
import { newId } from "#db";
export const id = newId();
