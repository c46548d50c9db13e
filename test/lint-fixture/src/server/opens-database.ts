// violates: layers/open-database
import { Database } from "#queue";
export const Opened = Database;
