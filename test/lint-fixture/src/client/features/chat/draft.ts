// violates: nothing
export const draft = "a draft";
