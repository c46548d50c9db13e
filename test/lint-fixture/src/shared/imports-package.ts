// violates: layers/cross-layer
import { v7 } from "uuid";
export const id: string = v7();
