declare module "fs-native-extensions" {
  /**
   * Asks for an exclusive lock on a file open for writing; false when another open of the file has it.
   * @throws an error with a `code` when the filesystem has no locks.
   */
  export function tryLock(fd: number): boolean;
}
