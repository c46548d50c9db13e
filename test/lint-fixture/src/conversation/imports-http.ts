// violates: layers/cross-layer
export { TRPCError } from "@trpc/server";
