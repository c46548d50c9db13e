// violates: layers/cross-layer
export { Database } from "../db/client.ts";
