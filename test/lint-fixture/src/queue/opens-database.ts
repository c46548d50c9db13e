// violates: layers/open-database
import { Database } from "#db";
export const db = new Database({ url: "" });
