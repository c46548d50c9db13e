// violates: layers/open-database
import postgres from "postgres";
export const sql = postgres("");
