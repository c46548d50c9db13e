// violates: typescript/consistent-type-imports
import { Stats } from "node:fs";
export type Mine = Stats;
