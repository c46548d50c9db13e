// violates: layers/client-parts
import { createTRPCReact } from "@trpc/react-query";
export const create = createTRPCReact;
