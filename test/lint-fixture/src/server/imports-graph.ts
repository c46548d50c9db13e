// violates: layers/cross-layer
import { openModel } from "#graph";
export const open = openModel;
