// violates: layers/cross-layer
import type postgres from "postgres";
export type Sql = postgres.Sql;
