import { z } from "zod";

// Zod would try `new Function`, which the content security policy refuses and browsers report. Import this file before
// any schema is made.
z.config({ jitless: true });
