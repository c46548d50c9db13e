// violates: unicorn/filename-case
export const value = 1;
