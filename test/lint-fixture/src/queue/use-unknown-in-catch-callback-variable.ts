// violates: typescript/use-unknown-in-catch-callback-variable
export const read = async (work: Promise<void>) => work.catch((error: Error) => error.message.length);
