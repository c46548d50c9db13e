// violates: unicorn/prefer-node-protocol
import { join } from "path";
export const path = join("a", "b");
