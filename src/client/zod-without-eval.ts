import { z } from "zod";

// Zod would try `new Function`, and browsers report that as a breach of the content security policy. Import this file
// before any schema is made.
z.config({ jitless: true });
